// Whether a rank's device waits for its host: what lies between two of its asynchronous operations.
#pragma once

#include <algorithm>
#include <cstdint>

#include "analyze/sliding_window.hpp"
#include "model/op.hpp"

namespace peerscope {

struct LaunchTally {
  std::uint64_t count = 0;       // asynchronous operations with both intervals
  std::uint64_t busy_ns = 0;     // on the device
  std::uint64_t idle_ns = 0;     // the device, between two of them
  std::uint64_t launch_ns = 0;   // of idle_ns: while the host was enqueueing the next
  std::uint64_t enqueue_ns = 0;  // the host's, together

  void clear() { *this = LaunchTally(); }
  void merge(const LaunchTally& other) {
    count += other.count;
    busy_ns += other.busy_ns;
    idle_ns += other.idle_ns;
    launch_ns += other.launch_ns;
    enqueue_ns += other.enqueue_ns;
  }
};

struct LaunchTrack {
  std::int64_t device_end_ns = INT64_MIN;  // of all before
  SlidingWindow<LaunchTally> window;

  void add(const Op& op, std::int64_t slot) {
    const std::int64_t begin_ns = op.device_begin_ns;
    if (begin_ns < 0 || op.begin_ns < 0 || op.device_duration_ns > INT64_MAX - begin_ns) return;
    const std::int64_t end_ns = begin_ns + op.device_duration_ns;
    LaunchTally one{1, static_cast<std::uint64_t>(op.device_duration_ns), 0, 0,
                    static_cast<std::uint64_t>(op.host_duration_ns)};
    if (device_end_ns >= 0 && begin_ns > device_end_ns) {
      one.idle_ns = static_cast<std::uint64_t>(begin_ns - device_end_ns);
      const std::int64_t from_ns = std::max(device_end_ns, op.begin_ns);
      const std::int64_t to_ns = op.host_duration_ns > begin_ns - std::min(op.begin_ns, begin_ns)
                                     ? begin_ns
                                     : op.begin_ns + op.host_duration_ns;
      if (to_ns > from_ns) one.launch_ns = static_cast<std::uint64_t>(to_ns - from_ns);
    }
    device_end_ns = std::max(device_end_ns, end_ns);
    window.at(slot, [&one](LaunchTally& tally) { tally.merge(one); });
  }
};

}  // namespace peerscope
