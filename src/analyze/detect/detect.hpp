// Findings from a snapshot. A detector is a pure function in a file of its own; detectors.cpp lists
// them all.
#pragma once

#include <cstdint>
#include <vector>

#include "analyze/snapshot.hpp"
#include "model/finding.hpp"

namespace peerscope {

struct DetectOptions {
  // straggler
  std::uint64_t straggler_min_collectives = 30;
  double straggler_min_lateness_ns = 20'000;  // below this it is scheduling, not a straggler
  double straggler_noise_ratio = 3.0;  // median lateness over spread (half the quartiles' distance)
  double straggler_min_last_share =
      0.35;  // of collectives in which a late rank was the last, 1 % lower bound
  double straggler_min_waiting_share = 0.10;  // of all ranks' communication time
  // hang
  std::int64_t hang_min_age_ns = 1'000'000'000;
  double hang_p999_ratio = 20.0;  // age over the p99.9 of the same kind and size
  // failure_rate, over the last 10 s
  double failure_min_rate = 0.001;
  double failure_critical_rate = 0.05;
  // low_bandwidth_pair
  double pair_max_ratio = 0.6;            // of the median of the other pairs
  std::uint64_t pair_min_samples = 100;   // per pair
  std::uint64_t pair_min_bytes = 65'536;  // smaller messages measure latency, not bandwidth
  // slow_operation: the last 10 s against the past
  std::uint64_t slow_min_samples = 1'000;
  double slow_tail_ratio = 5.0;  // p99/p50 now over p99/p50 in the past
  double slow_min_tail = 20.0;   // p99/p50 now
  // latency_bound
  double latency_min_rate_per_s = 1'000;  // operations of one rank
  std::uint64_t latency_max_bytes = 65'536;
  double latency_min_time_share = 0.3;  // of all host time in communication
  double latency_flat_ratio = 1.5;  // median time of a four times larger message over this one's
  // records_lost, overhead
  double lost_warning_share = 0.001;  // below: info
  double overhead_budget = 0.01;
};

using Detector = void (*)(const Snapshot&, const DetectOptions&, std::vector<Finding>&);

// All detectors' findings, the most severe first, then by impact.
std::vector<Finding> detect(const Snapshot& snapshot, const DetectOptions& options = {});
void order(std::vector<Finding>& findings);

}  // namespace peerscope
