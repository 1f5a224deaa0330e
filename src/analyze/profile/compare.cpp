#include "analyze/profile/compare.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analyze/stats/robust.hpp"
#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kDriftBlocks = 8;
constexpr double kSameSize = 0.05;  // mean sizes further apart are not the same work

// All series that one group consists of, of one operation, size class and number of ranks.
struct Pool {
  std::vector<const SampleStore::Series*> series;
  std::set<std::string> with;
  std::uint64_t operations = 0, bytes = 0;

  void add(const SampleKey& key, const SampleStore::Series& each, CompareBy by) {
    series.push_back(&each);
    operations += each.operations;
    bytes += each.bytes;
    if (by != CompareBy::algorithm && key.algorithm != Algorithm::unknown)
      with.emplace(peerscope::name(key.algorithm));
    if (by == CompareBy::algorithm && key.backend != Backend::unknown)
      with.emplace(peerscope::name(key.backend));
  }
  [[nodiscard]] std::vector<double> of(SampleBasis basis) const {
    std::vector<double> all;
    for (const auto* each : series) {
      const std::vector<double> values = each->of(basis);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
  [[nodiscard]] std::uint64_t seen(SampleBasis basis) const {
    std::uint64_t sum = 0;
    for (const auto* each : series) sum += each->seen(basis);
    return sum;
  }
};

using RowKey = std::tuple<Kind, std::uint8_t, std::uint16_t>;
using Groups = std::map<std::string, Pool>;

std::string group_of(const CompareSource& source, const SampleKey& key, CompareBy by) {
  if (by == CompareBy::session) return source.label;
  if (by == CompareBy::algorithm)
    return key.algorithm == Algorithm::unknown ? "" : std::string(name(key.algorithm));
  return key.backend == Backend::unknown ? "" : std::string(name(key.backend));
}

std::map<RowKey, Groups> pools_of(const std::vector<CompareSource>& sources,
                                  const ProfileCompareOptions& options,
                                  std::vector<std::string>& names) {
  std::map<RowKey, Groups> rows;
  for (const CompareSource& source : sources) {
    for (const auto& [key, series] : source.samples->series()) {
      const std::string group = group_of(source, key, options.by);
      const bool wanted =
          options.only.empty() ||
          std::find(options.only.begin(), options.only.end(), group) != options.only.end();
      if (group.empty() || !wanted) continue;
      rows[{key.kind, key.size_class, key.ranks}][group].add(key, series, options.by);
      if (std::find(names.begin(), names.end(), group) == names.end()) names.push_back(group);
    }
  }
  return rows;
}

std::string row_text(const RowKey& key) {
  const auto& [kind, size, ranks] = key;
  return fmt::format("{} {}{}", name(kind), format_bytes(size_class_top(size)),
                     ranks > 0 ? fmt::format(" g{}", ranks) : "");
}

// The best clock that all groups have enough of; else the one that the poorest group has most of.
SampleBasis basis_of(const Groups& groups, std::size_t least) {
  SampleBasis best = SampleBasis::host;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < kSampleBases; ++i) {
    const auto basis = static_cast<SampleBasis>(i);
    std::uint64_t poorest = UINT64_MAX;
    for (const auto& [name, pool] : groups) poorest = std::min(poorest, pool.seen(basis));
    if (poorest >= least) return basis;
    if (poorest > most) {
      most = poorest;
      best = basis;
    }
  }
  return best;
}

struct Samples {
  CompareGroup group;
  std::vector<double> ns;
};

Samples samples_of(const std::string& group_name, const Pool& pool, SampleBasis basis) {
  Samples out;
  out.ns = pool.of(basis);
  out.group.name = group_name;
  out.group.operations = pool.operations;
  out.group.samples = out.ns.size();
  out.group.seen = pool.seen(basis);
  out.group.mean_bytes =
      pool.operations > 0 ? static_cast<double>(pool.bytes) / static_cast<double>(pool.operations)
                          : 0;
  out.group.median_ns = median_of(out.ns).value_or(0);
  out.group.interval = median_interval(out.ns);
  // Of several series the order of time is not known: their blocks would be the series.
  if (pool.series.size() == 1) out.group.drift = drift_of_median(out.ns, kDriftBlocks).value_or(0);
  out.group.with = fmt::format("{}", fmt::join(pool.with, ", "));
  return out;
}

ContrastOptions contrast_options(const CompareRow& row, const ProfileCompareOptions& options,
                                 double p) {
  return {.floor = row.noise_floor,
          .p = p,
          .least_delta = options.least_delta,
          .least_samples = options.least_samples};
}

CompareRow row_of(const RowKey& key, const Groups& groups, const ProfileCompareOptions& options) {
  CompareRow row;
  std::tie(row.kind, row.size_class, row.ranks) = key;
  row.basis = basis_of(groups, options.least_samples);
  std::vector<Samples> all;
  for (const auto& [name, pool] : groups) all.push_back(samples_of(name, pool, row.basis));
  // Who has nothing to show comes last, not first.
  std::stable_sort(all.begin(), all.end(), [](const Samples& a, const Samples& b) {
    if (a.ns.empty() != b.ns.empty()) return b.ns.empty();
    return a.group.median_ns < b.group.median_ns;
  });
  row.noise_floor = options.least_difference;
  for (const Samples& each : all) row.noise_floor = std::max(row.noise_floor, each.group.drift);
  for (std::size_t i = 1; i < all.size(); ++i)
    row.pairs.push_back(
        {0, i, contrast(all[0].ns, all[i].ns, contrast_options(row, options, options.p)), 1});
  for (Samples& each : all) row.groups.push_back(std::move(each.group));
  return row;
}

// Holm (1979): of m tests the one with the i-th smallest p is multiplied by m - i, never less than those before.
void adjust(std::vector<CompareRow>& rows, const ProfileCompareOptions& options) {
  std::vector<std::pair<CompareRow*, ComparePair*>> tests;
  for (CompareRow& row : rows) {
    for (ComparePair& pair : row.pairs) {
      if (pair.contrast.test) tests.emplace_back(&row, &pair);
    }
  }
  std::sort(tests.begin(), tests.end(), [](const auto& a, const auto& b) {
    return a.second->contrast.test->p < b.second->contrast.test->p;
  });
  double least = 0;
  for (std::size_t i = 0; i < tests.size(); ++i) {
    Contrast& seen = tests[i].second->contrast;
    const double times = static_cast<double>(tests.size() - i);
    least = std::max(least, std::min(1.0, seen.test->p * times));
    tests[i].second->p_adjusted = least;
    // The same question with the p that is left for it.
    const double allowed = least <= options.p ? 1.0 : 0.0;
    judge(seen, contrast_options(*tests[i].first, options, allowed));
  }
}

std::string why_not(const CompareRow& row, const ComparePair& pair) {
  const CompareGroup& first = row.groups[pair.first];
  const CompareGroup& other = row.groups[pair.second];
  const Contrast& c = pair.contrast;
  const std::string both = fmt::format("{} and {}", first.name, other.name);
  switch (c.doubt) {
    case Doubt::no_samples:
      return fmt::format("no time of {} is known by any clock that the others have",
                         other.samples == 0 ? other.name : first.name);
    case Doubt::too_few_samples: {
      const CompareGroup& poor = first.samples < other.samples ? first : other;
      return fmt::format("too few samples: {} has {}", poor.name, poor.samples);
    }
    case Doubt::within_noise:
      return fmt::format("{} differ by {}, within the noise of {}", both,
                         format_percent(std::fabs(c.ratio - 1)), format_percent(row.noise_floor));
    case Doubt::not_significant:
      return fmt::format("{} differ by {}, but that may be chance (p {:.2g})", both,
                         format_percent(std::fabs(c.ratio - 1)), pair.p_adjusted);
    default:
      return fmt::format("{}: {}", both, name(c.doubt));
  }
}

void decide(CompareRow& row) {
  for (std::size_t i = 1; i < row.groups.size(); ++i) {
    const double first = row.groups[0].mean_bytes, other = row.groups[i].mean_bytes;
    if (std::fabs(first - other) > kSameSize * std::max(first, other)) {
      row.why = fmt::format("sizes differ: {} on average against {}",
                            format_bytes(static_cast<std::uint64_t>(first)),
                            format_bytes(static_cast<std::uint64_t>(other)));
      return;
    }
  }
  for (const ComparePair& pair : row.pairs) {
    if (pair.contrast.verdict != ContrastVerdict::larger) {
      row.why = why_not(row, pair);
      return;
    }
  }
  const ComparePair& nearest = row.pairs.front();
  row.winner = 0;
  row.speedup = nearest.contrast.ratio;
  row.why = fmt::format("{} takes {} less time than {} (p {:.2g}, effect {:.2f})",
                        row.groups[0].name, format_percent(1 - 1 / row.speedup), row.groups[1].name,
                        nearest.p_adjusted, nearest.contrast.test->delta);
}

}  // namespace

std::size_t ProfileComparison::wins(const std::string& group) const {
  return static_cast<std::size_t>(std::count_if(
      rows.begin(), rows.end(),
      [&](const CompareRow& row) { return row.winner && row.groups[*row.winner].name == group; }));
}

std::size_t ProfileComparison::undecided() const {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [](const CompareRow& row) { return !row.winner; }));
}

ProfileComparison compare_profiles(const std::vector<CompareSource>& sources,
                                   const ProfileCompareOptions& options) {
  ProfileComparison out;
  out.by = options.by;
  if (options.by == CompareBy::session) {
    for (const CompareSource& source : sources) out.group_names.push_back(source.label);
  }
  for (const auto& [key, groups] : pools_of(sources, options, out.group_names)) {
    if (groups.size() < 2) {
      out.alone.push_back(fmt::format("{}: {} only", row_text(key), groups.begin()->first));
    } else {
      out.rows.push_back(row_of(key, groups, options));
    }
  }
  adjust(out.rows, options);
  for (CompareRow& row : out.rows) decide(row);
  return out;
}

}  // namespace peerscope
