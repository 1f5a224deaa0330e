// The device waits for its host: between asynchronous operations it is idle while the next is being
// enqueued.
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {

void detect_host_bound(const Snapshot& snapshot, const DetectOptions& options,
                       std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  for (const RankRow& rank : snapshot.aggregates->ranks) {
    const LaunchStats& recent = rank.launches.in(Window::ten_seconds);
    if (recent.count < options.host_bound.min_operations) continue;
    const double all_ns = recent.busy_device_ns + recent.launch_idle_ns;
    if (all_ns <= 0) continue;
    const double share = recent.launch_idle_ns / all_ns;
    if (share < options.host_bound.min_idle_share) continue;
    const auto count = static_cast<double>(recent.count);
    Finding finding;
    finding.kind = "host_bound";
    finding.severity = Severity::info;
    finding.subject.rank = rank.rank;
    finding.subject.communicator = communicator_name(snapshot, rank.comm);
    finding.sentence = fmt::format(
        "Rank {}'s device waits for its host: an operation takes {} on the device, and before it "
        "the device is idle for {} while it is being enqueued (means, last 10 s).",
        rank.rank, format_duration(recent.busy_device_ns / count),
        format_duration(recent.launch_idle_ns / count));
    finding.action =
        "Capture the step in a CUDA graph, or enqueue ahead: then the device need not wait";
    finding.confidence = 0.8;
    finding.impact = std::clamp(share, 0.0, 1.0);
    finding.evidence = {{"launch_idle_share", share},
                        {"busy_mean_device_ns", recent.busy_device_ns / count},
                        {"launch_idle_mean_device_ns", recent.launch_idle_ns / count},
                        {"enqueue_mean_host_ns", recent.enqueue_host_ns / count},
                        {"operations", count},
                        {"predicted_gain_us", recent.launch_idle_ns / count / 1e3},
                        {"predicted_gain_percent", 100.0 * share}};
    out.push_back(std::move(finding));
  }
}

}  // namespace peerscope
