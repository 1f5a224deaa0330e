// Small tools of the benchmarks: repeat, sort, quote the middle and the spread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <sched.h>

#include "record/ticks.hpp"

namespace peerscope {

struct Spread {
  double median = 0, least = 0, most = 0, mad = 0;  // mad: median absolute deviation
};

inline double middle_of(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), half, values.end());
  return *half;
}

inline Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  Spread spread;
  spread.median = middle_of(values);
  spread.least = *std::min_element(values.begin(), values.end());
  spread.most = *std::max_element(values.begin(), values.end());
  for (double& value : values)
    value = value > spread.median ? value - spread.median : spread.median - value;
  spread.mad = middle_of(values);
  return spread;
}

inline double quantile_of(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

// Keeps the calling thread on one processor, as far as the machine has it.
inline void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  sched_setaffinity(0, sizeof set, &set);
}

inline std::int64_t monotonic_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

}  // namespace peerscope
