// Which of several is faster: sessions, algorithms or backends, for each operation and size by itself, since there is
// rarely one winner.
//
// A winner is named only where it is faster than every other group beyond the noise floor, the rank test says so after
// Holm's correction for all the questions asked, and the effect is not negligible. The floor is the larger of
// `least_difference` and how far the groups' own medians wander over time (drift_of_median). Else: why not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/profile/samples.hpp"
#include "analyze/stats/contrast.hpp"

namespace peerscope {

enum class CompareBy : std::uint8_t { session, algorithm, backend };
constexpr const char* name(CompareBy by) {
  constexpr const char* kNames[] = {"session", "algorithm", "backend"};
  return kNames[static_cast<int>(by)];
}

struct ProfileCompareOptions {
  CompareBy by = CompareBy::session;
  double least_difference = 0.03;  // of medians; less is nothing to act upon
  double p = 0.01;
  double least_delta = 0.147;  // Romano et al. 2006: below, an effect is negligible
  std::size_t least_samples =
      8;  // of each group: from there on the rank test's approximation is good
  std::vector<std::string> only;  // groups by these names; empty: all
};

struct CompareSource {
  std::string label;
  const SampleStore* samples = nullptr;
};

struct CompareGroup {
  std::string name;
  std::uint64_t operations = 0, samples = 0, seen = 0;  // `samples` of `seen` values were tested
  double mean_bytes = 0;
  double median_ns = 0;
  Estimate<Interval> interval = Inconclusive::no_samples;  // of the median, 95 %, bootstrap
  double drift = 0;                                        // of its median over time
  std::string with;  // algorithms (and backends) that it consists of
};

struct ComparePair {
  std::size_t first = 0,
              second = 0;  // indices into groups; the contrast is of second against first
  Contrast contrast;
  double p_adjusted = 1;  // Holm
};

struct CompareRow {
  Kind kind = Kind::other;
  std::uint8_t size_class = 0;
  std::uint16_t ranks = 0;
  SampleBasis basis = SampleBasis::host;
  double noise_floor = 0;
  std::vector<CompareGroup> groups;   // the fastest median first
  std::vector<ComparePair> pairs;     // of the first against each other
  std::optional<std::size_t> winner;  // 0, or none
  double speedup = 0;                 // the second median over the winner's; 0 without a winner
  std::string why;                    // a sentence: why the winner, or why none
};

struct ProfileComparison {
  CompareBy by = CompareBy::session;
  std::vector<CompareRow> rows;          // by operation and size
  std::vector<std::string> alone;        // "send 16 KB: only in a": what cannot be compared
  std::vector<std::string> group_names;  // all, in the order of the sources
  [[nodiscard]] std::size_t wins(const std::string& group) const;
  [[nodiscard]] std::size_t undecided() const;
};

ProfileComparison compare_profiles(const std::vector<CompareSource>& sources,
                                   const ProfileCompareOptions& options);

}  // namespace peerscope
