#include "analyze/detect/series_changes.hpp"

#include <algorithm>
#include <cmath>

#include "analyze/detect/statistics.hpp"

namespace peerscope {
namespace {

using Points = std::span<const HistoryPoint>;

constexpr std::int64_t kSeriesStaleNs = 2'500'000'000;
constexpr std::size_t kFewest = 2;  // values that a stretch's median needs to count

// The newest stretch of points whose operations are of one size: others take another time.
std::vector<HistoryPoint> of_one_size(const std::vector<HistoryPoint>& all) {
  std::vector<HistoryPoint> out;
  auto size = decltype(HistoryPoint::bytes){};
  for (auto point = all.rbegin(); point != all.rend(); ++point) {
    if (point->count < kFewest) continue;
    // 0: the operations were counted in another slot than the one in which they ended on the device.
    const bool known = point->bytes > 0 && size > 0;
    if (known && std::abs(point->bytes - size) > 0.1F * size) break;
    if (size == 0) size = point->bytes;
    out.push_back(*point);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

double median_of(Points points) {
  std::vector<double> values;
  for (const HistoryPoint& point : points) values.push_back(point.ns);
  return median(std::move(values));
}

bool is_step(const Step& step, Points points, const DetectOptions& options) {
  if (!step.known || step.z < options.change.min_z || step.ratio < options.change.min_slowdown)
    return false;
  if (step.after_ns - step.before_ns < options.change.min_time_ns || step.overlap > 0.2)
    return false;
  // It still lasts.
  return median_of(points.last(std::min<std::size_t>(6, points.size()))) >=
         step.before_ns * std::sqrt(step.ratio);
}

bool is_drift(const Trend& trend, const DetectOptions& options) {
  return trend.known && trend.z >= options.change.drift_min_z &&
         trend.growth >= options.change.drift_min_growth &&
         trend.end_ns - trend.begin_ns >= options.change.min_time_ns;
}

// The line from the moment on from which it describes the points best: what was level before is no part of a trend.
std::size_t begin_of_trend(Points points) {
  const std::size_t n = points.size();
  std::size_t begin = 0;
  double best = find_trend(points).residual;
  for (std::size_t tenth = 1; tenth <= 6; ++tenth) {
    const std::size_t at = n * tenth / 10;
    if (n - at < 24) break;
    const Trend late = find_trend(points.subspan(at));
    if (!late.known) continue;
    const double level = median_of(points.first(at));
    double early = 0;
    for (const HistoryPoint& point : points.first(at))
      early += level > 0 ? std::abs(std::log(point.ns / level)) : 0;
    const double residual =
        (early + late.residual * static_cast<double>(n - at)) / static_cast<double>(n);
    if (residual < 0.9 * best) best = residual, begin = at;
  }
  return begin;
}

void judge(SeriesChange& change, Points points, const DetectOptions& options) {
  const auto min_before = static_cast<std::size_t>(options.change.min_before);
  const auto min_after = static_cast<std::size_t>(options.change.min_points);
  if (points.size() < min_before + min_after) return;
  // Cheap: what is not slower at its end than at its begin is neither.
  const std::size_t few = std::min<std::size_t>(8, points.size() / 3);
  const double early_ns = median_of(points.first(points.size() / 3));
  const double late_ns = median_of(points.last(few));
  const double least = std::min(options.change.min_slowdown, 1 + options.change.drift_min_growth);
  if (early_ns <= 0 || late_ns < early_ns * (1 + (least - 1) / 2)) return;
  change.step = find_step(points, min_before, min_after);
  const bool steps = is_step(change.step, points, options);
  const std::size_t begin = begin_of_trend(points);
  const Points tail = points.subspan(begin);
  change.trend = find_trend(tail);
  change.since_ns = tail.front().begin_ns();
  change.end_ns = tail.back().end_ns();
  const bool drifts = is_drift(change.trend, options);
  // Both describe what they can; the better description wins. A level before the trend is part of it.
  double line = change.trend.residual * static_cast<double>(tail.size());
  const double level = median_of(points.first(std::max<std::size_t>(1, begin)));
  for (const HistoryPoint& point : points.first(begin))
    line += std::abs(std::log(point.ns / level));
  line /= static_cast<double>(points.size());
  change.drifts = drifts && (!change.step.known || line < 0.85 * change.step.residual);
  change.steps = steps && !change.drifts;
}

}  // namespace

std::vector<SeriesChange> series_changes(const Snapshot& snapshot, const DetectOptions& options) {
  std::vector<SeriesChange> out;
  if (!snapshot.aggregates) return out;
  double total_ns = 0;
  const auto cost = [](const OperationRow& row) {
    const Distribution& host = row.windows.in(Window::ten_seconds).host;
    return host.known() ? host.mean_ns * static_cast<double>(host.count) : 0.0;
  };
  for (const OperationRow& row : snapshot.aggregates->operations) total_ns += cost(row);
  for (const OperationRow& row : snapshot.aggregates->operations) {
    if (row.other || !row.pure || row.history.empty() || row.kind == Kind::compute) continue;
    if (snapshot.now_ns - row.history.back().end_ns() > kSeriesStaleNs) continue;  // it is over
    const double share = total_ns > 0 ? cost(row) / total_ns : 1.0;
    if (share < options.change.min_time_share) continue;
    SeriesChange change;
    change.row = &row;
    change.time_share = share;
    // The newest stretch is not over, and has few values.
    const std::vector<HistoryPoint> points = of_one_size(row.history);
    judge(change, points, options);
    if (!change.steps && !change.drifts) {
      // Slower than the last half minute can show.
      const std::vector<HistoryPoint> all = of_one_size(row.long_history);
      if (!all.empty() && !points.empty() && all.front().slot + 8 < points.front().slot)
        judge(change, all, options);
    }
    if (change.steps || change.drifts) out.push_back(change);
  }
  return out;
}

}  // namespace peerscope
