// A table on the screen: columns fall away by rank until it fits.
#include <algorithm>
#include <numeric>

#include "tui/screen/parts.hpp"

namespace peerscope::tui {
namespace {

constexpr int kLeast = 7;   // of a figure's column: so that it does not jump with each digit
constexpr int kMargin = 2;  // the mark of a row

std::string head_text(const Table& table, int column, const UiState& state) {
  const std::string title = table.columns[static_cast<std::size_t>(column)].title;
  if (column != state.here().sort) return title;
  return title + (state.here().descending ? "↓" : "↑");
}

int natural_width(const Table& table, int column, bool sorted) {
  const auto at = static_cast<std::size_t>(column);
  const Column& head = table.columns[at];
  int width = width_of(head.title) + (sorted ? 1 : 0);
  if (!head.left && width > 4) width = std::max(width, kLeast);
  for (const Row& row : table.rows) width = std::max(width, width_of(row.cells[at].text));
  return width;
}

int whole(const Columns& columns) {
  const int gaps = columns.gap * (static_cast<int>(columns.at.size()) - 1);
  return kMargin + std::accumulate(columns.widths.begin(), columns.widths.end(), gaps);
}

// The one to leave out first; -1: none may go.
int least_wanted(const Table& table, const Columns& columns, int sorted) {
  int worst = -1;
  for (std::size_t i = 0; i < columns.at.size(); ++i) {
    const auto rank_of = [&](int at) {
      return table.columns[static_cast<std::size_t>(columns.at[static_cast<std::size_t>(at)])].rank;
    };
    if (rank_of(static_cast<int>(i)) == 0 || columns.at[i] == sorted) continue;
    if (worst < 0 || rank_of(static_cast<int>(i)) >= rank_of(worst)) worst = static_cast<int>(i);
  }
  return worst;
}

// Takes from the widest column of words until all fits.
void squeeze(const Table& table, Columns& columns, int width) {
  while (whole(columns) > width) {
    int widest = -1;
    for (std::size_t i = 0; i < columns.at.size(); ++i) {
      const bool better =
          widest < 0 || columns.widths[i] > columns.widths[static_cast<std::size_t>(widest)];
      if (table.columns[static_cast<std::size_t>(columns.at[i])].left && columns.widths[i] > 6 &&
          better)
        widest = static_cast<int>(i);
    }
    if (widest < 0) return;
    --columns.widths[static_cast<std::size_t>(widest)];
  }
}

ftxui::Element heads_line(const Table& table, const UiState& state, const Columns& columns,
                          const TableArea& area, Hits& hits) {
  ftxui::Elements parts{ftxui::text(std::string(kMargin, ' '))};
  int x = area.x + kMargin;
  for (std::size_t i = 0; i < columns.at.size(); ++i) {
    if (i > 0)
      parts.push_back(ftxui::text(std::string(static_cast<std::size_t>(columns.gap), ' ')));
    if (i > 0) x += columns.gap;
    const int column = columns.at[i];
    const bool left = table.columns[static_cast<std::size_t>(column)].left;
    auto head = ftxui::text(fit(head_text(table, column, state), columns.widths[i], left));
    parts.push_back(head | (column == state.here().sort ? ftxui::bold : ftxui::dim));
    hits.heads.push_back({x, x + columns.widths[i], column, left});
    x += columns.widths[i];
  }
  hits.heads_y = area.y;
  return ftxui::hbox(std::move(parts));
}

ftxui::Element row_line(const Table& table, const Row& row, const Columns& columns, int width,
                        bool selected) {
  std::string line;
  for (std::size_t i = 0; i < columns.at.size(); ++i) {
    const auto at = static_cast<std::size_t>(columns.at[i]);
    if (i > 0) line += std::string(static_cast<std::size_t>(columns.gap), ' ');
    line += fit(row.cells[at].text, columns.widths[i], table.columns[at].left);
  }
  auto mark = row.mark ? ftxui::text(std::string(mark_of(*row.mark)) + " ") | tint(*row.mark)
                       : ftxui::text("  ");
  auto cells = ftxui::text(fit(line, width - kMargin, true));
  return ftxui::hbox({mark, selected ? cells | ftxui::inverted : cells});
}

// Why a row has a mark or dashes, where there is room under the table: the selected one, or the first that says so.
void add_notes(const Table& table, int selected, const TableArea& area, ftxui::Elements& lines) {
  const auto says = [](const Row& row) { return !row.notes.empty(); };
  auto row = table.rows.begin() + selected;
  if (!says(*row)) row = std::find_if(table.rows.begin(), table.rows.end(), says);
  if (row == table.rows.end() || static_cast<int>(lines.size()) + 2 > area.height) return;
  lines.push_back(ftxui::text(""));
  for (const std::string& note : row->notes) {
    for (const std::string& words : wrap(note, std::min(area.width, 120) - 2 * kMargin)) {
      if (static_cast<int>(lines.size()) < area.height)
        lines.push_back(ftxui::text("  " + words) | ftxui::dim);
    }
  }
}

ftxui::Elements empty_lines(const std::string& words, const TableArea& area) {
  ftxui::Elements lines;
  for (const std::string& line : wrap(words, area.width - 2 * kMargin)) {
    if (static_cast<int>(lines.size()) < area.height)
      lines.push_back(ftxui::text("  " + line) | ftxui::dim);
  }
  return lines;
}

// Nobody misses what is unknown of every row and stands far to the right.
bool is_idle(const Table& table, int column) {
  const auto at = static_cast<std::size_t>(column);
  constexpr int kFar = 8;
  return table.columns[at].rank >= kFar &&
         std::none_of(table.rows.begin(), table.rows.end(),
                      [at](const Row& row) { return row.cells[at].known; });
}

}  // namespace

Columns choose_columns(const Table& table, int width, int sorted) {
  Columns columns;
  for (int i = 0; i < static_cast<int>(table.columns.size()); ++i) {
    if (i != sorted && is_idle(table, i)) continue;
    columns.at.push_back(i);
    columns.widths.push_back(natural_width(table, i, i == sorted));
  }
  while (whole(columns) > width) {
    const int least = least_wanted(table, columns, sorted);
    if (least < 0) break;
    columns.at.erase(columns.at.begin() + least);
    columns.widths.erase(columns.widths.begin() + least);
  }
  if (whole(columns) > width) columns.gap = 1;
  squeeze(table, columns, width);
  return columns;
}

ftxui::Elements draw_table(const Table& table, const UiState& state, const TableArea& area,
                           Hits& hits) {
  ftxui::Elements lines;
  hits.page_rows = std::max(1, area.height - 1);
  const int rows = static_cast<int>(table.rows.size());
  if (rows == 0) {
    lines = empty_lines(state.filter.empty()
                            ? table.empty
                            : "No row has '" + state.filter + "' in it. Esc clears the filter.",
                        area);
  } else if (area.height > 0) {
    const Columns columns = choose_columns(table, area.width, state.here().sort);
    lines.push_back(heads_line(table, state, columns, area, hits));
    const int selected = selected_row(state, hits.keys);
    const int top = first_row(state.here().top, selected, rows, hits.page_rows);
    for (int i = top; i < std::min(rows, top + area.height - 1); ++i) {
      hits.lines.push_back({area.y + static_cast<int>(lines.size()), i});
      lines.push_back(row_line(table, table.rows[static_cast<std::size_t>(i)], columns, area.width,
                               i == selected));
    }
    if (selected >= 0) add_notes(table, selected, area, lines);
  }
  while (static_cast<int>(lines.size()) < area.height) lines.push_back(ftxui::text(""));
  return lines;
}

}  // namespace peerscope::tui
