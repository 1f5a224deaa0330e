// An operation whose tail has grown against its own past, while its median stayed: stalls, not
// load.
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

double tail(const Distribution& times) {
  return times.known() && times.p50_ns > 0.0 ? times.p99_ns / times.p50_ns : kUnknown;
}

}  // namespace

void detect_slow_operation(const Snapshot& snapshot, const DetectOptions& options,
                           std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    const OperationStats& now_stats = row.windows.in(Window::ten_seconds);
    const OperationStats& all_stats = row.windows.in(Window::all);
    const bool on_device = now_stats.device.known() && all_stats.device.known();
    const Distribution& now = on_device ? now_stats.device : now_stats.host;
    const Distribution& past =
        on_device ? all_stats.device : all_stats.host;  // holds the present, too
    if (row.other || now.count < options.slow.min_samples || past.count < 4 * now.count) continue;
    const double tail_now = tail(now), tail_past = tail(past);
    if (tail_past <= 0.0 || tail_now < options.slow.min_tail) continue;
    if (tail_now < options.slow.tail_ratio * tail_past || now.p99_ns < 2.0 * past.p99_ns) continue;
    const char* clock = on_device ? "device" : "host";
    Finding finding;
    finding.kind = "slow_operation";
    finding.subject.operation = std::string(name(row.kind));
    finding.sentence = fmt::format(
        "1 % of {} took over {} {} in the last 10 s, {} since start; the median is {} {}.",
        operation_name(row.kind, row.size_class), format_duration(now.p99_ns), clock,
        format_duration(past.p99_ns), format_duration(now.p50_ns), clock);
    finding.action =
        "Look for what else began then on these hosts or links; figures: peerscope report";
    finding.confidence = 0.8;
    // What the slowest percent costs beyond the median, of all that the operation costs.
    finding.impact =
        std::clamp(0.01 * (now.p99_ns - now.p50_ns) / std::max(1.0, now.mean_ns), 0.0, 1.0);
    const std::string unit = fmt::format("_{}_ns", clock);
    finding.evidence = {{"p99" + unit, now.p99_ns},
                        {"p50" + unit, now.p50_ns},
                        {"p99_past" + unit, past.p99_ns},
                        {"p50_past" + unit, past.p50_ns},
                        {"operations", static_cast<double>(now.count)}};
    out.push_back(std::move(finding));
  }
}

}  // namespace peerscope
