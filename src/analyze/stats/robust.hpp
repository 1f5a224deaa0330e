// Middle and spread that a few odd samples do not move; what is odd about a series of them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "analyze/stats/estimate.hpp"

namespace peerscope {

// The mean of the two in the middle if there is an even number.
Estimate<double> median_of(std::span<const double> samples);

// Between neighbours by linear interpolation (type 7 of Hyndman & Fan 1996, R's default). `share` is
// in 0..1.
Estimate<double> quantile_of(std::span<const double> samples, double share);

// Median absolute deviation from the median, not scaled: 1.4826 times it estimates the standard
// deviation of a normal distribution (Hampel 1974). 0 is an answer: half of the samples are equal.
Estimate<double> mad_of(std::span<const double> samples);

// Which samples lie far out: modified z-score 0.6745 |x - median| / MAD > 3.5; where the MAD is 0,
// |x - median| / (1.2533 mean absolute deviation) (Iglewicz & Hoaglin 1993). Indices, ascending.
std::vector<std::size_t> outliers_of(std::span<const double> samples);

// How many of the first samples differ from the rest: the series has settled where three in a row
// lie within 3 standard deviations (1.4826 MAD, but at least 1 % of the median) of the median of the
// second half. At most half; 0 with fewer than 8 samples, which say nothing about it.
std::size_t warm_up_of(std::span<const double> samples);

}  // namespace peerscope
