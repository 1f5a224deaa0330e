// Whether one set of samples is larger than another, how sure that is, and if it is not sure, why.
//
// A difference counts only where all agree: the ratio of the medians lies beyond the noise floor, its bootstrap interval
// leaves out 1, the rank test says that chance would hardly do it, and the effect is not negligible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "analyze/stats/bootstrap.hpp"
#include "analyze/stats/mann_whitney.hpp"

namespace peerscope {

struct ContrastOptions {
  double floor = 0.05;            // a ratio of medians nearer to 1 is none
  double p = 0.01;                // of the rank test, from which on it is taken for chance
  double least_delta = 0;         // effect size (RankTest::delta) below which it does not matter
  std::size_t least_samples = 2;  // of each side
};

enum class ContrastVerdict : std::uint8_t { same, larger, smaller, inconclusive };

// Why it is `same` or `inconclusive`.
enum class Doubt : std::uint8_t {
  none,
  no_samples,
  too_few_samples,
  within_noise,       // the medians differ by less than the floor
  all_equal,          // on both sides: nothing says how far they vary
  not_significant,    // the rank test, or the interval, allows that there is no difference
  negligible_effect,  // there may be one, but which is larger is nearly a toss of a coin
  not_positive,       // a median of 0: there is no ratio
};
std::string_view name(Doubt doubt);  // "too few samples"

// Of `after` against `before`.
struct Contrast {
  double before = 0, after = 0;                            // medians
  double ratio = 1;                                        // after / before
  Estimate<Interval> interval = Inconclusive::no_samples;  // of the ratio, 95 %
  Estimate<RankTest> test = Inconclusive::no_samples;      // z > 0: `after` is larger
  ContrastVerdict verdict = ContrastVerdict::inconclusive;
  Doubt doubt = Doubt::no_samples;
};

Contrast contrast(std::span<const double> before, std::span<const double> after,
                  const ContrastOptions& options);

// The same question asked again with another p (of a family of tests).
void judge(Contrast& contrast, const ContrastOptions& options);

// How much the median wanders by itself: the samples in the order of time, cut into `blocks` of equal size; half the
// distance between the largest and the smallest of their medians, over the median of all. Inconclusive below two samples
// a block.
Estimate<double> drift_of_median(std::span<const double> samples, std::size_t blocks);

}  // namespace peerscope
