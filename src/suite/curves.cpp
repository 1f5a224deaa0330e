#include "suite/curves.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "base/units.hpp"

namespace peerscope {
namespace {

constexpr double kClearly = 0.97;

const BenchRow* row_at(const Curve& curve, double bytes) {
  for (const CurvePoint& point : curve.points) {
    if (point.bytes == bytes) return point.row;
  }
  return nullptr;
}

double time_at(const Curve& curve, double bytes) {
  const BenchRow* row = row_at(curve, bytes);
  return row != nullptr && row->out.median_us > 0 ? row->out.median_us : INFINITY;
}

// Where lines through both sizes meet, in logarithms.
double meeting_point(const Curve& a, const Curve& b, double low, double high) {
  const double before = std::log(time_at(a, low) / time_at(b, low));
  const double after = std::log(time_at(a, high) / time_at(b, high));
  if (!std::isfinite(before) || !std::isfinite(after) || before >= 0 || after <= before)
    return high;
  return std::exp(std::log(low) + std::log(high / low) * (-before / (after - before)));
}

std::vector<const Curve*> contenders(const CurveSet& set) {
  std::vector<const Curve*> out;
  for (const bool automatic : {false, true}) {
    for (const Curve& curve : set.curves) {
      if ((curve.algorithm == "auto") == automatic) out.push_back(&curve);
    }
    if (!out.empty()) break;
  }
  return out;
}

void add_to(CurveSet& set, const BenchRow& row) {
  auto curve = std::find_if(set.curves.begin(), set.curves.end(), [&](const Curve& other) {
    return other.backend == row.backend && other.algorithm == row.algorithm;
  });
  if (curve == set.curves.end()) {
    set.curves.push_back({row.backend, row.algorithm, {}});
    curve = set.curves.end() - 1;
  }
  curve->points.push_back({static_cast<double>(row.bytes), &row});
}

}  // namespace

std::string CurveSet::title() const {
  return fmt::format("{} {}{}, {} ranks{}", operation, dtype,
                     redop == "none" || redop == "sum" ? "" : " " + redop, ranks,
                     graph ? ", as a graph" : "");
}

std::vector<CurveSet> curve_sets(const std::vector<BenchRow>& rows) {
  std::vector<CurveSet> sets;
  for (const BenchRow& row : rows) {
    auto set = std::find_if(sets.begin(), sets.end(), [&](const CurveSet& other) {
      return other.operation == row.operation && other.dtype == row.dtype &&
             other.redop == row.redop && other.ranks == row.ranks && other.graph == row.graph;
    });
    if (set == sets.end()) {
      sets.push_back({row.operation, row.dtype, row.redop, row.ranks, row.graph, {}});
      set = sets.end() - 1;
    }
    add_to(*set, row);
  }
  for (CurveSet& set : sets) {
    for (Curve& curve : set.curves)
      std::stable_sort(curve.points.begin(), curve.points.end(),
                       [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  }
  return sets;
}

std::vector<Crossover> crossovers(const CurveSet& set) {
  const std::vector<const Curve*> curves = contenders(set);
  std::set<double> sizes;
  for (const Curve* curve : curves) {
    for (const CurvePoint& point : curve->points) sizes.insert(point.bytes);
  }
  std::vector<Crossover> out;
  const Curve* leader = nullptr;
  double previous = 0;
  for (const double bytes : sizes) {
    const Curve* const best = *std::min_element(
        curves.begin(), curves.end(),
        [&](const Curve* a, const Curve* b) { return time_at(*a, bytes) < time_at(*b, bytes); });
    if (leader == nullptr) {
      out.push_back({0, "", best->name()});
      leader = best;
    } else if (time_at(*best, bytes) < kClearly * time_at(*leader, bytes)) {
      out.push_back({meeting_point(*leader, *best, previous, bytes), leader->name(), best->name()});
      leader = best;
    }
    previous = bytes;
  }
  return out;
}

std::string fastest_sentence(const CurveSet& set) {
  if (contenders(set).size() < 2) return {};
  const std::vector<Crossover> list = crossovers(set);
  if (list.empty()) return {};
  if (list.size() == 1) return fmt::format("{} is fastest at every size.", list[0].to);
  std::string text = fmt::format("{} is fastest", list[0].to);
  for (std::size_t i = 1; i < list.size(); ++i) {
    text += fmt::format(" up to {}, then {}",
                        format_bytes(static_cast<std::uint64_t>(list[i].bytes)), list[i].to);
  }
  return text + ".";
}

}  // namespace peerscope
