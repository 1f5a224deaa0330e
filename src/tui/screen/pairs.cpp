// Who moves how much to whom: a heat map for up to 16 ranks, and the list.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "tui/screen/parts.hpp"

namespace peerscope::tui {
namespace {

constexpr int kMostRanks = 16;
constexpr int kLeastList = 2;  // lines that the list keeps

constexpr std::size_t kMoved = 4, kBandwidth = 8;  // columns of pairs_table

struct Matrix {
  std::string communicator;
  int ranks = 0;
  std::map<std::pair<int, int>, const Row*> cells;
  std::size_t shows = kBandwidth;  // the column; of bytes per second
  double most = 0;
  [[nodiscard]] double value(const Row& row) const { return row.cells[shows].number.value_or(-1); }
};

int rank_at(const Row& row, std::size_t column) {
  return static_cast<int>(row.cells[column].number.value_or(-1));
}

// Of the communicator that the selected row is of.
Matrix matrix_of(const Table& table, int selected, int sort) {
  Matrix matrix;
  const auto known = [](const Row& row) { return row.cells[kBandwidth].known; };
  if (sort == static_cast<int>(kMoved) || std::none_of(table.rows.begin(), table.rows.end(), known))
    matrix.shows = kMoved;
  if (selected < 0) return matrix;
  matrix.communicator = table.rows[static_cast<std::size_t>(selected)].cells[2].text;
  for (const Row& row : table.rows) {
    if (row.cells[2].text != matrix.communicator) continue;
    matrix.cells[{rank_at(row, 0), rank_at(row, 1)}] = &row;
    matrix.ranks = std::max({matrix.ranks, rank_at(row, 0) + 1, rank_at(row, 1) + 1});
    matrix.most = std::max(matrix.most, matrix.value(row));
  }
  return matrix;
}

struct Unit {
  const char* name;
  double size;
};
Unit unit_for(double most) {
  for (const Unit& unit : {Unit{"GB/s", 1e9}, Unit{"MB/s", 1e6}, Unit{"kB/s", 1e3}}) {
    if (most >= unit.size) return unit;
  }
  return {"B/s", 1};
}

// Dark to light along viridis, and its pattern for who sees no colours.
constexpr ftxui::Color::Palette256 kHeat[] = {
    static_cast<ftxui::Color::Palette256>(53), static_cast<ftxui::Color::Palette256>(60),
    static_cast<ftxui::Color::Palette256>(24), static_cast<ftxui::Color::Palette256>(30),
    static_cast<ftxui::Color::Palette256>(35), static_cast<ftxui::Color::Palette256>(113),
    static_cast<ftxui::Color::Palette256>(220)};
constexpr const char* kShades[] = {"░", "▒", "▓", "█"};

std::string figure_text(double value) {
  return value >= 99.95   ? fmt::format("{:.0f}", value)
         : value >= 9.995 ? fmt::format("{:.1f}", value)
                          : fmt::format("{:.2f}", value);
}

ftxui::Element heat_cell(const Matrix& matrix, int from, int to, const Unit& unit, int width,
                         bool selected) {
  const auto found = matrix.cells.find({from, to});
  const double value = found == matrix.cells.end() ? -1 : matrix.value(*found->second);
  if (from == to || value < 0)
    return ftxui::text(fit(from == to ? "·" : "–", width, false) + " ") | ftxui::dim;
  const double share = matrix.most > 0 ? value / matrix.most : 0;
  const auto shade = [share](std::size_t steps) {
    return std::min(steps - 1, static_cast<std::size_t>(share * static_cast<double>(steps)));
  };
  const std::string pattern = kShades[shade(std::size(kShades))];
  const std::size_t heat = shade(std::size(kHeat));
  const bool figures = width >= 6;
  std::string bar;
  for (int i = 0; i < (figures ? 1 : width); ++i) bar += pattern;
  auto cell = ftxui::text(bar) | ftxui::color(kHeat[heat]);
  if (figures) {
    auto figure = ftxui::text(fit(figure_text(value / unit.size), width - 1, false)) |
                  ftxui::bgcolor(kHeat[heat]) |
                  ftxui::color(heat >= 4 ? ftxui::Color::Black : ftxui::Color::White);
    cell = ftxui::hbox({cell, figure});
  }
  if (selected) cell = cell | ftxui::bold | ftxui::underlined;
  return ftxui::hbox({cell, ftxui::text(" ")});
}

ftxui::Elements matrix_lines(const Matrix& matrix, const Row& chosen, int width) {
  const Unit unit = unit_for(matrix.most);
  const int cell = std::clamp((width - 8) / matrix.ranks - 1, 2, 8);
  const std::string heading =
      fmt::format("  {} between ranks of {}, {}   ░▒▓█ up to {}",
                  matrix.shows == kMoved ? "moved" : "bandwidth", matrix.communicator, unit.name,
                  figure_text(matrix.most / unit.size));
  ftxui::Elements lines{ftxui::text(cut(heading, width)) | ftxui::dim};
  std::string heads = " from\\to";
  for (int to = 0; to < matrix.ranks; ++to) heads += fit(fmt::format("{}", to), cell, false) + " ";
  lines.push_back(ftxui::text(cut(heads, width)) | ftxui::dim);
  for (int from = 0; from < matrix.ranks; ++from) {
    ftxui::Elements parts{ftxui::text(fit(fmt::format("{}", from), 6, false) + "  ")};
    for (int to = 0; to < matrix.ranks; ++to) {
      const bool selected = rank_at(chosen, 0) == from && rank_at(chosen, 1) == to;
      parts.push_back(heat_cell(matrix, from, to, unit, cell, selected));
    }
    lines.push_back(ftxui::hbox(std::move(parts)));
  }
  lines.push_back(ftxui::text(""));
  return lines;
}

}  // namespace

ftxui::Elements draw_pairs(const Scene&, const Table& table, const UiState& state,
                           const TableArea& area, Hits& hits) {
  const int selected = selected_row(state, hits.keys);
  const Matrix matrix = matrix_of(table, selected, state.here().sort);
  const bool fits = matrix.ranks >= 2 && matrix.ranks <= kMostRanks &&
                    area.width >= 8 + 3 * matrix.ranks &&
                    area.height >= matrix.ranks + 3 + kLeastList;
  if (!fits) return draw_table(table, state, area, hits);
  ftxui::Elements lines =
      matrix_lines(matrix, table.rows[static_cast<std::size_t>(selected)], area.width);
  const int used = static_cast<int>(lines.size());
  for (auto& line :
       draw_table(table, state, {area.x, area.y + used, area.width, area.height - used}, hits))
    lines.push_back(std::move(line));
  return lines;
}

}  // namespace peerscope::tui
