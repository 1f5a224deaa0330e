#include "analyze/duration_counts.hpp"

#include <span>

#include "analyze/histogram.hpp"

namespace peerscope {

void DurationCounts::add(const Histogram& values) {
  const std::span<const std::uint32_t, Histogram::kBuckets> buckets = values.buckets();
  const auto sum_of = [&](std::size_t from, std::size_t to) {
    std::uint64_t sum = 0;
    for (std::size_t i = from; i < to; ++i) sum += buckets[i];
    return sum << values.scale();
  };
  std::size_t from = 0;
  for (std::size_t i = 0; i < kDurationBounds; ++i) {
    const std::size_t to = duration_bucket(duration_bound_ns(i) + 1);
    counts[i] += sum_of(from, to);
    from = to;
  }
  counts[kDurationBounds] += sum_of(from, buckets.size());
  sum_ns += values.sum();
}

}  // namespace peerscope
