#include "analyze/detect/change.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "analyze/detect/statistics.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kTrendPoints = 48;

bool usable(std::span<const HistoryPoint> points) {
  return std::all_of(points.begin(), points.end(),
                     [](const HistoryPoint& p) { return std::isfinite(p.ns) && p.ns > 0.0F; });
}

double median_ns(std::span<const HistoryPoint> points) {
  std::vector<double> values;
  values.reserve(points.size());
  for (const HistoryPoint& point : points) values.push_back(point.ns);
  return median(std::move(values));
}

// Ranks from 1, ties get their mean.
std::vector<double> ranks_of(std::span<const HistoryPoint> points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return points[a].ns < points[b].ns; });
  std::vector<double> ranks(points.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && points[order[end]].ns == points[order[i]].ns) ++end;
    const double rank = (static_cast<double>(i + 1) + static_cast<double>(end)) / 2.0;
    for (; i < end; ++i) ranks[order[i]] = rank;
  }
  return ranks;
}

double mean_distance(std::span<const HistoryPoint> points, double level_ns) {
  double sum = 0;
  for (const HistoryPoint& point : points) sum += std::abs(std::log(point.ns / level_ns));
  return sum;
}

double quantile_ns(std::span<const HistoryPoint> points, double share) {
  std::vector<float> values;
  for (const HistoryPoint& point : points) values.push_back(point.ns);
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

}  // namespace

Step find_step(std::span<const HistoryPoint> points, std::size_t min_before,
               std::size_t min_after) {
  Step step;
  const std::size_t n = points.size();
  if (min_before == 0 || min_after == 0 || n < min_before + min_after || !usable(points))
    return step;
  const std::vector<double> ranks = ranks_of(points);
  double sum = 0, best = -1;
  const auto count = static_cast<double>(n);
  for (std::size_t k = 1; k + min_after <= n; ++k) {
    sum += ranks[k - 1];
    if (k < min_before) continue;
    const double before = static_cast<double>(k), after = count - before;
    // The sum of the ranks before, against what it would be by chance.
    const double spread = std::sqrt(before * after * (count + 1) / 12.0);
    const double z = (before * (count + 1) / 2.0 - sum) / spread;
    if (z > best) best = z, step.at = k;
  }
  if (best <= 0) return step;
  step.known = true;
  step.z = best;
  const auto early = points.first(step.at), late = points.subspan(step.at);
  step.before_ns = median_ns(early);
  step.after_ns = median_ns(late);
  step.ratio = step.after_ns / step.before_ns;
  step.since_ns = late.front().begin_ns();
  const double high = quantile_ns(early, 0.9);
  const auto below = std::count_if(late.begin(), late.end(),
                                   [high](const HistoryPoint& p) { return p.ns <= high; });
  step.overlap = static_cast<double>(below) / static_cast<double>(late.size());
  step.residual =
      (mean_distance(early, step.before_ns) + mean_distance(late, step.after_ns)) / count;
  return step;
}

namespace {

// At most kTrendPoints, each the median of its neighbours: what follows costs their square.
std::vector<HistoryPoint> thinned(std::span<const HistoryPoint> points) {
  if (points.size() <= kTrendPoints) return {points.begin(), points.end()};
  std::vector<HistoryPoint> out;
  for (std::size_t i = 0; i < kTrendPoints; ++i) {
    const std::size_t begin = i * points.size() / kTrendPoints;
    const std::size_t end = (i + 1) * points.size() / kTrendPoints;
    HistoryPoint point = points[begin + (end - begin) / 2];
    point.ns = static_cast<float>(median_ns(points.subspan(begin, end - begin)));
    out.push_back(point);
  }
  return out;
}

double seconds(const HistoryPoint& point) { return static_cast<double>(point.begin_ns()) / 1e9; }

}  // namespace

Trend find_trend(std::span<const HistoryPoint> all) {
  Trend trend;
  if (all.size() < 12 || !usable(all)) return trend;
  const std::vector<HistoryPoint> points = thinned(all);
  const auto n = static_cast<double>(points.size());
  std::vector<double> slopes;
  double score = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t j = i + 1; j < points.size(); ++j) {
      const double apart_s = seconds(points[j]) - seconds(points[i]);
      if (apart_s <= 0) return trend;  // not in order
      const double rise = std::log(points[j].ns / points[i].ns);
      slopes.push_back(rise / apart_s);
      score += rise > 0 ? 1 : rise < 0 ? -1 : 0;
    }
  }
  const double slope = median(std::move(slopes));
  const double begin_s = seconds(points.front());
  std::vector<double> offsets;
  for (const HistoryPoint& point : points)
    offsets.push_back(std::log(point.ns) - slope * (seconds(point) - begin_s));
  const double offset = median(std::move(offsets));
  trend.known = true;
  trend.z = score / std::sqrt(n * (n - 1) * (2 * n + 5) / 18.0);
  trend.begin_ns = std::exp(offset);
  trend.end_ns = std::exp(offset + slope * (seconds(points.back()) - begin_s));
  trend.growth =
      std::isfinite(trend.end_ns) && trend.begin_ns > 0 ? trend.end_ns / trend.begin_ns - 1 : 0;
  for (const HistoryPoint& point : all) {
    const double line = offset + slope * (seconds(point) - begin_s);
    trend.residual += std::abs(std::log(point.ns) - line) / static_cast<double>(all.size());
  }
  return trend;
}

Alternation find_alternation(std::span<const HistoryPoint> points, double ratio) {
  Alternation out;
  if (points.size() < 8 || !usable(points) || ratio <= 1) return out;
  out.fast_ns = quantile_ns(points, 1.0 / 6.0);  // the middle of the fastest third
  const double slow_ns = out.fast_ns * ratio;
  const double fast_ns = out.fast_ns * std::sqrt(ratio);  // between the two nothing changes
  std::vector<double> slow;
  int level = 0;
  for (const HistoryPoint& point : points) {
    const int now = point.ns >= slow_ns ? 1 : point.ns <= fast_ns ? -1 : level;
    if (now == 1 && level != 1) {
      ++out.slow_runs;
      if (out.since_ns < 0) out.since_ns = point.begin_ns();
    }
    if (now == -1 && level != -1) ++out.fast_runs;
    level = now;
    if (level == 1) slow.push_back(point.ns);
  }
  out.slow_share = static_cast<double>(slow.size()) / static_cast<double>(points.size());
  out.slow_ns = median(std::move(slow));
  return out;
}

}  // namespace peerscope
