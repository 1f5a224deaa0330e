// Log-linear buckets of durations: 8 an octave from 0 to 2^40 ns (18 minutes).
//
// Below 16 ns buckets are exact; above, a bucket is at most 1/8 of its lower edge wide. Larger
// values fall into the last bucket. Histograms in memory and in trace files share them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace peerscope {

inline constexpr std::size_t kDurationBuckets = 304;
inline constexpr std::uint64_t kLargestDuration = (std::uint64_t{1} << 40) - 1;

constexpr std::size_t duration_bucket(std::uint64_t ns) {
  ns = std::min(ns, kLargestDuration);
  const int shift = static_cast<int>(std::bit_width(ns | 8)) - 4;
  return (static_cast<std::size_t>(shift) << 3) + static_cast<std::size_t>(ns >> shift);
}

// The bucket's middle, rounded down.
constexpr std::uint64_t duration_bucket_middle(std::size_t bucket) {
  const std::size_t shift = bucket < 16 ? 0 : (bucket >> 3) - 1;
  const std::uint64_t low = static_cast<std::uint64_t>(bucket - (shift << 3)) << shift;
  return low + ((std::uint64_t{1} << shift) - 1) / 2;
}

}  // namespace peerscope
