// Where windows of device times lie, and how many there are. Values only.
#pragma once

#include <cstdint>

#include "peerscope/peerscope.h"

namespace peerscope::cuda {

inline constexpr unsigned kWindowBits = 21;  // 2 ms
inline constexpr std::uint64_t kWindowNs = std::uint64_t{1} << kWindowBits;
inline constexpr unsigned kLeastBits = 27, kMostBits = 34;  // from window to window: 134 ms to 17 s

// 2^bits ns from window to window, at least what the budget demands. 0: always open. 64: never. What a window costs the
// application is taken as half of its time (records doubled the time of small copies), and what CUPTI's own functions took.
constexpr unsigned period_bits(std::uint64_t budget_ppm, std::uint32_t level,
                               std::uint64_t calls_ns) {
  constexpr std::uint64_t kComprehensive = 4;  // times the budget
  if (budget_ppm >= 1'000'000) return 0;
  if (budget_ppm == 0) return 64;
  const std::uint64_t share =
      budget_ppm * (level >= PSCOPE_LEVEL_COMPREHENSIVE ? kComprehensive : 1);
  const std::uint64_t period_ns = (kWindowNs / 2 + calls_ns) * 1'000'000 / share;
  unsigned bits = kLeastBits;
  while (bits < kMostBits && std::uint64_t{1} << bits < period_ns) ++bits;
  return bits;
}

// When the window of a period begins: at another place each time, so that no rhythm of the program hides anything, and at the
// same time in all processes.
constexpr std::uint64_t window_begin(std::uint64_t period, unsigned bits) {
  std::uint64_t x = period * 0x9E37'79B9'7F4A'7C15u;
  x ^= x >> 29;
  return (period << bits) + x % ((std::uint64_t{1} << bits) - kWindowNs);
}

}  // namespace peerscope::cuda
