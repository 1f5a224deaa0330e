#include "http/target.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace peerscope::http {
namespace {

constexpr std::size_t kMaxParameters = 128;

Error refused(const char* why) { return Error{ErrorCode::invalid_argument, why}; }

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[at] != '%') {
      out += text[at];
    } else {
      if (at + 2 >= text.size()) return std::nullopt;
      const int high = digit(text[at + 1]), low = digit(text[at + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      at += 2;
    }
  }
  return out;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
  });
}

// "a/b/" has the segments "a", "b" and "": only the last may be empty.
bool has_odd_segment(std::string_view path) {
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment == "." || segment == ".." || (segment.empty() && end != path.size())) return true;
    begin = end + 1;
  }
  return false;
}

Result<std::string> parse_path(std::string_view text) {
  if (text.empty() || text[0] != '/') return refused("the path does not start with a slash");
  std::optional<std::string> path = percent_decoded(text, false);
  if (!path) return refused("the path has a % that two hexadecimal digits do not follow");
  if (has_control(*path) || path->find('\\') != std::string::npos)
    return refused("the path has a control character or a backslash");
  if (!is_utf8(*path)) return refused("the path is not UTF-8");
  if (has_odd_segment(*path)) return refused("the path has a segment '.', '..' or none");
  return std::move(*path);
}

Result<Fields> parse_query(std::string_view text) {
  Fields query;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    auto name = percent_decoded(part.substr(0, equals), true);
    auto value = percent_decoded(part.substr(std::min(equals + 1, part.size())), true);
    if (!name || !value)
      return refused("the query has a % that two hexadecimal digits do not follow");
    if (!is_utf8(*name) || !is_utf8(*value)) return refused("the query is not UTF-8");
    if (has_control(*name) || value->find('\0') != std::string::npos)
      return refused("the query has a control character");
    if (query.size() == kMaxParameters) return refused("the query has more than 128 parameters");
    query.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

// The code point that starts at `text`, and how many bytes it takes; 0: none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  if (byte(0) < 0x80) return 1;
  const std::size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < length) return 0;
  std::uint32_t code = byte(0) & (0xffU >> (length + 1));
  for (std::size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xc0U) != 0x80U) return 0;
    code = code << 6U | (byte(at) & 0x3fU);
  }
  const bool too_long = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return too_long || surrogate || code > 0x10ffff ? 0 : length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

Result<Target> parse_target(std::string_view target) {
  if (target.find('#') != std::string_view::npos) return refused("the path has a '#'");
  const std::size_t mark = std::min(target.find('?'), target.size());
  Result<std::string> path = parse_path(target.substr(0, mark));
  if (!path) return path.error();
  Result<Fields> query = parse_query(target.substr(std::min(mark + 1, target.size())));
  if (!query) return query.error();
  return Target{std::move(*path), std::move(*query)};
}

}  // namespace peerscope::http
