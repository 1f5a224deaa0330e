// Is it well, and if not, why: without scrolling.
#include <algorithm>

#include <fmt/format.h>

#include "base/units.hpp"
#include "model/size_class.hpp"
#include "tui/screen/parts.hpp"

namespace peerscope::tui {
namespace {

using ftxui::Elements;
using ftxui::text;

// "▲ 1 warning and 2 notes"
std::string count_words(const std::vector<Finding>& findings) {
  constexpr const char* kOne[] = {"note", "warning", "critical"};
  constexpr const char* kMany[] = {"notes", "warnings", "critical"};
  std::string out;
  for (int s = 2; s >= 0; --s) {
    const auto count = std::count_if(findings.begin(), findings.end(), [s](const Finding& f) {
      return static_cast<int>(f.severity) == s;
    });
    if (count == 0) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : " · ", count, count == 1 ? kOne[s] : kMany[s]);
  }
  return out;
}

ftxui::Element verdict_line(const Snapshot& snapshot, int width) {
  const bool any = snapshot.aggregates && snapshot.aggregates->totals.operations > 0;
  if (!snapshot.findings.empty()) {
    Severity worst = Severity::info;
    for (const Finding& finding : snapshot.findings) worst = std::max(worst, finding.severity);
    return line_of({{mark_of(worst), tint(worst)}, {count_words(snapshot.findings), ftxui::bold}},
                   width, " ");
  }
  if (!any)
    return text(cut("– No operation was recorded yet, so there is nothing to judge.", width)) |
           ftxui::dim;
  return line_of(
      {{"●", good()},
       {cut("Nothing stands out: no rank waits for another more than the noise explains.",
            width - 2),
        ftxui::bold}},
      width, " ");
}

// A finding on some lines: its sentence, and what to do. The selected one has its evidence, too.
Elements finding_lines(const Finding& finding, bool selected, bool evidence, int width) {
  Elements lines;
  for (const std::string& words : wrap(finding.sentence, width - 4)) {
    auto mark = lines.empty() ? text(std::string("  ") + mark_of(finding.severity) + " ") |
                                    tint(finding.severity)
                              : text("    ");
    auto sentence = text(words);
    lines.push_back(ftxui::hbox({mark, selected ? sentence | ftxui::inverted : sentence}));
  }
  if (selected && evidence) {
    for (const std::string& words : wrap(evidence_line(finding), width - 4))
      lines.push_back(text("    " + words) | ftxui::dim);
  }
  if (finding.action.empty()) return lines;
  bool first = true;
  for (const std::string& words : wrap(finding.action, width - 6)) {
    lines.push_back(text((first ? "    → " : "      ") + words));
    first = false;
  }
  return lines;
}

const Finding* finding_of(const std::vector<Finding>& findings, const std::string& key) {
  for (std::size_t at = 0; at < findings.size(); ++at) {
    if (finding_key(findings, at) == key) return &findings[at];
  }
  return nullptr;
}

// The first finding to show, of so many lines each: `top`, or as much later as the selected one needs to be whole.
int first_finding(const std::vector<Elements>& all, int top, int selected, int room) {
  int needed = 0, first = selected;
  for (int i = selected; i >= top; --i) {
    needed += static_cast<int>(all[static_cast<std::size_t>(i)].size());
    if (needed > room) break;
    first = i;
  }
  return first;
}

// Adds findings from `top` on for as long as whole ones fit; the selected one is always among them. Returns how many.
int add_findings(const Snapshot& snapshot, const Table& table, const UiState& state, int room,
                 const TableArea& area, Hits& hits, Elements& lines) {
  const int selected = std::max(0, selected_row(state, hits.keys));
  const int rows = static_cast<int>(table.rows.size());
  hits.page_rows = 1;
  if (rows == 0) return 0;
  std::vector<Elements> all;
  for (int i = 0; i < rows; ++i) {
    const Finding* one = finding_of(snapshot.findings, table.rows[static_cast<std::size_t>(i)].key);
    all.push_back(one == nullptr
                      ? Elements{}
                      : finding_lines(*one, i == selected, area.height >= 12, area.width));
  }
  const int top = std::clamp(state.here().top, 0, selected);
  const int first = first_finding(all, top, selected, room - static_cast<int>(lines.size()));
  int shown = 0;
  for (int i = first; i < rows; ++i, ++shown) {
    Elements& one = all[static_cast<std::size_t>(i)];
    if (shown > 0 && static_cast<int>(lines.size() + one.size()) > room) break;
    for (auto& line : one) {
      if (static_cast<int>(lines.size()) >= room) break;
      hits.lines.push_back({area.y + static_cast<int>(lines.size()), i});
      lines.push_back(std::move(line));
    }
  }
  hits.page_rows = shown;
  return shown;
}

// "throughput  1.20 GB/s  max 2.00 GB/s  ▁▂▃": the highest of the bars is that.
ftxui::Element spark_line(const char* what, double now, const std::vector<double>& values,
                          std::string (*words)(double), int width) {
  constexpr int kScaled = 100;  // columns from which on there is room for the scale
  const auto or_dash = [words](double value) {
    return value < 0 ? std::string("–") : words(value);
  };
  const int before = width >= kScaled ? 42 : 26;
  const int room = std::clamp(width - before, 0, static_cast<int>(History::kPoints));
  const std::string bars = sparkline(values, static_cast<std::size_t>(room));
  std::string scale;
  const auto shown = std::min<std::ptrdiff_t>(room, static_cast<std::ptrdiff_t>(values.size()));
  if (width >= kScaled && !bars.empty())
    scale = "max " + words(*std::max_element(values.end() - shown, values.end()));
  return ftxui::hbox({text(fit(fmt::format("  {}", what), 13, true)),
                      text(fit(or_dash(now), 10, false)) | ftxui::bold,
                      text(width >= kScaled ? "  " + fit(scale, 14, true) : "") | ftxui::dim,
                      text("  "), text(bars) | ftxui::color(ftxui::Color::Cyan)});
}

Elements throughput_lines(const Snapshot& snapshot, const History& history, const UiState& state,
                          int width) {
  const Traffic& t = snapshot.aggregates->totals.windows.in(state.window);
  return {spark_line("throughput", t.bytes_per_s(), history.of(kBytesPerSecond), format_bandwidth,
                     width),
          spark_line("operations", t.operations_per_s(), history.of(kOperationsPerSecond),
                     format_rate, width)};
}

struct TimeSplit {
  double transfer_ns = 0, waiting_ns = 0;
  double launch_ns = kUnknown;  // unknown without device times
};
TimeSplit split_of(const Aggregates& all, Window window) {
  TimeSplit split;
  for (const CommunicatorRow& row : all.communicators) {
    const CommunicatorStats& s = row.windows.in(window);
    split.waiting_ns += s.waiting_ns;
    split.transfer_ns += s.communication_ns - s.waiting_ns;
  }
  for (const RankRow& row : all.ranks) {
    const LaunchStats& launch = row.launches.in(window);
    if (launch.count > 0) split.launch_ns = std::max(0.0, split.launch_ns) + launch.launch_idle_ns;
  }
  return split;
}

// "█████▒▒▒░ transfer 54 %  ▒ waiting 38 %  ░ launch 8 %": told apart by pattern, not by colour alone.
Elements split_lines(const Aggregates& all, const UiState& state, int width) {
  const TimeSplit split = split_of(all, state.window);
  const double whole = split.transfer_ns + split.waiting_ns + std::max(0.0, split.launch_ns);
  if (whole <= 0)
    return {text("  where the time goes   –  (no collective was joined in this window)") |
            ftxui::dim};
  struct Share {
    const char* pattern;
    const char* word;
    double ns;
    ftxui::Color colour;
  };
  const Share shares[] = {{"█", "transfer", split.transfer_ns, ftxui::Color::Blue},
                          {"▒", "waiting for others", split.waiting_ns, ftxui::Color::Yellow},
                          {"░", "launch", split.launch_ns, ftxui::Color::Magenta}};
  const int bar = std::clamp(width - 26, 8, 60);
  Elements drawn{text("  where the time goes  ")};
  std::vector<Part> legend{{""}};
  int left = bar;
  for (const Share& share : shares) {
    const bool known = share.ns >= 0;
    const int cells = known ? std::min(left, static_cast<int>(share.ns / whole * bar + 0.5)) : 0;
    left -= cells;
    std::string pattern;
    for (int i = 0; i < cells; ++i) pattern += share.pattern;
    drawn.push_back(text(pattern) | ftxui::color(share.colour));
    legend.push_back({fmt::format("{} {} {}", share.pattern, share.word,
                                  known ? format_percent(share.ns / whole) : "– (no device times)"),
                      ftxui::color(share.colour)});
  }
  if (width < 40) drawn.front() = text("  time  ");
  return {ftxui::hbox(std::move(drawn)), ftxui::hbox({text("  "), line_of(legend, width - 2)})};
}

// The first rows of another page, with its columns.
Elements preview(Table table, const UiState& state, int width, int rows) {
  table.rows.resize(std::min(table.rows.size(), static_cast<std::size_t>(std::max(0, rows))));
  for (Row& row : table.rows) row.notes.clear();
  UiState plain = state;
  plain.here() = {};
  Hits unused;  // no row of it can be selected here
  const int height = static_cast<int>(table.rows.size()) + 1;
  return draw_table(table, plain, {0, 0, width, height}, unused);
}

// Further tables, each if a useful part of it fits.
void add_previews(const Scene& scene, const History& history, const UiState& state, int width,
                  int room, Elements& lines) {
  struct Preview {
    Page page;
    Table table;
    int most;
  };
  const Preview previews[] = {
      {Page::operations, operations_table(scene, history, state.window), std::min(8, room / 2)},
      {Page::ranks, ranks_table(scene, history, state.window), 16},
      {Page::devices, devices_table(scene), 16}};
  for (const auto& [page, table, most] : previews) {
    const int all = static_cast<int>(table.rows.size());
    int rows = std::min({most, all, room - 2});
    if (rows < all) rows = std::min(most, room - 3);  // and a line that says so
    if (rows < std::min(all, 3) || rows < 1) continue;
    lines.push_back(text(""));
    for (auto& line : preview(table, state, width, rows)) lines.push_back(std::move(line));
    room -= rows + 2;
    if (rows == all) continue;
    lines.push_back(
        text(fmt::format("  {} more on page {}", all - rows, static_cast<int>(page) + 1)) |
        ftxui::dim);
    --room;
  }
}

}  // namespace

Elements draw_overview(const Scene& scene, const History& history, const Table& findings,
                       const UiState& state, const TableArea& area, Hits& hits) {
  const Snapshot& snapshot = *scene.snapshot;
  Elements lines, below;
  if (snapshot.aggregates && !snapshot.aggregates->operations.empty()) {
    below = throughput_lines(snapshot, history, state, area.width);
    for (auto& line : split_lines(*snapshot.aggregates, state, area.width))
      below.push_back(std::move(line));
  }
  const int figures = static_cast<int>(below.size()) + (area.height >= 12 ? 1 : 0);
  if (area.height > 0) lines.push_back(verdict_line(snapshot, area.width));
  // Findings first; then the figures; then, of what is left, tables.
  const int operations = area.height >= 16 ? 4 : 0;
  const int room = std::max(std::min(area.height, 5), area.height - figures - operations - 1);
  const int shown = add_findings(snapshot, findings, state, room, area, hits, lines);
  const int hidden = static_cast<int>(findings.rows.size()) - shown;
  if (hidden > 0)
    lines.push_back(text(cut(fmt::format("    {} more: arrow keys", hidden), area.width)) |
                    ftxui::dim);
  if (area.height >= 12) lines.push_back(text(""));
  for (auto& line : below) lines.push_back(std::move(line));
  if (!below.empty())
    add_previews(scene, history, state, area.width, area.height - static_cast<int>(lines.size()),
                 lines);
  lines.resize(static_cast<std::size_t>(std::max(0, area.height)), text(""));
  return lines;
}

}  // namespace peerscope::tui
