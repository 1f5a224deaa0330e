// How much of the time in communication was covered by computing, or by other communication: a sweep over intervals that
// come roughly in order, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "analyze/profile/report.hpp"
#include "model/op.hpp"

namespace peerscope {

// The intervals of one device, or of one rank by the host's clock.
class OverlapLane {
 public:
  static constexpr std::size_t kHeld = 8192;  // intervals that wait to be put in order

  void add(std::int64_t begin_ns, std::int64_t duration_ns, bool compute);
  void flush() { sweep(INT64_MAX); }

  // Sums over what was swept, in ns.
  double communication_ns = 0, covered_ns = 0, concurrent_ns = 0, compute_ns = 0;
  std::uint64_t late = 0;

 private:
  struct Interval {
    std::int64_t begin_ns, end_ns;
    bool compute;
  };
  void sweep(std::int64_t until_ns);

  std::vector<Interval> held_;
  std::int64_t swept_ns_ = INT64_MIN;
};

class OverlapMeter {
 public:
  static constexpr std::size_t kMaxLanes = 1024;

  void add(const Op& op);
  [[nodiscard]] OverlapStats stats();
  [[nodiscard]] std::size_t memory_bytes() const;
  static constexpr std::size_t memory_bound_bytes() {
    return 2 * kMaxLanes * (OverlapLane::kHeld * 24 * 2 + sizeof(OverlapLane));
  }

 private:
  struct Lanes {
    std::map<std::uint64_t, OverlapLane> all;
    std::uint64_t last_key = 0;
    OverlapLane* last = nullptr;
  };
  static OverlapLane* lane(Lanes& lanes, std::uint64_t key);

  Lanes device_, host_;  // by process and device; by process and rank
  std::uint64_t device_compute_ = 0, async_ = 0, sync_ = 0;
};

}  // namespace peerscope
