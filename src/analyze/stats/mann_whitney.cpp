#include "analyze/stats/mann_whitney.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace peerscope {
namespace {

struct Ranked {
  double sum_of_first = 0;  // ranks of the first set; equal samples share the mean of theirs
  double ties = 0;          // the sum of t^3 - t over groups of t equal samples
};

Ranked rank(std::span<const double> first, std::span<const double> second) {
  std::vector<std::pair<double, bool>> all;
  all.reserve(first.size() + second.size());
  for (const double x : first) all.emplace_back(x, true);
  for (const double x : second) all.emplace_back(x, false);
  std::sort(all.begin(), all.end());
  Ranked ranked;
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    while (end < all.size() && all[end].first == all[begin].first) ++end;
    const double shared = (static_cast<double>(begin + 1) + static_cast<double>(end)) / 2;
    const auto t = static_cast<double>(end - begin);
    ranked.ties += t * t * t - t;
    for (std::size_t i = begin; i < end; ++i) ranked.sum_of_first += all[i].second ? shared : 0;
  }
  return ranked;
}

}  // namespace

Estimate<RankTest> mann_whitney(std::span<const double> first, std::span<const double> second) {
  if (first.empty() || second.empty()) return Inconclusive::no_samples;
  if (first.size() == 1 || second.size() == 1) return Inconclusive::one_sample;
  const auto n = static_cast<double>(first.size()), m = static_cast<double>(second.size());
  const Ranked ranked = rank(first, second);
  RankTest test;
  test.u = ranked.sum_of_first - n * (n + 1) / 2;
  test.delta = 2 * test.u / (n * m) - 1;
  const double all = n + m;
  const double variance = n * m / 12 * (all + 1 - ranked.ties / (all * (all - 1)));
  if (!(variance > 0)) return Inconclusive::all_equal;
  const double away = test.u - n * m / 2;
  const double corrected = std::max(0.0, std::fabs(away) - 0.5);
  test.z = std::copysign(corrected / std::sqrt(variance), away);
  test.p = std::min(1.0, std::erfc(std::fabs(test.z) / std::sqrt(2.0)));
  return test;
}

}  // namespace peerscope
