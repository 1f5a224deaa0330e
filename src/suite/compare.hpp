// Two sets of results, row by row: what became slower, what faster, and how sure that is.
#pragma once

#include <string>
#include <vector>

#include "analyze/stats/mann_whitney.hpp"
#include "base/result.hpp"
#include "suite/result.hpp"

namespace peerscope {

struct CompareOptions {
  double threshold = 0.05;  // a change of the median by less is none
  double p = 0.01;          // of the rank test, from which on it is taken for chance
  bool across_machines = false;
};

// `slower`, `faster`: beyond the threshold, the interval of the ratio leaves out 1, and the rank test
// agrees. `inconclusive`: beyond the threshold, but the samples do not bear it out.
enum class ChangeKind : std::uint8_t { same, slower, faster, inconclusive };
std::string_view name(ChangeKind verdict);

struct Change {
  std::string key;  // key_of(row), and "in place"
  std::uint64_t bytes = 0;
  double before_us = 0, after_us = 0;
  double ratio = 1;                                        // after / before
  Estimate<Interval> interval = Inconclusive::no_samples;  // of the ratio, 95 %
  Estimate<RankTest> test = Inconclusive::no_samples;      // z > 0: slower
  ChangeKind verdict = ChangeKind::same;
};

struct BenchComparison {
  double threshold = 0;
  std::vector<Change> changes;
  std::vector<std::string> only_before, only_after;  // keys
  [[nodiscard]] std::size_t count(ChangeKind verdict) const;
};

// `mismatch` if they have no row in common, or come from different machines.
Result<BenchComparison> compare(const ResultSet& before, const ResultSet& after,
                                const CompareOptions& options);

// The verdict, then every row that is not `same`, the worst first; `all`: every row.
std::string comparison_text(const BenchComparison& comparison, bool all);

}  // namespace peerscope
