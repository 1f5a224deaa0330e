#include "analyze/stats/bootstrap.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "analyze/stats/robust.hpp"

namespace peerscope {
namespace {

// SplitMix64 (Steele, Lea & Flood 2014): the standard library's distributions differ among vendors.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t n) {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<std::size_t>((z ^ (z >> 31)) % n);
  }

 private:
  std::uint64_t state_;
};

std::optional<Inconclusive> lack_of(std::span<const double> samples) {
  if (samples.empty()) return Inconclusive::no_samples;
  if (samples.size() == 1) return Inconclusive::one_sample;
  const bool equal =
      std::all_of(samples.begin(), samples.end(), [&](double x) { return x == samples.front(); });
  return equal ? std::optional(Inconclusive::all_equal) : std::nullopt;
}

// Draws with replacement and takes the median. The samples are sorted once: so indices can be
// compared instead.
class Resampler {
 public:
  explicit Resampler(std::span<const double> samples)
      : sorted_(samples.begin(), samples.end()), drawn_(samples.size()) {
    std::sort(sorted_.begin(), sorted_.end());
  }
  double median(Random& random) {
    for (std::size_t& index : drawn_) index = random.below(sorted_.size());
    const auto half = drawn_.begin() + static_cast<std::ptrdiff_t>(drawn_.size() / 2);
    std::nth_element(drawn_.begin(), half, drawn_.end());
    if (drawn_.size() % 2 == 1) return sorted_[*half];
    return (sorted_[*half] + sorted_[*std::max_element(drawn_.begin(), half)]) / 2;
  }

 private:
  std::vector<double> sorted_;
  std::vector<std::size_t> drawn_;
};

Interval percentiles(const std::vector<double>& values, double confidence) {
  const double tail = (1 - confidence) / 2;
  return {quantile_of(values, tail).value_or(0), quantile_of(values, 1 - tail).value_or(0)};
}

}  // namespace

Estimate<Interval> median_interval(std::span<const double> samples,
                                   const BootstrapOptions& options) {
  if (const auto lack = lack_of(samples)) return *lack;
  Random random(options.seed);
  Resampler resampler(samples);
  std::vector<double> medians(static_cast<std::size_t>(std::max(options.resamples, 2)));
  for (double& value : medians) value = resampler.median(random);
  return percentiles(medians, options.confidence);
}

Estimate<Interval> ratio_interval(std::span<const double> above, std::span<const double> below,
                                  const BootstrapOptions& options) {
  const auto lack = lack_of(above), other = lack_of(below);
  if (lack && *lack != Inconclusive::all_equal) return *lack;
  if (other && *other != Inconclusive::all_equal) return *other;
  if (lack && other) return Inconclusive::all_equal;
  Random random(options.seed);
  Resampler upper(above), lower(below);
  std::vector<double> ratios;
  for (int i = 0; i < std::max(options.resamples, 2); ++i) {
    const double numerator = upper.median(random), denominator = lower.median(random);
    if (denominator > 0) ratios.push_back(numerator / denominator);
  }
  if (ratios.empty()) return Inconclusive::no_samples;
  return percentiles(ratios, options.confidence);
}

}  // namespace peerscope
