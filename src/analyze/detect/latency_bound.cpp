// Many small messages, each as expensive as a much larger one: fewer, larger ones would cost less.
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

struct Cost {
  const Distribution* time = nullptr;
  const char* clock = "host";
};

Cost cost(const OperationStats& stats) {
  if (stats.bandwidth_clock == Clock::device) return {&stats.device, "device"};
  return {stats.bandwidth_clock == Clock::host ? &stats.host : nullptr, "host"};
}

// The same operation, at least four times larger, that takes hardly longer: the proof that size is
// not what costs.
const OperationRow* as_cheap(const Aggregates& aggregates, const OperationRow& row,
                             const DetectOptions& options) {
  const Cost own = cost(row.windows.in(Window::ten_seconds));
  for (const OperationRow& other : aggregates.operations) {
    if (other.other || other.kind != row.kind || other.algorithm != row.algorithm) continue;
    if (other.size_class < row.size_class + 2) continue;
    const Cost theirs = cost(other.windows.in(Window::ten_seconds));
    if (theirs.time == nullptr || theirs.clock != own.clock || theirs.time->count < 100) continue;
    if (theirs.time->p50_ns <= options.latency.flat_ratio * own.time->p50_ns) return &other;
  }
  return nullptr;
}

}  // namespace

void detect_latency_bound(const Snapshot& snapshot, const DetectOptions& options,
                          std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  double total_ns = 0.0;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    const Distribution& host = row.windows.in(Window::ten_seconds).host;
    if (host.known()) total_ns += host.mean_ns * static_cast<double>(host.count);
  }
  if (total_ns <= 0.0) return;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    const OperationStats& stats = row.windows.in(Window::ten_seconds);
    const Cost own = cost(stats);
    if (row.other || own.time == nullptr || !stats.host.known() || own.time->count < 1'000)
      continue;
    if (size_class_top(row.size_class) > options.latency.max_bytes || stats.bytes == 0) continue;
    const double rate = stats.operations_per_s() / std::max<double>(1.0, row.ranks);
    const double share = stats.host.mean_ns * static_cast<double>(stats.host.count) / total_ns;
    if (rate < options.latency.min_rate_per_s || share < options.latency.min_time_share) continue;
    const OperationRow* larger = as_cheap(*snapshot.aggregates, row, options);
    if (larger == nullptr) continue;
    const double larger_ns = cost(larger->windows.in(Window::ten_seconds)).time->p50_ns;
    Finding finding;
    finding.kind = "latency_bound";
    finding.severity = Severity::info;
    finding.subject.operation = std::string(name(row.kind));
    finding.sentence = fmt::format(
        "{} takes {} {}, and {} takes {}: its cost is latency, not bytes, at {} per rank over the "
        "last 10 s.",
        operation_name(row.kind, row.size_class), format_duration(own.time->p50_ns), own.clock,
        operation_name(larger->kind, larger->size_class), format_duration(larger_ns),
        format_rate(rate));
    finding.action =
        "Fuse small messages into fewer, larger ones (bucket them, or all_reduce several tensors "
        "at once)";
    finding.confidence = 0.8;
    finding.impact = std::clamp(share / 2.0, 0.0, 1.0);  // fused in pairs
    finding.evidence = {{fmt::format("p50_{}_ns", own.clock), own.time->p50_ns},
                        {fmt::format("larger_p50_{}_ns", own.clock), larger_ns},
                        {"larger_bytes", static_cast<double>(size_class_top(larger->size_class))},
                        {"operations_per_s", rate},
                        {"time_share", share}};
    // Four of them as one of four times the size.
    const double gain_ns = own.time->p50_ns - larger_ns / 4.0;
    finding.evidence.emplace_back("predicted_gain_us", gain_ns / 1e3);
    finding.evidence.emplace_back("predicted_gain_percent", 100.0 * gain_ns / own.time->p50_ns);
    out.push_back(std::move(finding));
  }
}

}  // namespace peerscope
