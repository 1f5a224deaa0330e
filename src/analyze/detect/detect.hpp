// Findings from a snapshot. A detector is a pure function in a file of its own; detectors.cpp lists
// them all.
#pragma once

#include <cstdint>
#include <vector>

#include "analyze/snapshot.hpp"
#include "model/finding.hpp"

namespace peerscope {

// From where on something is a finding, by detector. Each is a key of the configuration: detect.*
// (src/session/detect_settings.cpp).
struct DetectOptions {
  struct Straggler {
    std::uint64_t min_collectives = 30;
    double min_lateness_ns = 20'000;  // below this it is scheduling, not a straggler
    double noise_ratio = 3.0;         // median lateness over spread (half the quartiles' distance)
    double min_last_share =
        0.35;  // of collectives in which a late rank was the last, 1 % lower bound
    double min_waiting_share = 0.10;  // of all ranks' communication time
    bool operator==(const Straggler&) const = default;
  } straggler;
  struct Skew {  // arrival_skew
    std::uint64_t min_collectives = 100;
    double min_skew_ns = 200'000;    // median, first to last arrival
    double transfer_ratio = 3.0;     // median skew over median transfer
    double min_waiting_share = 0.5;  // of all ranks' communication time
    double min_time_share = 0.2;     // of all time
    bool operator==(const Skew&) const = default;
  } skew;
  struct Hang {
    std::int64_t min_age_ns = 500'000'000;
    std::int64_t first_age_ns =
        2'000'000'000;               // of what has no history: programs take a while to start
    std::uint64_t min_history = 20;  // operations of a kind and size that make one
    double p999_ratio = 20.0;        // age over the p99.9 of the same kind and size
    bool operator==(const Hang&) const = default;
  } hang;
  struct Failure {  // failure_rate, over the last 10 s
    double min_rate = 0.001;
    double critical_rate = 0.05;
    double retry_share = 0.8;  // retries: of failures after which the same ended well
    bool operator==(const Failure&) const = default;
  } failure;
  struct Pair {                            // low_bandwidth_pair, slow_link: against the other pairs
    double max_ratio = 0.6;                // of the median of the other pairs
    std::uint64_t min_samples = 100;       // per pair
    std::uint64_t min_bytes = 65'536;      // smaller messages measure latency, not bandwidth
    double min_path_share = 0.3;           // of what the path between two devices can do
    std::uint64_t path_bytes = 4'194'304;  // from this size on a path is judged by that
    bool operator==(const Pair&) const = default;
  } pair;
  struct Link {                    // slow_link, contention, flapping_link: against the past
    double min_slowdown = 1.4;     // median time now over before
    double min_z = 3.5;            // of the rank test between before and after
    std::uint64_t min_points = 8;  // stretches of 0.125 s after the change
    std::uint64_t min_flaps = 3;   // times that a pair became slow and recovered
    double port_share = 0.75;      // of a device's pairs that have to be slow for its port to be
    double foreign_ratio = 1.5;    // bytes counted on a link over what ours explains, of contention
    std::uint64_t min_error_bursts = 2;  // rises of error counters with calm between them
    bool operator==(const Link&) const = default;
  } link;
  struct Slow {  // slow_operation: the last 10 s against the past
    std::uint64_t min_samples = 1'000;
    double tail_ratio = 5.0;  // p99/p50 now over p99/p50 in the past
    double min_tail = 20.0;   // p99/p50 now
    bool operator==(const Slow&) const = default;
  } slow;
  struct Latency {                  // latency_bound
    double min_rate_per_s = 1'000;  // operations of one rank
    std::uint64_t max_bytes = 65'536;
    double min_time_share = 0.3;  // of all host time in communication
    double flat_ratio = 1.5;      // median time of a four times larger message over this one's
    bool operator==(const Latency&) const = default;
  } latency;
  struct Choice {                    // wrong_algorithm
    std::uint64_t min_samples = 12;  // of each algorithm
    double min_gain = 0.2;           // of the time that the one in use takes
    double min_time_share = 0.01;    // of all host time in communication
    double model_min_gain = 0.3;     // where only the model says so
    bool operator==(const Choice&) const = default;
  } choice;
  struct HostBound {
    std::uint64_t min_operations = 500;
    double min_idle_share = 0.5;  // of device time, idle while the host enqueues the next
    bool operator==(const HostBound&) const = default;
  } host_bound;
  struct Imbalance {          // pair_imbalance, over the last 10 s
    double min_ratio = 4.0;   // bytes of the pair over the median of the others
    double min_share = 0.25;  // of the communicator's bytes between pairs
    std::uint64_t min_pairs = 4;
    std::uint64_t min_bytes = 67'108'864;
    bool operator==(const Imbalance&) const = default;
  } imbalance;
  struct Pool {  // pool_pressure
    double warning_share = 0.9;
    double critical_share = 0.98;
    bool operator==(const Pool&) const = default;
  } pool;
  struct Change {                   // step_change, drift
    double min_slowdown = 1.25;     // median time after over before
    double min_z = 4.0;             // of the rank test between before and after
    std::uint64_t min_points = 8;   // stretches of 0.125 s after a step
    std::uint64_t min_before = 12;  // and before it
    double min_time_ns = 2'000;     // slower by at least this
    double drift_min_growth = 0.2;  // over what is remembered
    double drift_min_z = 5.0;       // of the test for a trend (Mann and Kendall's)
    double min_time_share = 0.02;   // of all host time in communication
    bool operator==(const Change&) const = default;
  } change;
  // records_lost, overhead
  double lost_warning_share = 0.001;  // below: info
  double overhead_budget = 0.01;
  bool operator==(const DetectOptions&) const = default;
};

using Detector = void (*)(const Snapshot&, const DetectOptions&, std::vector<Finding>&);

// All detectors' findings, the most severe first, then by impact.
std::vector<Finding> detect(const Snapshot& snapshot, const DetectOptions& options = {});
void order(std::vector<Finding>& findings);

}  // namespace peerscope
