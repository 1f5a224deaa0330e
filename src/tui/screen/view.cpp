#include "tui/screen/view.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.hpp"
#include "tui/screen/parts.hpp"

namespace peerscope::tui {
namespace {

using ftxui::Element;
using ftxui::Elements;

std::string window_words(Window window) {
  constexpr const char* kWords[] = {"last 1 s", "last 10 s", "last 1 min", "since start"};
  return kWords[static_cast<int>(window)];
}

Part state_part(const Scene& scene, const UiState& state) {
  if (state.recording) return {"recording", ftxui::dim};
  if (state.paused) return {"▮▮ paused", ftxui::bold};
  const auto& processes = scene.snapshot->processes;
  if (processes.empty()) return {"waiting", ftxui::dim};
  ProcessState all = processes.front().state;
  for (const ProcessView& process : processes) all = combine(all, process.state);
  if (all == ProcessState::live) return {"● live", good()};
  if (all == ProcessState::ended) return {"ended", ftxui::bold};
  return {"■ died", tint(Severity::critical)};
}

// What the monitor itself costs and misses: always in sight.
std::vector<Part> cost_parts(const Snapshot& snapshot) {
  std::vector<Part> parts{{"overhead " + format_percent(snapshot.overhead_fraction)}};
  const auto loss = [&parts](const char* word, std::uint64_t count) {
    Part part{fmt::format("{} {}", word, format_count(count))};
    if (count > 0) part = {"▲ " + part.text, tint(Severity::warning)};
    parts.push_back(part);
  };
  loss("lost", snapshot.lost);
  if (snapshot.dropped > 0) loss("dropped", snapshot.dropped);
  return parts;
}

int width_of(const std::vector<Part>& parts) {
  int width = 0;
  for (const Part& part : parts) width += tui::width_of(part.text) + 2;
  return std::max(0, width - 2);
}

Element header(const Scene& scene, const UiState& state) {
  std::vector<Part> right{state_part(scene, state)};
  for (Part& part : cost_parts(*scene.snapshot)) right.push_back(std::move(part));
  const auto costs = static_cast<std::ptrdiff_t>(right.size()) - 1;
  // Further words, as long as the session's name keeps its room.
  const int name = std::min(tui::width_of(scene.session), 24) + 2;
  const std::string wide[] = {
      window_words(state.window),
      fmt::format("every {}", fmt::format("{:g} s", static_cast<double>(state.interval_ns) / 1e9))};
  for (const std::string& words : wide) {
    const bool says = &words == &wide[0] || !state.recording;
    if (says && width_of(right) + tui::width_of(words) + 2 + name + 13 <= state.width)
      right.insert(right.end() - costs, Part{words, ftxui::dim});
  }
  const int room = state.width - width_of(right) - 2;
  std::vector<Part> left;
  if (room >= name + 11) left.push_back({"peerscope", ftxui::bold});
  left.push_back({cut(scene.session, room - (left.empty() ? 0 : 11)), ftxui::bold});
  return ftxui::hbox({line_of(left, room), ftxui::filler(), line_of(right, state.width)});
}

Element tabs(const UiState& state, Hits& hits) {
  int whole = 0;
  for (std::size_t i = 0; i < kPages; ++i) whole += 4 + tui::width_of(title(static_cast<Page>(i)));
  const bool words = whole <= state.width + 1;
  Elements parts;
  int x = 0;
  hits.tabs_y = 1;
  for (int i = 0; i < static_cast<int>(kPages); ++i) {
    const auto page = static_cast<Page>(i);
    const bool here = page == state.page;
    const std::string text =
        words || here ? fmt::format(" {} {} ", i + 1, title(page)) : fmt::format(" {} ", i + 1);
    parts.push_back(ftxui::text(text) | (here ? ftxui::inverted : ftxui::dim));
    hits.tabs.push_back({x, x + tui::width_of(text), i, false});
    x += tui::width_of(text);
  }
  return ftxui::hbox(std::move(parts));
}

Element footer(const UiState& state) {
  if (state.typing_filter)
    return line_of({{"filter: " + state.filter + "▏", ftxui::bold},
                    {"Enter keeps it", ftxui::dim},
                    {"Esc clears it", ftxui::dim}},
                   state.width);
  if (!state.message.empty()) return ftxui::text(cut(state.message, state.width)) | ftxui::bold;
  std::vector<Part> parts;
  if (!state.filter.empty())
    parts.push_back({"filter: " + state.filter + " (Esc clears)", ftxui::bold});
  for (const char* words : {"q quit", "? help", "Enter details", "/ filter", "s sort", "w window",
                            "p pause", "e export", "+/- interval", "1-7 pages"})
    parts.push_back({words, ftxui::dim});
  return line_of(parts, state.width);
}

const char* row_title(Page page) {
  constexpr const char* kTitles[] = {"finding", "operation",          "rank",   "pair",
                                     "GPU",     "in flight or event", "process"};
  return kTitles[static_cast<int>(page)];
}

Elements body(const Scene& scene, const History& history, const Table& table, const UiState& state,
              const TableArea& area, Hits& hits) {
  if (state.page == Page::overview) return draw_overview(scene, history, table, state, area, hits);
  if (state.page == Page::pairs) return draw_pairs(scene, table, state, area, hits);
  return draw_table(table, state, area, hits);
}

Element with_overlay(Element page, const Table& table, const UiState& state, Hits& hits,
                     int height) {
  const int width = state.width <= 82 ? state.width : 78;
  const int row = selected_row(state, hits.keys);
  if (!state.help && (!state.details || row < 0)) return page;
  const Elements lines =
      state.help ? help_lines(width - 2)
                 : detail_lines(table, table.rows[static_cast<std::size_t>(row)], width - 2);
  hits.most_scroll = std::max(0, static_cast<int>(lines.size()) - overlay_rows(height));
  const char* heading = state.help ? "keys" : row_title(state.page);
  return ftxui::dbox({page, overlay(heading, lines, state.scroll, width, height)});
}

}  // namespace

Drawn view(const Scene& scene, const History& history, const UiState& state) {
  Drawn drawn;
  const Table table = table_of(scene, history, state);
  for (const Row& row : table.rows) drawn.hits.keys.push_back(row.key);
  const int height = std::max(0, state.height - 3);
  const TableArea area{0, 2, state.width, height};
  Elements lines = body(scene, history, table, state, area, drawn.hits);
  Element page = with_overlay(ftxui::vbox(std::move(lines)), table, state, drawn.hits, height);
  drawn.element =
      ftxui::vbox({header(scene, state), tabs(state, drawn.hits),
                   page | ftxui::size(ftxui::HEIGHT, ftxui::EQUAL, height), footer(state)});
  return drawn;
}

}  // namespace peerscope::tui
