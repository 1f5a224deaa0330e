#include "trace/export/out.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace peerscope {

namespace {

constexpr auto kPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

char* put_pair(char* at, std::uint32_t value) {
  std::memcpy(at, &kPairs[std::size_t{2} * value], 2);
  return at + 2;
}

char* put_eight(char* at, std::uint32_t value) {
  const std::uint32_t high = value / 10'000, low = value % 10'000;
  at = put_pair(put_pair(at, high / 100), high % 100);
  return put_pair(put_pair(at, low / 100), low % 100);
}

// Less than 10^8, without leading zeros.
char* put_small(char* at, std::uint32_t value) {
  if (value < 10) {
    *at = static_cast<char>('0' + value);
    return at + 1;
  }
  if (value < 100) return put_pair(at, value);
  if (value >= 10'000) {
    at = put_small(at, value / 10'000);
    return put_pair(put_pair(at, value % 10'000 / 100), value % 100);
  }
  return put_pair(put_small(at, value / 100), value % 100);
}

}  // namespace

char* put_decimal(char* at, std::uint64_t value) {
  constexpr std::uint64_t kEight = 100'000'000;
  if (value < kEight) return put_small(at, static_cast<std::uint32_t>(value));
  return put_eight(put_decimal(at, value / kEight), static_cast<std::uint32_t>(value % kEight));
}

void Out::flush() {
  if (used_ > 0) sink_.write({buffer_.data(), used_});
  used_ = 0;
}

Out& Out::put_large(std::string_view text) {
  flush();
  sink_.write(text);
  return *this;
}

Out& Out::operator<<(double value) {
  if (!std::isfinite(value)) return *this << std::string_view("null");
  char* at = room(32);
  done(std::to_chars(at, at + 32, value).ptr);
  return *this;
}

Out& operator<<(Out& out, Micros time) {
  char* at = out.room(32);
  if (time.ns < 0) *at++ = '-';
  const std::uint64_t ns = time.ns < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(time.ns)
                                       : static_cast<std::uint64_t>(time.ns);
  at = put_decimal(at, ns / 1000);
  const auto rest = static_cast<std::uint32_t>(ns % 1000);
  *at++ = '.';
  *at++ = static_cast<char>('0' + rest / 100);
  out.done(put_pair(at, rest % 100));
  return out;
}

namespace {

// Length of the UTF-8 sequence at the front, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
      (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F))
    return 0;
  return n;
}

}  // namespace

std::string clean_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t n = sequence_length(text);
    out += n == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, n);
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : clean_utf8(text)) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : clean_utf8(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\t':
      case '\n':
      case '\r':
        out += fmt::format("&#{};", static_cast<int>(c));
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20)
          out += c;  // XML 1.0 has no other control characters
    }
  }
  return out;
}

std::string csv_field(std::string_view raw) {
  const std::string text = clean_utf8(raw);
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

const char* name(MarkType type) {
  constexpr const char* kNames[] = {"?", "phase", "completion", "event", "call_site", "control"};
  const auto number = static_cast<std::size_t>(type);
  return number < std::size(kNames) ? kNames[number] : "?";
}

}  // namespace peerscope
