#include "suite/tune.hpp"

#include <map>
#include <tuple>

namespace peerscope {
namespace {

constexpr double kClearly = 0.97;

struct Candidates {
  std::map<Algorithm, double> us;
  double model_us = 0;
};
using Group = std::tuple<std::string, Kind, int>;  // backend, operation, ranks

Algorithm best_of(const std::map<Algorithm, double>& us, Algorithm before) {
  Algorithm best = us.begin()->first;
  for (const auto& [algorithm, time] : us) {
    if (time < us.at(best)) best = algorithm;
  }
  const auto kept = us.find(before);
  return kept != us.end() && us.at(best) >= kClearly * kept->second ? before : best;
}

}  // namespace

std::vector<Tuned> tune(const std::vector<BenchRow>& rows) {
  std::map<Group, std::map<std::uint64_t, Candidates>> groups;
  for (const BenchRow& row : rows) {
    const auto kind = parse_kind(row.operation);
    if (!kind || row.out.median_us <= 0 || row.out.wrong.value_or(0) > 0) continue;
    Candidates& candidates = groups[{row.backend, *kind, row.ranks}][row.bytes];
    const auto algorithm = parse_algorithm(row.algorithm);
    if (row.algorithm == "auto") candidates.model_us = row.out.median_us;
    if (row.algorithm != "auto" && algorithm) candidates.us[*algorithm] = row.out.median_us;
  }
  std::vector<Tuned> out;
  for (const auto& [group, sizes] : groups) {
    Algorithm before = Algorithm::unknown;
    for (const auto& [bytes, candidates] : sizes) {
      if (candidates.us.empty()) continue;
      before = best_of(candidates.us, before);
      const auto& [backend, kind, ranks] = group;
      out.push_back(
          {{backend, kind, ranks, bytes, before}, candidates.us.at(before), candidates.model_us});
    }
  }
  return out;
}

}  // namespace peerscope
