// What a key or a click does to the state. Pure.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "tui/input.hpp"
#include "tui/state.hpp"

namespace peerscope::tui {

// Where things are in the frame that the person looks at.
struct Hits {
  struct Span {
    int from = 0, to = 0;  // columns of the screen, the last one excluded
    int what = 0;          // a page, or a column of the table
    bool words = false;    // the column is text: it sorts from A
  };
  int tabs_y = -1, heads_y = -1;
  std::vector<Span> tabs, heads;
  struct Line {
    int y = 0, row = 0;
  };
  std::vector<Line> lines;        // of rows that are on the screen
  std::vector<std::string> keys;  // of all rows, in their order
  int page_rows = 1;              // how many fit
  // How far what lies over the page can be scrolled; nobody knows before it is drawn.
  int most_scroll = std::numeric_limits<int>::max();
};

enum class Action : std::uint8_t { none, quit, redraw, export_csv, export_json };

Action apply(UiState& state, const Input& input, const Hits& hits);

// The selected row among `keys`, the first if it is gone; -1 without rows.
int selected_row(const UiState& state, const std::vector<std::string>& keys);
// The first row on the screen, so that the selected one is among those that fit.
int first_row(int top, int selected, int rows, int fit);

}  // namespace peerscope::tui
