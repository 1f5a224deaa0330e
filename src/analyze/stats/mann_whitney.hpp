// Whether one set of samples tends to be larger than another, and by how much, from their order only.
#pragma once

#include <span>

#include "analyze/stats/estimate.hpp"

namespace peerscope {

struct RankTest {
  double u = 0;      // of the first: pairs in which it is larger; a tie counts half
  double z = 0;      // > 0: the first tends to be larger
  double p = 1;      // two-sided, that equal distributions would differ so much
  double delta = 0;  // effect size in -1..1: how much more often the first is larger than smaller
};

// Mann & Whitney (1947), normal approximation with continuity correction and the variance corrected
// for ties (Lehmann 1975, section 1.4); good from about 8 samples a side. `delta` is Cliff's (1993),
// which U gives: 2 U / (n m) - 1. |delta| below 0.147 is called negligible, from 0.474 on large
// (Romano et al. 2006).
Estimate<RankTest> mann_whitney(std::span<const double> first, std::span<const double> second);

}  // namespace peerscope
