// The sums that everything keeps of operations: one cache line. `Track` keeps them over the sliding
// windows.
#pragma once

#include <cstdint>

#include "analyze/aggregates.hpp"
#include "analyze/sliding_window.hpp"

namespace peerscope {

struct Tally {
  std::uint64_t count = 0, bytes = 0, errors = 0;
  std::uint64_t async = 0;               // of count: the host interval is the enqueue only
  std::uint64_t timed = 0, host_ns = 0;  // operations with a known host duration, and their sum
  std::uint64_t device_timed = 0, device_ns = 0;

  [[nodiscard]] bool empty() const { return (count | device_timed) == 0; }
  void clear() { *this = Tally(); }
  void merge(const Tally& other) {
    count += other.count;
    bytes += other.bytes;
    errors += other.errors;
    async += other.async;
    timed += other.timed;
    host_ns += other.host_ns;
    device_timed += other.device_timed;
    device_ns += other.device_ns;
  }
};

using Track = SlidingWindow<Tally>;

inline double mean(std::uint64_t sum, std::uint64_t count) {
  return count > 0 ? static_cast<double>(sum) / static_cast<double>(count) : kUnknown;
}

inline void fill(Traffic& traffic, const Tally& tally, std::int64_t span_ns) {
  traffic.count = tally.count;
  traffic.bytes = tally.bytes;
  traffic.errors = tally.errors;
  traffic.span_ns = span_ns;
  traffic.mean_host_ns = mean(tally.host_ns, tally.timed);
  traffic.mean_device_ns = mean(tally.device_ns, tally.device_timed);
}

}  // namespace peerscope
