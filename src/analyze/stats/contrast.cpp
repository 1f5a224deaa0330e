#include "analyze/stats/contrast.hpp"

#include <algorithm>
#include <cmath>

#include "analyze/stats/robust.hpp"

namespace peerscope {
namespace {

// What speaks against the difference, that lies beyond the floor.
Doubt doubt_of(const Contrast& c, const ContrastOptions& options) {
  const bool larger = c.ratio > 1;
  if (!c.interval)
    return c.interval.why() == Inconclusive::all_equal ? Doubt::all_equal : Doubt::not_significant;
  if (!c.test || c.test->p > options.p) return Doubt::not_significant;
  if (larger ? c.test->z <= 0 : c.test->z >= 0) return Doubt::not_significant;
  if (larger ? c.interval->low <= 1 : c.interval->high >= 1) return Doubt::not_significant;
  if (std::fabs(c.test->delta) < options.least_delta) return Doubt::negligible_effect;
  return Doubt::none;
}

}  // namespace

std::string_view name(Doubt doubt) {
  switch (doubt) {
    case Doubt::no_samples:
      return "no samples";
    case Doubt::too_few_samples:
      return "too few samples";
    case Doubt::within_noise:
      return "within the noise";
    case Doubt::all_equal:
      return "all samples are equal, so that nothing says how far they vary";
    case Doubt::not_significant:
      return "not significant";
    case Doubt::negligible_effect:
      return "the effect is negligible";
    case Doubt::not_positive:
      return "a median of 0";
    default:
      return "none";
  }
}

void judge(Contrast& c, const ContrastOptions& options) {
  if (c.doubt == Doubt::no_samples || c.doubt == Doubt::too_few_samples ||
      c.doubt == Doubt::not_positive)
    return;
  const bool beyond = c.ratio > 1 + options.floor || c.ratio < 1 / (1 + options.floor);
  c.doubt = beyond ? doubt_of(c, options) : Doubt::within_noise;
  c.verdict = c.doubt == Doubt::within_noise ? ContrastVerdict::same
              : c.doubt != Doubt::none       ? ContrastVerdict::inconclusive
              : c.ratio > 1                  ? ContrastVerdict::larger
                                             : ContrastVerdict::smaller;
}

Contrast contrast(std::span<const double> before, std::span<const double> after,
                  const ContrastOptions& options) {
  Contrast c;
  c.before = median_of(before).value_or(0);
  c.after = median_of(after).value_or(0);
  if (before.empty() || after.empty()) return c;
  c.doubt = Doubt::none;
  if (c.before > 0 && c.after > 0) {
    c.ratio = c.after / c.before;
  } else {
    c.doubt = Doubt::not_positive;
  }
  const std::size_t least = std::max<std::size_t>(options.least_samples, 2);
  if (std::min(before.size(), after.size()) < least) {
    c.doubt = Doubt::too_few_samples;
    return c;
  }
  c.interval = ratio_interval(after, before);
  c.test = mann_whitney(after, before);
  judge(c, options);
  return c;
}

Estimate<double> drift_of_median(std::span<const double> samples, std::size_t blocks) {
  if (blocks < 2 || samples.size() < 2 * blocks) {
    return samples.empty() ? Inconclusive::no_samples : Inconclusive::one_sample;
  }
  const double middle = *median_of(samples);
  double least = INFINITY, most = -INFINITY;
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::size_t begin = i * samples.size() / blocks;
    const std::size_t end = (i + 1) * samples.size() / blocks;
    const double median = *median_of(samples.subspan(begin, end - begin));
    least = std::min(least, median);
    most = std::max(most, median);
  }
  return middle > 0 ? (most - least) / 2 / middle : 0.0;
}

}  // namespace peerscope
