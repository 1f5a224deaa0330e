#include "tui/input.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace peerscope::tui {
namespace {

constexpr std::size_t kLongest = 64;  // of a sequence: longer ones are noise

struct Taken {
  std::size_t bytes = 0;  // 0: it is not whole
  Input input;
};

Key key_of_letter(char letter) {
  switch (letter) {
    case 'A':
      return Key::up;
    case 'B':
      return Key::down;
    case 'C':
      return Key::right;
    case 'D':
      return Key::left;
    case 'H':
      return Key::home;
    case 'F':
      return Key::end;
    case 'Z':
      return Key::back_tab;
    default:
      return Key::none;
  }
}

Key key_of_number(int number) {
  switch (number) {
    case 1:
    case 7:
      return Key::home;
    case 4:
    case 8:
      return Key::end;
    case 5:
      return Key::page_up;
    case 6:
      return Key::page_down;
    default:
      return Key::none;
  }
}

// "<0;12;5M": pressed; "m": released.
Input mouse(std::string_view parameters, char last) {
  const std::string text(parameters.substr(1));
  char* rest = nullptr;
  const long button = std::strtol(text.c_str(), &rest, 10);
  const long x = *rest == ';' ? std::strtol(rest + 1, &rest, 10) : 0;
  const long y = *rest == ';' ? std::strtol(rest + 1, &rest, 10) : 0;
  if (x < 1 || y < 1 || x > 100'000 || y > 100'000) return {};
  Input input{Key::none, {}, static_cast<int>(x - 1), static_cast<int>(y - 1)};
  if (last == 'M' && button == 0) input.key = Key::click;
  if (button == 64) input.key = Key::wheel_up;
  if (button == 65) input.key = Key::wheel_down;
  return input;
}

// After ESC [: parameters, then one letter or ~.
Taken control_sequence(std::string_view bytes) {
  std::size_t at = 2;
  while (at < bytes.size() && bytes[at] >= 0x20 && bytes[at] < 0x40) ++at;
  if (at >= kLongest) return {at, {}};
  if (at == bytes.size()) return {};
  const std::string_view parameters = bytes.substr(2, at - 2);
  const char last = bytes[at];
  if (!parameters.empty() && parameters[0] == '<') return {at + 1, mouse(parameters, last)};
  if (last == '~') return {at + 1, {key_of_number(std::atoi(std::string(parameters).c_str()))}};
  return {at + 1, {key_of_letter(last)}};
}

Taken after_escape(std::string_view bytes, bool all) {
  if (bytes.size() == 1) return all ? Taken{1, {Key::escape}} : Taken{};
  if (bytes[1] == '[') {
    const Taken taken = control_sequence(bytes);
    return taken.bytes == 0 && all ? Taken{bytes.size(), {}} : taken;
  }
  if (bytes[1] == 'O') {
    if (bytes.size() == 2) return all ? Taken{2, {}} : Taken{};
    return {3, {key_of_letter(bytes[2])}};
  }
  return {1, {Key::escape}};  // what follows is a key of its own
}

std::size_t length_of(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xF0 && first < 0xF8) return 4;
  if (first >= 0xE0) return first < 0xF0 ? 3 : 0;
  return first >= 0xC0 ? 2 : 0;
}

Taken character(std::string_view bytes, bool all) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first == '\r' || first == '\n') return {1, {Key::enter}};
  if (first == '\t') return {1, {Key::tab}};
  if (first == 0x7F || first == 0x08) return {1, {Key::backspace}};
  if (first == 0x0C) return {1, {Key::character, "\f"}};  // Ctrl-L
  if (first < 0x20) return {1, {}};
  const std::size_t length = length_of(first);
  if (length == 0) return {1, {}};
  if (bytes.size() < length) return all ? Taken{bytes.size(), {}} : Taken{};
  const std::string_view text = bytes.substr(0, length);
  const bool whole = std::all_of(text.begin() + 1, text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
  });
  return whole ? Taken{length, {Key::character, std::string(text)}} : Taken{1, {}};
}

}  // namespace

std::vector<Input> take_inputs(std::string& bytes, bool all) {
  std::vector<Input> inputs;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    Taken taken = rest[0] == '\x1b' ? after_escape(rest, all) : character(rest, all);
    if (taken.bytes == 0) break;
    if (taken.input.key != Key::none) inputs.push_back(std::move(taken.input));
    rest.remove_prefix(taken.bytes);
  }
  bytes.erase(0, bytes.size() - rest.size());
  return inputs;
}

}  // namespace peerscope::tui
