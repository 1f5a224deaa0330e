#include "analyze/stats/robust.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace peerscope {
namespace {

constexpr double kNormal = 1.4826;  // 1 / the 75 % quantile of the normal distribution
constexpr double kFar = 3.5;
constexpr std::size_t kInARow = 3;

std::vector<double> distances(std::span<const double> samples, double from) {
  std::vector<double> out;
  out.reserve(samples.size());
  for (const double x : samples) out.push_back(std::fabs(x - from));
  return out;
}

}  // namespace

Estimate<double> quantile_of(std::span<const double> samples, double share) {
  if (samples.empty()) return Inconclusive::no_samples;
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const double at = std::clamp(share, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

Estimate<double> median_of(std::span<const double> samples) { return quantile_of(samples, 0.5); }

Estimate<double> mad_of(std::span<const double> samples) {
  const Estimate<double> middle = median_of(samples);
  if (!middle) return middle;
  if (samples.size() == 1) return Inconclusive::one_sample;
  return median_of(distances(samples, *middle));
}

std::vector<std::size_t> outliers_of(std::span<const double> samples) {
  const Estimate<double> middle = median_of(samples);
  if (!middle) return {};
  const std::vector<double> far = distances(samples, *middle);
  const double mad = mad_of(samples).value_or(0);
  const double mean =
      std::accumulate(far.begin(), far.end(), 0.0) / static_cast<double>(samples.size());
  const double scale = mad > 0 ? mad / 0.6745 : 1.253314 * mean;
  std::vector<std::size_t> found;
  for (std::size_t i = 0; scale > 0 && i < far.size(); ++i) {
    if (far[i] / scale > kFar) found.push_back(i);
  }
  return found;
}

std::size_t warm_up_of(std::span<const double> samples) {
  const std::size_t n = samples.size();
  if (n < 8) return 0;
  const auto settled = samples.subspan(n / 2);
  const double middle = *median_of(settled);
  const double band = 3 * std::max(kNormal * mad_of(settled).value_or(0), std::fabs(middle) * 0.01);
  std::size_t row = 0;
  for (std::size_t i = 0; i < n / 2 + kInARow && i < n; ++i) {
    row = std::fabs(samples[i] - middle) <= band ? row + 1 : 0;
    if (row == kInARow) return std::min(i + 1 - kInARow, n / 2);
  }
  return n / 2;
}

}  // namespace peerscope
