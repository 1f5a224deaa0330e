#include "analyze/detect/algorithm_choice.hpp"

#include <algorithm>
#include <cmath>

#include "analyze/detect/statistics.hpp"
#include "model/size_class.hpp"

namespace peerscope {

const Distribution* pure_time(const OperationStats& stats, const char*& clock) {
  clock = "host";
  if (stats.transfer.known()) return &stats.transfer;
  clock = "device";
  if (stats.device_transfer.known()) return &stats.device_transfer;
  return nullptr;
}

std::optional<Fit> fit_algorithm(const Aggregates& aggregates, Kind kind, Algorithm algorithm,
                                 std::uint64_t min_samples) {
  struct Point {
    double bytes, ns;
  };
  std::vector<Point> points;
  int ranks = 0;
  for (const OperationRow& row : aggregates.operations) {
    if (row.other || row.kind != kind || row.algorithm != algorithm) continue;
    const OperationStats& stats = row.windows.in(Window::all);
    const char* clock = nullptr;
    const Distribution* time = pure_time(stats, clock);
    if (time == nullptr || time->count < min_samples || stats.count == 0) continue;
    points.push_back(
        {static_cast<double>(stats.bytes) / static_cast<double>(stats.count), time->p50_ns});
    ranks = std::max<int>(ranks, row.ranks);
  }
  const auto cost = algorithm_cost(kind, algorithm, ranks);
  if (!cost || points.size() < 2) return std::nullopt;
  const auto by_bytes = [](const Point& a, const Point& b) { return a.bytes < b.bytes; };
  const auto [least, most] = std::minmax_element(points.begin(), points.end(), by_bytes);
  if (most->bytes < 16 * std::max(1.0, least->bytes)) return std::nullopt;
  // Relative least squares: min sum ((steps alpha + volume bytes beta) / ns - 1)^2.
  double aa = 0, ab = 0, bb = 0, a = 0, b = 0;
  for (const Point& point : points) {
    const double x = cost->steps / point.ns, y = cost->volume * point.bytes / point.ns;
    aa += x * x, ab += x * y, bb += y * y, a += x, b += y;
  }
  const double determinant = aa * bb - ab * ab;
  if (!(determinant > 0)) return std::nullopt;
  Fit fit;
  fit.alpha_ns = (a * bb - b * ab) / determinant;
  fit.beta_ns = (b * aa - a * ab) / determinant;
  if (!(fit.alpha_ns > 0) || !(fit.beta_ns > 0)) return std::nullopt;
  fit.sizes = points.size();
  for (const Point& point : points) {
    const double said = cost->ns(fit.alpha_ns, fit.beta_ns, point.bytes);
    fit.error = std::max(fit.error, std::abs(said / point.ns - 1));
  }
  return fit;
}

double general_slowdown(const Aggregates& aggregates, const OperationRow& row, std::int64_t at_ns) {
  std::vector<double> ratios;
  for (const OperationRow& other : aggregates.operations) {
    if (other.other || !other.pure || other.kind != row.kind) continue;
    if (other.size_class == row.size_class) continue;
    std::vector<double> before, after;
    for (const HistoryPoint& point : other.history)
      (point.end_ns() <= at_ns ? before : after).push_back(point.ns);
    if (before.size() < 4 || after.size() < 4) continue;
    const double was = median(std::move(before)), is = median(std::move(after));
    if (was > 0 && is > 0) ratios.push_back(is / was);
  }
  return ratios.empty() ? 1.0 : median(std::move(ratios));
}

std::vector<Switch> switches(const Aggregates& aggregates, std::int64_t now_ns,
                             std::uint64_t min_samples) {
  constexpr std::int64_t kGoneNs = 1'000'000'000;
  std::vector<Switch> out;
  for (const OperationRow& now : aggregates.operations) {
    if (now.other || now.first_ns < 0 || now_ns - now.last_ns > kGoneNs) continue;
    if (now.windows.in(Window::all).count < min_samples) continue;
    const OperationRow* before = nullptr;
    for (const OperationRow& other : aggregates.operations) {
      if (other.other || &other == &now || other.kind != now.kind) continue;
      if (other.size_class != now.size_class || other.first_ns < 0) continue;
      if (other.windows.in(Window::all).count < min_samples) continue;
      const bool gone = now_ns - other.last_ns > kGoneNs && other.last_ns <= now.last_ns;
      const bool followed = now.first_ns >= other.last_ns - kGoneNs;
      if (gone && followed && (before == nullptr || other.last_ns > before->last_ns))
        before = &other;
    }
    if (before != nullptr) out.push_back({before, &now});
  }
  return out;
}

}  // namespace peerscope
