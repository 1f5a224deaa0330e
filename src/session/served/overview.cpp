#include "session/served/overview.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.hpp"

namespace peerscope {
namespace {

double mean_ns(const OperationStats& stats) {
  return stats.mean_device_ns >= 0 ? stats.mean_device_ns : stats.mean_host_ns;
}

double cost_ns(const OperationRow& row, Window window) {
  const OperationStats& stats = row.windows.in(window);
  return stats.count > 0 && mean_ns(stats) > 0 ? static_cast<double>(stats.count) * mean_ns(stats)
                                               : 0;
}

const OperationRow* main_row(const Aggregates& aggregates, Window window) {
  const OperationRow* best = nullptr;
  for (const OperationRow& row : aggregates.operations) {
    if (row.other || cost_ns(row, window) <= 0) continue;
    if (best == nullptr || cost_ns(row, window) > cost_ns(*best, window)) best = &row;
  }
  return best;
}

double communication_share(const Aggregates& aggregates, Window window) {
  double inside = 0;
  double all = 0;
  for (const RankRow& row : aggregates.ranks) {
    const RankStats& stats = row.windows.in(window);
    if (stats.span_ns <= 0 || stats.collectives == 0) continue;
    inside += stats.communication_ns;
    all += static_cast<double>(stats.span_ns);
  }
  return all > 0 ? std::min(inside / all, 1.0) : kUnknown;
}

double waiting_share(const Aggregates& aggregates, Window window) {
  double waiting = 0;
  double all = 0;
  for (const CommunicatorRow& row : aggregates.communicators) {
    waiting += row.windows.in(window).waiting_ns;
    all += row.windows.in(window).communication_ns;
  }
  return all > 0 ? waiting / all : kUnknown;
}

std::optional<int> waited_for(const Aggregates& aggregates, Window window) {
  const RankStats* most = nullptr;
  int rank = 0;
  double all = 0;
  for (const RankRow& row : aggregates.ranks) {
    const RankStats& stats = row.windows.in(window);
    all += stats.waited_for_ns;
    if (most != nullptr && stats.waited_for_ns <= most->waited_for_ns) continue;
    most = &stats;
    rank = row.rank;
  }
  constexpr double kMostOfIt = 0.5;
  if (most == nullptr || all <= 0 || most->waited_for_ns < kMostOfIt * all) return std::nullopt;
  return rank;
}

// By the devices' clocks, of the collectives whose times are known on all ranks.
std::optional<TimeSplit> device_split(const Aggregates& aggregates, Window window) {
  double transfer = 0;
  double wait = 0;
  for (const OperationRow& row : aggregates.operations) {
    const OperationStats& stats = row.windows.in(window);
    if (!stats.device_transfer.known() || !stats.device_wait.known()) continue;
    const auto count = static_cast<double>(stats.count);
    transfer += count * stats.device_transfer.mean_ns;
    wait += count * stats.device_wait.mean_ns;
  }
  if (transfer + wait <= 0) return std::nullopt;
  double busy = 0;
  double launching = 0;
  for (const RankRow& row : aggregates.ranks) {
    busy += row.launches.in(window).busy_device_ns;
    launching += row.launches.in(window).launch_idle_ns;
  }
  TimeSplit split;
  split.clock = Clock::device;
  split.launch = busy + launching > 0 ? launching / (busy + launching) : kUnknown;
  const double rest = 1 - std::max(split.launch, 0.0);
  split.transfer = rest * transfer / (transfer + wait);
  split.waiting = rest * wait / (transfer + wait);
  return split;
}

TimeSplit split_of(const Aggregates& aggregates, Window window) {
  TimeSplit split;
  if (const auto device = device_split(aggregates, window)) {
    split = *device;
  } else if (const double waiting = waiting_share(aggregates, window); waiting >= 0) {
    split.clock = Clock::host;
    split.waiting = waiting;
    split.transfer = 1 - waiting;
  }
  split.waiting_for_rank = waited_for(aggregates, window);
  return split;
}

void judge(const Snapshot& snapshot, Overview& out) {
  if (!snapshot.findings.empty()) {
    constexpr HealthLevel kLevels[] = {HealthLevel::info, HealthLevel::warning,
                                       HealthLevel::critical};
    const Finding& worst = snapshot.findings.front();
    out.health = kLevels[static_cast<int>(worst.severity)];
    out.sentence = worst.sentence;
    return;
  }
  const std::uint64_t operations = snapshot.aggregates ? snapshot.aggregates->totals.operations : 0;
  if (operations == 0) {
    out.sentence =
        "Nothing was recorded yet: the processes have not communicated since they started.";
    return;
  }
  out.health = HealthLevel::ok;
  out.sentence =
      fmt::format("All is well: nothing stands out in {} operations.", format_count(operations));
}

}  // namespace

const Distribution& times_of(const OperationStats& stats) {
  return stats.device.known() ? stats.device : stats.host;
}

Overview overview_of(const Snapshot& snapshot, Window window) {
  Overview out;
  judge(snapshot, out);
  if (!snapshot.aggregates) return out;
  const Aggregates& aggregates = *snapshot.aggregates;
  const Traffic& traffic = aggregates.totals.windows.in(window);
  out.operations_per_s = traffic.operations_per_s();
  out.bytes_per_s = traffic.bytes_per_s();
  out.errors_per_s = traffic.per_s(static_cast<double>(traffic.errors));
  out.success_rate = traffic.success_rate();
  out.communication_share = communication_share(aggregates, window);
  out.waiting_share = waiting_share(aggregates, window);
  out.main = main_row(aggregates, window);
  out.split = split_of(aggregates, window);
  return out;
}

Point point_of(const Snapshot& snapshot) {
  constexpr Window kWindow = Window::second;
  const Overview now = overview_of(snapshot, kWindow);
  Point point;
  point.at_ns = snapshot.now_ns;
  point.operations_per_s = std::max(now.operations_per_s, 0.0);
  point.bytes_per_s = std::max(now.bytes_per_s, 0.0);
  point.errors_per_s = std::max(now.errors_per_s, 0.0);
  point.communication_share = now.communication_share;
  point.waiting_share = now.waiting_share;
  if (now.main != nullptr) {
    const OperationStats& stats = now.main->windows.in(kWindow);
    point.busbw_bytes_per_s = stats.busbw_bytes_per_s;
    point.p50_ns = times_of(stats).p50_ns;
    point.p99_ns = times_of(stats).p99_ns;
  }
  return point;
}

}  // namespace peerscope
