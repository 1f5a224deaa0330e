#include "metrics/words.hpp"

#include <array>
#include <cstdint>

#include "metrics/family.hpp"

namespace peerscope::metrics {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD", kEllipsis = "\xE2\x80\xA6";

// Bytes of the character that `text` begins with; 0: it is none.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Longer than need be, a surrogate, or beyond the last character.
  const std::uint8_t next = byte(1);
  const bool wrong = (lead == 0xE0 && next < 0xA0) || (lead == 0xED && next > 0x9F) ||
                     (lead == 0xF0 && next < 0x90) || (lead == 0xF4 && next > 0x8F);
  return wrong ? 0 : size;
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
}

}  // namespace

std::string label_value(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = character_bytes(text);
    const bool bad = size == 0 || is_control(text[0]);
    const std::string_view next = bad ? kReplacement : text.substr(0, size);
    if (out.size() + next.size() > kLongestLabel - kEllipsis.size()) return out.append(kEllipsis);
    out += next;
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\' || (c == '"' && quotes)) out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

std::string unit_of(const Family& family) {
  constexpr std::array kUnits = {"bytes_per_second", "seconds", "bytes", "ratio", "watts",
                                 "celsius",          "hertz"};
  for (const std::string_view unit : kUnits) {
    if (family.name.size() > unit.size() && family.name.ends_with(unit) &&
        family.name[family.name.size() - unit.size() - 1] == '_')
      return std::string(unit);
  }
  return "";
}

}  // namespace peerscope::metrics
