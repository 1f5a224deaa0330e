// What the rows of a table add up.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "analyze/aggregates.hpp"
#include "store/slots.hpp"

namespace peerscope {

// Durations by bucket.
class DurationSums {
 public:
  void add(std::uint64_t ns);
  void add(std::span<const std::uint32_t> packed, const TimeSums& sums);
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t sum_ns() const { return sums_.sum_ns; }
  // As Histogram's; kUnknown if empty.
  [[nodiscard]] double quantile(double p) const;
  [[nodiscard]] Distribution distribution() const;
  void clear();

 private:
  using Buckets = std::array<std::uint64_t, kDurationBuckets>;
  std::uint64_t count_ = 0;
  std::size_t first_ = kDurationBuckets, last_ = 0;  // buckets that hold something
  TimeSums sums_;
  std::unique_ptr<Buckets> buckets_;  // made by the first value: device times are rare
};

struct RowSums {
  Counts counts;
  DurationSums host, device;
  void add(const SlotCell& cell, bool error, std::span<const std::uint32_t> host_buckets,
           std::span<const std::uint32_t> device_buckets, const TimeSums* device_sums);
  [[nodiscard]] bool empty() const {
    return counts.count == 0 && host.count() == 0 && device.count() == 0;
  }
  void clear();
};

// Of the values themselves, exactly; they are put in another order.
Distribution distribution_of(std::vector<std::uint64_t>& values);

}  // namespace peerscope
