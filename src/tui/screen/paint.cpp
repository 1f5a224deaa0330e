#include "tui/screen/paint.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace peerscope::tui {
namespace {

struct Stand {
  std::string_view mark;
  char letter;
};
// Where the locale is not UTF-8. What is not in it becomes '?'.
constexpr Stand kStands[] = {
    {"●", '*'}, {"▲", '!'}, {"■", '#'}, {"–", '-'}, {"→", '>'}, {"←", '<'}, {"↑", '^'}, {"↓", 'v'},
    {"·", '.'}, {"…", '~'}, {"µ", 'u'}, {"°", 'o'}, {"×", 'x'}, {"─", '-'}, {"│", '|'}, {"┌", '+'},
    {"┐", '+'}, {"└", '+'}, {"┘", '+'}, {"╭", '+'}, {"╮", '+'}, {"╰", '+'}, {"╯", '+'}, {"█", '#'},
    {"▓", '%'}, {"▒", '+'}, {"░", ':'}, {"▁", '_'}, {"▂", '.'}, {"▃", '-'}, {"▄", '='}, {"▅", '+'},
    {"▆", '*'}, {"▇", '%'}, {"▮", '|'}, {"▏", '|'}};

void to_ascii(std::string& character) {
  if (character.size() <= 1) return;
  const auto* found = std::find_if(std::begin(kStands), std::end(kStands),
                                   [&](const Stand& stand) { return stand.mark == character; });
  character = found != std::end(kStands) ? found->letter : '?';
}

// C0, DEL, and C1 as UTF-8: a terminal would obey them.
bool is_control(const std::string& character) {
  for (std::size_t i = 0; i < character.size(); ++i) {
    const auto byte = static_cast<unsigned char>(character[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < character.size() &&
        static_cast<unsigned char>(character[i + 1]) < 0xA0)
      return true;
  }
  return false;
}

}  // namespace

void prepare(ftxui::Screen& screen, const Ink& ink) {
  for (int y = 0; y < screen.dimy(); ++y) {
    for (int x = 0; x < screen.dimx(); ++x) {
      ftxui::Pixel& pixel = screen.PixelAt(x, y);
      if (is_control(pixel.character)) pixel.character = "?";
      if (!ink.utf8) to_ascii(pixel.character);
      if (ink.colour) continue;
      pixel.background_color = ftxui::Color::Default;
      pixel.foreground_color = ftxui::Color::Default;
    }
  }
}

std::vector<std::string> styled_lines(const ftxui::Screen& screen) {
  std::vector<std::string> lines;
  ftxui::Screen line(screen.dimx(), 1);
  for (int y = 0; y < screen.dimy(); ++y) {
    for (int x = 0; x < screen.dimx(); ++x) line.PixelAt(x, 0) = screen.PixelAt(x, y);
    lines.push_back(line.ToString());
  }
  return lines;
}

std::string plain_text(const ftxui::Screen& screen) {
  std::string out;
  for (int y = 0; y < screen.dimy(); ++y) {
    std::string line;
    for (int x = 0; x < screen.dimx(); ++x) line += screen.at(x, y);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string changes(const std::vector<std::string>& before, const std::vector<std::string>& now) {
  std::string out;
  for (std::size_t y = 0; y < now.size(); ++y) {
    if (y < before.size() && before[y] == now[y]) continue;
    out += fmt::format("\x1b[{};1H{}\x1b[m", y + 1, now[y]);
  }
  return out;
}

}  // namespace peerscope::tui
