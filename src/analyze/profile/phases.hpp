// Where the mix of sizes and the rate change: slices of time, cut into stretches that are alike.
//
// The stretches minimise the squared distance of each slice's (mean size, rate), in octaves, from its stretch's mean, plus a
// price for each further stretch (optimal partitioning; Jackson et al. 2005). Stretches that are alike are one kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "analyze/profile/report.hpp"
#include "model/op.hpp"

namespace peerscope {

class TimeSlices {
 public:
  static constexpr std::size_t kMost = 512;
  static constexpr std::int64_t kFirstNs =
      1 << 20;  // about a millisecond; doubles when there are too many

  void add(const Op& op);
  [[nodiscard]] std::vector<TimeSlice> slices() const;  // by time
  [[nodiscard]] std::int64_t width_ns() const { return width_ns_; }
  static constexpr std::size_t memory_bound_bytes() { return 2 * kMost * 96; }

 private:
  void widen();
  std::unordered_map<std::int64_t, TimeSlice> by_number_;
  std::int64_t width_ns_ = kFirstNs, last_number_ = INT64_MIN;
  TimeSlice* last_ = nullptr;
};

PhaseReport find_phases(std::vector<TimeSlice> slices, std::int64_t width_ns);

}  // namespace peerscope
