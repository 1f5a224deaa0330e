// Durations counted under few fixed bounds: what a reader can add up over sessions and machines, and subtract from one
// look to the next. Counts only rise.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "model/duration_bucket.hpp"

namespace peerscope {

class Histogram;

inline constexpr std::size_t kDurationBounds = 24;  // one an octave, 1 us to 8.6 s
inline constexpr unsigned kFirstDurationBit = 10;

// The longest duration that is counted under bound `i`: 1023 ns, 2047 ns, ... An octave's end less one, so that octaves of
// whole ns are counted exactly.
constexpr std::uint64_t duration_bound_ns(std::size_t i) {
  return (std::uint64_t{1} << (kFirstDurationBit + i)) - 1;
}

struct DurationCounts {
  std::array<std::uint64_t, kDurationBounds + 1> counts{};  // the last: longer than all bounds
  std::uint64_t sum_ns = 0;

  void add(std::uint64_t ns, std::uint64_t weight) {
    ns = std::min(ns, kLargestDuration);
    const auto octave = static_cast<std::size_t>(std::bit_width(ns >> kFirstDurationBit));
    counts[std::min(octave, kDurationBounds)] += weight;
    sum_ns += ns * weight;
  }
  void add(const Histogram& values);
  void merge(const DurationCounts& other) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum_ns += other.sum_ns;
  }
  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t total = 0;
    for (const std::uint64_t n : counts) total += n;
    return total;
  }
};

}  // namespace peerscope
