// What lies over a page: the keys, and all that is known of a row.
#include <algorithm>

#include <fmt/format.h>

#include "tui/screen/parts.hpp"

namespace peerscope::tui {
namespace {

struct KeyHelp {
  const char* keys;
  const char* what;
};
constexpr KeyHelp kKeys[] = {
    {"1-7, Tab, ← →", "another page"},
    {"↑ ↓ j k", "another row; PgUp PgDn Home End: further"},
    {"Enter", "all that is known of the row"},
    {"s  S", "sort by the next column; turn the order round"},
    {"/", "filter rows as you type; Esc clears it"},
    {"w", "figures of the last 1 s, 10 s, 1 min, or since start"},
    {"p, space", "pause, and go on"},
    {"+  -", "longer or shorter time between two looks"},
    {"e  E", "write the page's rows to a file: CSV, JSON"},
    {"mouse", "click a row, a column's head, a page; wheel"},
    {"h  ?", "this help; Esc closes it"},
    {"Ctrl-L", "draw anew"},
    {"q  Ctrl-C", "quit; Ctrl-Z: suspend"},
};
constexpr const char* kWords[] = {
    "transfer: all ranks there until done. wait: of the first rank for the last. late: a rank's "
    "arrival against the median of the others. "
    "waits: share of its communication time; is waited for: share of all ranks'.",
    "Times are medians by the clock that a row names. – is unknown, never 0.",
};

}  // namespace

ftxui::Elements help_lines(int width) {
  constexpr int kKeyWidth = 14;
  ftxui::Elements lines;
  for (const KeyHelp& key : kKeys) {
    bool first = true;
    for (const std::string& words : wrap(key.what, std::max(8, width - kKeyWidth - 2))) {
      lines.push_back(
          ftxui::hbox({ftxui::text(" " + fit(first ? key.keys : "", kKeyWidth, true)) | ftxui::bold,
                       ftxui::text(words)}));
      first = false;
    }
  }
  for (const char* words : kWords) {
    for (const std::string& line : wrap(words, width - 2))
      lines.push_back(ftxui::text(" " + line) | ftxui::dim);
  }
  return lines;
}

ftxui::Elements detail_lines(const Table& table, const Row& row, int width) {
  ftxui::Elements lines;
  int titles = 8;
  for (const Column& column : table.columns) titles = std::max(titles, width_of(column.title));
  titles = std::min(titles, width / 2);
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    bool first = true;
    for (const std::string& words : wrap(row.cells[i].text, std::max(8, width - titles - 4))) {
      lines.push_back(ftxui::hbox(
          {ftxui::text(" " + fit(first ? table.columns[i].title : "", titles, true) + "  ") |
               ftxui::dim,
           ftxui::text(words)}));
      first = false;
    }
  }
  for (const std::string& note : row.notes) {
    for (const std::string& words : wrap(note, width - 2))
      lines.push_back(ftxui::text(" " + words));
  }
  return lines;
}

}  // namespace peerscope::tui
