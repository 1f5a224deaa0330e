#include "store/cursor.hpp"

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "trace/crc32c.hpp"

namespace peerscope {
namespace {

struct Packed {
  std::uint64_t begin, major, minor;
  std::uint32_t crc;
  std::uint8_t of, newest_first, inclusive, version;
};
static_assert(sizeof(Packed) == 32);
constexpr std::uint8_t kVersion = 1;

std::uint32_t crc_of(Packed packed) {
  packed.crc = 0;
  return crc32c(&packed, sizeof packed);
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string to_text(const Cursor& cursor) {
  Packed packed{static_cast<std::uint64_t>(cursor.key.begin_ns),
                cursor.key.major,
                cursor.key.minor,
                0,
                static_cast<std::uint8_t>(cursor.of),
                cursor.newest_first,
                cursor.inclusive,
                kVersion};
  packed.crc = crc_of(packed);
  std::array<std::uint8_t, sizeof packed> bytes;
  std::memcpy(bytes.data(), &packed, sizeof packed);
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

Result<Cursor> parse_cursor(const std::string& text, Cursor::Of of, bool newest_first) {
  Cursor cursor;
  cursor.of = of;
  cursor.newest_first = newest_first;
  if (text.empty()) return cursor;
  const Error bad{
      ErrorCode::invalid_argument,
      "the cursor is not one that a page of this list gave as `next`: ask for the first "
      "page without a cursor"};
  Packed packed;
  std::array<std::uint8_t, sizeof packed> bytes;
  if (text.size() != 2 * bytes.size()) return bad;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return bad;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  std::memcpy(&packed, bytes.data(), sizeof packed);
  if (packed.crc != crc_of(packed) || packed.version != kVersion ||
      packed.of != static_cast<std::uint8_t>(of))
    return bad;
  if ((packed.newest_first != 0) != newest_first)
    return Error{ErrorCode::invalid_argument,
                 "the cursor is of the other order: ask for the first page without a cursor"};
  cursor.inclusive = packed.inclusive != 0;
  cursor.key = {static_cast<std::int64_t>(packed.begin), packed.major, packed.minor};
  return cursor;
}

}  // namespace peerscope
