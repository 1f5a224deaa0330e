#include "tui/pages.hpp"

#include <algorithm>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope::tui {
namespace {

constexpr std::size_t kTrend = 12;  // columns of a sparkline in a table

Cell rate_cell(double per_s) { return unless_negative(per_s, format_rate); }
Cell duration_cell(double ns) { return unless_negative(ns, format_duration); }
Cell signed_duration(double ns) { return figure(ns, format_duration(ns)); }
Cell share_cell(double share) { return unless_negative(share, format_percent); }
Cell bandwidth_cell(double bytes_per_s) {
  return bytes_per_s > 0 ? figure(bytes_per_s, format_bandwidth(bytes_per_s)) : Cell{};
}
Cell trend(const History& history, const std::string& key) {
  return words(sparkline(history.of(key), kTrend));
}

// Of asynchronous operations the host knows the enqueue only: theirs is the device's time, or none.
struct Times {
  const Distribution* whole = nullptr;  // null: unknown
  double transfer_ns = kUnknown, wait_ns = kUnknown;
  std::string clock;
};
Times times_of(const OperationStats& s) {
  Times t;
  t.wait_ns = s.device_wait.known() ? s.device_wait.p50_ns : s.skew.p50_ns;
  if (s.device.known()) {
    t = {&s.device, s.device_transfer.p50_ns, t.wait_ns, "device"};
  } else if (s.bandwidth_clock == Clock::host || s.transfer.known()) {
    t = {&s.host, s.transfer.p50_ns, t.wait_ns, "host"};
  }
  return t;
}

Row operation_row(const OperationRow& row, const History& history, Window window) {
  const OperationStats& s = row.windows.in(window);
  const Times t = times_of(s);
  const std::uint64_t size = size_class_top(row.size_class);
  const auto quantile = [&](double Distribution::* which) {
    return t.whole != nullptr ? duration_cell(t.whole->*which) : Cell{};
  };
  Row out{
      key_of(row),
      {words(row.other ? "other" : std::string(name(row.kind))),
       row.other ? Cell{} : figure(static_cast<double>(size), format_bytes(size)),
       row.algorithm == Algorithm::unknown ? Cell{} : words(std::string(name(row.algorithm))),
       rate_cell(s.operations_per_s()), count_cell(s.count), quantile(&Distribution::p50_ns),
       quantile(&Distribution::p99_ns), quantile(&Distribution::p999_ns),
       duration_cell(t.transfer_ns), duration_cell(t.wait_ns), bandwidth_cell(s.busbw_bytes_per_s),
       words(t.clock), count_cell(s.errors), trend(history, key_of(row))}};
  if (s.errors > 0) out.mark = Severity::warning;
  return out;
}

Row rank_row(const Snapshot& snapshot, const RankRow& row, const History& history, Window window) {
  const RankStats& s = row.windows.in(window);
  const bool joined = s.collectives > 0, late = s.lateness_samples > 0;
  const double waits = s.communication_ns > 0 ? s.wait_ns / s.communication_ns : kUnknown;
  Row out{key_of(row),
          {figure(row.rank, fmt::format("{}", row.rank)),
           words(communicator_name(snapshot, row.comm)), rate_cell(s.operations_per_s()),
           count_cell(s.collectives), late ? signed_duration(s.lateness_p50_ns) : Cell{},
           late ? signed_duration(s.lateness_p99_ns) : Cell{},
           joined ? share_cell(s.last_share()) : Cell{}, share_cell(waits),
           joined ? share_cell(s.waiting_share) : Cell{}, count_cell(s.errors),
           row.late_since_ns == kUnknownNs
               ? Cell{}
               : figure(static_cast<double>(row.late_since_ns),
                        time_of_day(row.late_since_ns + snapshot.real_offset_ns)),
           trend(history, key_of(row))}};
  for (const Finding& finding : snapshot.findings) {
    if (finding.subject.rank == row.rank && finding.severity != Severity::info) {
      out.mark = std::max(out.mark.value_or(Severity::info), finding.severity);
      out.notes.push_back(finding.sentence);
    }
  }
  return out;
}

Row pair_row(const Snapshot& snapshot, const PairRow& row, const History& history, Window window) {
  const Traffic& t = row.windows.in(window);
  return {
      key_of(row),
      {figure(row.from, fmt::format("{}", row.from)), figure(row.to, fmt::format("{}", row.to)),
       words(communicator_name(snapshot, row.comm)), rate_cell(t.operations_per_s()),
       bandwidth_cell(t.bytes_per_s()), figure(static_cast<double>(t.bytes), format_bytes(t.bytes)),
       words(std::string(name(row.kind))), duration_cell(row.p50_ns),
       bandwidth_cell(row.bandwidth_bytes_per_s),
       row.clock == Clock::none ? Cell{} : words(name(row.clock)), count_cell(t.errors),
       trend(history, key_of(row))}};
}

}  // namespace

std::string time_of_day(std::int64_t real_ns) {
  const std::time_t seconds = real_ns / 1'000'000'000;
  return fmt::format("{:%H:%M:%S}", fmt::localtime(seconds));
}

std::string sparkline(const std::vector<double>& values, std::size_t width) {
  constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t shown = std::min(width, values.size());
  const double most =
      shown > 0 ? *std::max_element(values.end() - static_cast<std::ptrdiff_t>(shown), values.end())
                : kUnknown;
  const auto known = std::count_if(values.begin(), values.end(), [](double v) { return v >= 0; });
  if (most < 0 || known < 2) return "";
  std::string out;
  for (std::size_t i = values.size() - shown; i < values.size(); ++i) {
    const double share = most > 0 ? values[i] / most : 0;
    out += values[i] < 0 ? " " : kBars[std::clamp(static_cast<int>(share * 7.999), 0, 7)];
  }
  return out;
}

Table operations_table(const Scene& scene, const History& history, Window window) {
  Table table{{{"operation", "operation", true, 0},
               {"size_bytes", "size", false, 0},
               {"algorithm", "algorithm", true, 8},
               {"operations_per_s", "rate", false, 4},
               {"count", "count", false, 7},
               {"p50_ns", "p50", false, 1},
               {"p99_ns", "p99", false, 1},
               {"p999_ns", "p99.9", false, 10},
               {"transfer_p50_ns", "transfer", false, 6},
               {"wait_p50_ns", "wait", false, 3},
               {"busbw_bytes_per_s", "busbw", false, 2},
               {"clock", "clock", true, 9},
               {"errors", "errors", false, 5},
               {"trend", "rate, lately", true, 11}},
              {},
              "No operation was recorded yet. Is the program recording? See the level on page 7."};
  if (!scene.snapshot->aggregates) return table;
  for (const OperationRow& row : scene.snapshot->aggregates->operations) {
    if (row.windows.in(Window::all).count > 0)
      table.rows.push_back(operation_row(row, history, window));
  }
  return table;
}

Table ranks_table(const Scene& scene, const History& history, Window window) {
  Table table{{{"rank", "rank", false, 0},
               {"communicator", "communicator", true, 6},
               {"operations_per_s", "rate", false, 5},
               {"collectives", "collectives", false, 8},
               {"lateness_p50_ns", "late p50", false, 0},
               {"lateness_p99_ns", "late p99", false, 3},
               {"last_share", "came last", false, 1},
               {"waits_share", "waits", false, 2},
               {"waited_for_share", "is waited for", false, 4},
               {"errors", "errors", false, 2},
               {"late_since_ns", "late since", false, 9},
               {"trend", "rate, lately", true, 10}},
              {},
              "No rank is known: ranks appear with the first operation of a communicator."};
  if (!scene.snapshot->aggregates) return table;
  for (const RankRow& row : scene.snapshot->aggregates->ranks)
    table.rows.push_back(rank_row(*scene.snapshot, row, history, window));
  return table;
}

Table pairs_table(const Scene& scene, const History& history, Window window) {
  Table table{{{"from", "from", false, 0},
               {"to", "to", false, 0},
               {"communicator", "communicator", true, 6},
               {"operations_per_s", "rate", false, 5},
               {"bytes_per_s", "moved", false, 1},
               {"bytes", "bytes", false, 4},
               {"operation", "operation", true, 7},
               {"p50_ns", "p50", false, 3},
               {"bandwidth_bytes_per_s", "bandwidth", false, 2},
               {"clock", "clock", true, 9},
               {"errors", "errors", false, 8},
               {"trend", "moved, lately", true, 10}},
              {},
              "No transfer from one rank to another was recorded. Collectives are on page 2; what "
              "they move between ranks is seen where the backend records its transfers."};
  if (!scene.snapshot->aggregates) return table;
  for (const PairRow& row : scene.snapshot->aggregates->pairs)
    table.rows.push_back(pair_row(*scene.snapshot, row, history, window));
  return table;
}

Table table_of(const Scene& scene, const History& history, const UiState& state) {
  Table table;
  switch (state.page) {
    case Page::overview:
      table = findings_table(scene);
      break;
    case Page::operations:
      table = operations_table(scene, history, state.window);
      break;
    case Page::ranks:
      table = ranks_table(scene, history, state.window);
      break;
    case Page::pairs:
      table = pairs_table(scene, history, state.window);
      break;
    case Page::devices:
      table = devices_table(scene);
      break;
    case Page::events:
      table = events_table(scene);
      break;
    case Page::processes:
      table = processes_table(scene);
      break;
  }
  filter_rows(table, state.filter);
  sort_rows(table, state.here().sort, state.here().descending);
  return table;
}

}  // namespace peerscope::tui
