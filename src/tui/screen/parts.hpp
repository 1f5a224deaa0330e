// What pages are put together from. Lines are cut to a width, so that none is ever broken.
#pragma once

#include <string>
#include <vector>

#include <ftxui/dom/elements.hpp>

#include "model/finding.hpp"
#include "tui/pages.hpp"
#include "tui/table.hpp"
#include "tui/update.hpp"

namespace peerscope::tui {

int width_of(const std::string& text);
std::string cut(const std::string& text, int width);  // "all_red…"
// Padded, or cut, to this width.
std::string fit(const std::string& text, int width, bool left);
std::vector<std::string> wrap(const std::string& text, int width);

const char* mark_of(Severity severity);
ftxui::Decorator tint(Severity severity);
ftxui::Decorator good();  // the colour of what is well

// A line of parts that stand beside each other as long as there is room: the first ones first.
struct Part {
  std::string text;
  ftxui::Decorator look = ftxui::nothing;
};
ftxui::Element line_of(const std::vector<Part>& parts, int width,
                       const std::string& between = "  ");

struct TableArea {
  int x = 0, y = 0, width = 0, height = 0;  // on the screen: heads and rows
};
// Which columns fit, and how wide each is.
struct Columns {
  std::vector<int> at, widths;
  int gap = 2;
};
Columns choose_columns(const Table& table, int width, int sorted);
// Exactly area.height lines. Adds what can be clicked to `hits`.
ftxui::Elements draw_table(const Table& table, const UiState& state, const TableArea& area,
                           Hits& hits);

// Pages that are more than a table. Each gives exactly `area.height` lines.
ftxui::Elements draw_overview(const Scene& scene, const History& history, const Table& findings,
                              const UiState& state, const TableArea& area, Hits& hits);
ftxui::Elements draw_pairs(const Scene& scene, const Table& table, const UiState& state,
                           const TableArea& area, Hits& hits);

ftxui::Elements help_lines(int width);
ftxui::Elements detail_lines(const Table& table, const Row& row, int width);
int overlay_rows(int height);  // that an overlay shows at once
// Over the page: `lines` from `scroll` on, in a frame.
ftxui::Element overlay(const std::string& title, const ftxui::Elements& lines, int scroll,
                       int width, int height);

}  // namespace peerscope::tui
