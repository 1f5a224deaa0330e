// A pair of ranks, or all pairs of one rank, that moves the same messages much slower than the other pairs of its
// communicator, and always did. What became slow is told by slow_link.
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/pairs.hpp"
#include "analyze/detect/statistics.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

using Pairs = std::vector<const PairState*>;

double fastest(const Pairs& pairs) {
  double most = 0;
  for (const PairState* pair : pairs) most = std::max(most, pair->bytes_per_s);
  return most;
}

// They reach but a part of the others, and stand apart from the slowest of these: pairs may come in several honest kinds
// (NVLink, PCIe).
bool stand_apart(const Pairs& pairs, const Pairs& others, double& typical,
                 const DetectOptions& options) {
  if (pairs.empty() || others.empty()) return false;
  std::vector<double> rates;
  for (const PairState* other : others) rates.push_back(other->bytes_per_s);
  const double slowest_other = *std::min_element(rates.begin(), rates.end());
  typical = median(std::move(rates));
  return fastest(pairs) <= options.pair.max_ratio * typical &&
         fastest(pairs) <= 0.8 * slowest_other;
}

Finding finding(const Snapshot& snapshot, const PairKey& key, const Pairs& pairs, double others) {
  const auto& [comm, kind, size, clock] = key;
  const bool one = pairs.size() == 1;
  std::vector<double> rates;
  std::uint64_t samples = 0;
  for (const PairState* pair : pairs) {
    rates.push_back(pair->bytes_per_s);
    samples += pair->samples;
  }
  const double bandwidth = median(std::move(rates));
  const double ratio = bandwidth / others;
  Finding out;
  out.kind = "low_bandwidth_pair";
  out.subject.communicator = communicator_name(snapshot, comm);
  out.subject.operation = std::string(name(kind));
  out.subject.rank = pairs[0]->way.from;
  if (one) out.subject.peer = pairs[0]->way.to;
  out.sentence =
      fmt::format("{} moves {} at {}, the other pairs at {} (median times, {} clock, since start).",
                  one ? fmt::format("Rank {} → rank {}", pairs[0]->way.from, pairs[0]->way.to) : "",
                  operation_name(kind, size), format_bandwidth(bandwidth), format_bandwidth(others),
                  clock == Clock::device ? "device" : "host");
  out.action =
      "Compare the links of the two devices (width, generation, path: nvidia-smi topo -m); all "
      "pairs: peerscope report";
  out.confidence = std::min(0.95, 1.0 - ratio / 2.0);
  out.evidence = {{"bandwidth_bytes_per_s", bandwidth},
                  {"others_bandwidth_bytes_per_s", others},
                  {"ratio", ratio},
                  {"samples", static_cast<double>(samples)}};
  return out;
}

Finding port_finding(const Snapshot& snapshot, const PairKey& key, int rank, const Pairs& pairs,
                     double others) {
  Finding out = finding(snapshot, key, pairs, others);
  out.subject.rank = rank;
  out.subject.peer.reset();
  out.subject.device = device_of(*snapshot.aggregates, std::get<0>(key), rank);
  out.sentence = fmt::format("Rank {} and its peers, all {} pairs,{}", rank, pairs.size(),
                             out.sentence.replace(0, sizeof " moves" - 1, " move"));
  return out;
}

void judge(const Snapshot& snapshot, const PairKey& key, const Pairs& all,
           const DetectOptions& options, std::vector<Finding>& out) {
  double time_ns = 0.0, typical = 0.0;
  for (const PairState* pair : all) time_ns += pair->time_ns;
  const auto add = [&](Finding finding, const Pairs& pairs) {
    double lost_ns = 0;
    for (const PairState* pair : pairs)
      lost_ns += pair->time_ns * std::max(0.0, 1.0 - pair->bytes_per_s / typical);
    if (time_ns > 0.0) finding.impact = std::clamp(lost_ns / time_ns, 0.0, 1.0);
    out.push_back(std::move(finding));
  };
  const auto split = [&all](auto belongs) {
    std::pair<Pairs, Pairs> parts;
    for (const PairState* pair : all)
      (belongs(pair->way) ? parts.first : parts.second).push_back(pair);
    return parts;
  };
  int most = 0;
  for (const PairState* pair : all) most = std::max<int>({most, pair->way.from, pair->way.to});
  for (int rank = 0; rank <= most; ++rank) {
    const auto [own, others] =
        split([rank](const Direction& d) { return d.from == rank || d.to == rank; });
    if (own.size() < 3 || others.size() < 2) continue;
    if (stand_apart(own, others, typical, options))
      return add(port_finding(snapshot, key, rank, own, typical), own);
  }
  if (all.size() < 3) return;
  for (const PairState* pair : all) {
    const auto [own, others] = split(
        [pair](const Direction& d) { return d.from == pair->way.from && d.to == pair->way.to; });
    // The other way between the two may be as slow: it is the same link.
    const auto [link, apart] = split([pair](const Direction& d) {
      return std::minmax(d.from, d.to) == std::minmax(pair->way.from, pair->way.to);
    });
    if (link.size() > 1 && apart.size() >= 2 && stand_apart(link, apart, typical, options)) {
      const auto slowest = std::min_element(link.begin(), link.end(), [](auto* a, auto* b) {
        return a->bytes_per_s < b->bytes_per_s;
      });
      return add(finding(snapshot, key, {*slowest}, typical), link);
    }
    if (stand_apart(own, others, typical, options)) add(finding(snapshot, key, own, typical), own);
  }
}

}  // namespace

void detect_low_bandwidth_pair(const Snapshot& snapshot, const DetectOptions& options,
                               std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  for (const PairGroup& group : pair_groups(*snapshot.aggregates, options, false)) {
    Pairs pairs;
    for (const PairState& pair : group.pairs) {
      if (pair.samples >= options.pair.min_samples) pairs.push_back(&pair);
    }
    if (!pairs.empty()) judge(snapshot, group.key, pairs, options, out);
  }
}

}  // namespace peerscope
