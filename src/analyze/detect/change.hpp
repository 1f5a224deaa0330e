// When did it change? Of the medians of a row's past (HistoryPoint), oldest first. All are defined on
// empty data, equal values and zeros.
#pragma once

#include <cstdint>
#include <span>

#include "analyze/history_point.hpp"

namespace peerscope {

// From where on values are larger: the split whose rank test (Mann and Whitney's, which is Pettitt's
// at each split) is the most significant. Outliers move neither the split nor the medians.
struct Step {
  bool known = false;  // there is a split, and times are positive
  std::size_t at = 0;  // the first point after it
  double before_ns = 0, after_ns = 0;
  double ratio = 1, z = 0;  // after over before; the test's, positive where it rose
  double overlap = 1;  // of the points after it: the share below the upper tenth of those before
  std::int64_t since_ns = -1;  // begin of the first stretch after it
  double residual = 0;         // mean distance of logarithms from the two levels
};
Step find_step(std::span<const HistoryPoint> points, std::size_t min_before, std::size_t min_after);

// A steady growth: Theil and Sen's slope of the logarithms, Mann and Kendall's test.
struct Trend {
  bool known = false;
  double begin_ns = 0, end_ns = 0;  // times, as the line has them
  double growth = 0, z = 0;         // end over begin, less 1
  double residual = 0;              // mean distance of logarithms from the line
};
Trend find_trend(std::span<const HistoryPoint> points);

// Two levels that take turns.
struct Alternation {
  std::size_t slow_runs = 0, fast_runs = 0;  // stretches on either level
  double slow_share = 0;                     // of the points
  double slow_ns = 0, fast_ns = 0;
  std::int64_t since_ns = -1;  // the first slow run
};
// Slow: `ratio` times the fast level and more, the fast level being that of the fastest third.
Alternation find_alternation(std::span<const HistoryPoint> points, double ratio);

}  // namespace peerscope
