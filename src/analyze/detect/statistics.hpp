// What detectors need of statistics. All are defined on empty data.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace peerscope {

// Lower end of Wilson's interval of a share; z = 2.33 leaves 1 % below. 0 if n is 0.
inline double wilson_lower(double share, double n, double z = 2.33) {
  if (n <= 0.0) return 0.0;
  const double zz = z * z;
  const double centre = share + zz / (2.0 * n);
  const double width = z * std::sqrt(std::max(0.0, share * (1.0 - share) / n + zz / (4.0 * n * n)));
  return std::clamp((centre - width) / (1.0 + zz / n), 0.0, 1.0);
}

inline double normal_below(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// The mean of the two in the middle if there is an even number; 0 if there is none.
inline double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

}  // namespace peerscope
