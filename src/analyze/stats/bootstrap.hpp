// How sure a median is, without assuming a distribution.
#pragma once

#include <cstdint>
#include <span>

#include "analyze/stats/estimate.hpp"

namespace peerscope {

struct BootstrapOptions {
  int resamples = 1000;
  double confidence = 0.95;
  std::uint64_t seed = 20'240'229;  // the same samples give the same interval
};

// The percentile interval of the bootstrap (Efron 1979; Efron & Tibshirani 1993, chapter 13).
Estimate<Interval> median_interval(std::span<const double> samples,
                                   const BootstrapOptions& options = {});

// Of median(above) / median(below), both resampled independently. Medians must be positive.
Estimate<Interval> ratio_interval(std::span<const double> above, std::span<const double> below,
                                  const BootstrapOptions& options = {});

}  // namespace peerscope
