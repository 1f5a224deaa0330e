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

// An octave and its eighth are the exponent and the first three bits of the number as a double, which holds it exactly:
// on AMD's processors that costs a fraction of looking for the highest bit (bsr).
constexpr std::size_t duration_bucket(std::uint64_t ns) {
  ns = std::min(ns, kLargestDuration);
  const auto bits =
      std::bit_cast<std::uint64_t>(static_cast<double>(static_cast<std::int64_t>(ns)));
  return static_cast<std::size_t>(ns < 16 ? ns : (bits >> 49) - 8 * (1023 + 2));
}

// The bucket's middle, rounded down.
constexpr std::uint64_t duration_bucket_middle(std::size_t bucket) {
  const std::size_t shift = bucket < 16 ? 0 : (bucket >> 3) - 1;
  const std::uint64_t low = static_cast<std::uint64_t>(bucket - (shift << 3)) << shift;
  return low + ((std::uint64_t{1} << shift) - 1) / 2;
}

}  // namespace peerscope
