// From a screen of FTXUI to what a terminal is sent: only what changed.
#pragma once

#include <string>
#include <vector>

#include <ftxui/screen/screen.hpp>

namespace peerscope::tui {

struct Ink {
  bool colour = true, utf8 = true;
};

// Makes names of others harmless, and does without colours or marks where the terminal has none.
void prepare(ftxui::Screen& screen, const Ink& ink);

// One a line, each complete in itself: with its styles, and without at its end.
std::vector<std::string> styled_lines(const ftxui::Screen& screen);
// Without styles and without spaces at the ends of lines.
std::string plain_text(const ftxui::Screen& screen);

// What turns one frame into the other. `before` empty: all of it.
std::string changes(const std::vector<std::string>& before, const std::vector<std::string>& now);

}  // namespace peerscope::tui
