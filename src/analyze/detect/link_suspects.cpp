#include "analyze/detect/link_suspects.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <span>

#include <fmt/format.h>

#include "analyze/detect/change.hpp"
#include "analyze/detect/statistics.hpp"
#include "analyze/detect/words.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kStaleNs = 2'500'000'000;
constexpr std::size_t kMinBefore = 12;

struct SlowPair {
  const PairState* pair = nullptr;
  double slowdown = 1, z = 0, before_ns = 0, now_ns = 0;
  std::uint64_t flaps = 0;
  std::int64_t since_ns = -1;
  [[nodiscard]] double weight() const { return std::log(slowdown); }
  [[nodiscard]] bool touches(int rank) const {
    return pair->way.from == rank || pair->way.to == rank;
  }
};

using Points = std::span<const HistoryPoint>;

// Messages of another size take another time, in the best of health.
bool same_size(Points a, Points b) {
  const auto mean = [](Points points) {
    double sum = 0, known = 0;
    for (const HistoryPoint& point : points) {
      sum += point.bytes;
      known += point.bytes > 0 ? 1 : 0;
    }
    return known > 0 ? sum / known : 0;
  };
  const double before = mean(a), after = mean(b);
  return before > 0 && std::abs(after / before - 1) < 0.1;
}

double mean_of_last(Points points, std::size_t most) {
  std::vector<double> values;
  for (const HistoryPoint& point : points.last(std::min(most, points.size())))
    values.push_back(point.ns);
  return median(std::move(values));
}

std::optional<SlowPair> slow_now(const PairState& pair, Points points,
                                 const DetectOptions& options) {
  const auto min_after = static_cast<std::size_t>(options.link.min_points);
  const Step step = find_step(points, kMinBefore, min_after);
  if (!step.known || step.z < options.link.min_z || step.ratio < options.link.min_slowdown)
    return std::nullopt;
  if (step.overlap > 0.2) return std::nullopt;
  if (mean_of_last(points, 4) < step.before_ns * std::sqrt(step.ratio))
    return std::nullopt;  // over
  if (!same_size(points.first(step.at), points.subspan(step.at))) return std::nullopt;
  return SlowPair{&pair, step.ratio, step.z, step.before_ns, step.after_ns, 0, step.since_ns};
}

std::optional<SlowPair> flapping(const PairState& pair, Points points,
                                 const DetectOptions& options) {
  const Alternation turns = find_alternation(points, options.link.min_slowdown);
  if (turns.slow_runs < options.link.min_flaps || turns.fast_runs < options.link.min_flaps)
    return std::nullopt;
  // Rare slow stretches are noise, and what is slow half of the time and more has no fast level.
  if (turns.slow_share < 0.1 || turns.slow_share > 0.7) return std::nullopt;
  if (turns.slow_ns < turns.fast_ns * options.link.min_slowdown * 1.3) return std::nullopt;
  if (!same_size(points.first(points.size() / 2), points.subspan(points.size() / 2)))
    return std::nullopt;
  return SlowPair{&pair,
                  turns.slow_ns / turns.fast_ns,
                  0,
                  turns.fast_ns,
                  turns.slow_ns,
                  turns.slow_runs,
                  turns.since_ns};
}

// Cheap, and true of all that slow_now() or flapping() can be true of: some points are that much above the fast level.
bool may_have_changed(Points points, const DetectOptions& options) {
  std::vector<float> values;
  values.reserve(points.size());
  for (const HistoryPoint& point : points) values.push_back(point.ns);
  const auto fast = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 6);
  std::nth_element(values.begin(), fast, values.end());
  const float fast_ns = *fast;
  const auto few = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(4, options.link.min_points));
  std::nth_element(values.begin(), values.end() - few, values.end());
  return static_cast<double>(*(values.end() - few)) >=
         options.link.min_slowdown * 0.95 * static_cast<double>(fast_ns);
}

// Both ways between two ranks are one link.
std::pair<int, int> ends_of(const SlowPair& slow) {
  return std::minmax<int>(slow.pair->way.from, slow.pair->way.to);
}

template <class Use>
std::set<int> peers_of(const std::vector<SlowPair>& all, int rank, Use use) {
  std::set<int> peers;
  for (const SlowPair& slow : all) {
    if (!slow.touches(rank) || !use(slow)) continue;
    peers.insert(slow.pair->way.from == rank ? slow.pair->way.to : slow.pair->way.from);
  }
  return peers;
}

void fill(LinkSuspect& suspect, const std::vector<SlowPair>& members) {
  std::vector<double> slowdowns, zs, before, now;
  std::vector<std::int64_t> since;
  std::set<int> ranks;
  for (const SlowPair& slow : members) {
    const double bytes = slow.pair->bytes;
    slowdowns.push_back(slow.slowdown);
    zs.push_back(slow.z);
    before.push_back(bytes / slow.before_ns * 1e9);
    now.push_back(bytes / slow.now_ns * 1e9);
    since.push_back(slow.since_ns);
    suspect.samples += slow.pair->samples;
    suspect.flaps = std::max(suspect.flaps, slow.flaps);
    ranks.insert({slow.pair->way.from, slow.pair->way.to});
  }
  suspect.slow_pairs = members.size();
  suspect.slowdown = median(std::move(slowdowns));
  suspect.z = median(std::move(zs));
  suspect.before_bytes_per_s = median(std::move(before));
  suspect.now_bytes_per_s = median(std::move(now));
  std::sort(since.begin(), since.end());
  suspect.since_ns = since[since.size() / 2];
  suspect.ranks.assign(ranks.begin(), ranks.end());
}

// The rank that touches most of what is slow, by how slow it is: pairs of others that wait for one of its operations to end
// are slower, too, but less so.
int port_of(const std::vector<SlowPair>& all, double port_share) {
  double total = 0;
  std::map<int, double> covered;
  for (const SlowPair& slow : all) {
    total += slow.weight();
    covered[slow.pair->way.from] += slow.weight();
    covered[slow.pair->way.to] += slow.weight();
  }
  int best = -1;
  for (const auto& [rank, weight] : covered) {
    if (best < 0 || weight > covered[best]) best = rank;
  }
  const auto any = [](const SlowPair&) { return true; };
  if (best < 0 || covered[best] < port_share * total || peers_of(all, best, any).size() < 2)
    return -1;
  for (const auto& [rank, weight] : covered) {
    if (rank != best && weight > 0.8 * covered[best]) return -1;  // no one rank explains it
  }
  return best;
}

struct Panel {  // of one group: all that was judged
  std::vector<SlowPair> slow, flaps;
  std::size_t judged = 0;
  double all_ns = 0;
};

Panel judge_pairs(const PairGroup& group, std::int64_t now_ns, const DetectOptions& options) {
  Panel panel;
  for (const PairState& pair : group.pairs) {
    const Points points = pair.points;
    panel.all_ns += pair.time_ns;
    if (points.size() < kMinBefore + 2 || now_ns - points.back().end_ns() > kStaleNs) continue;
    ++panel.judged;
    if (!may_have_changed(points, options)) continue;
    if (auto turns = flapping(pair, points, options)) {
      panel.flaps.push_back(*turns);
    } else if (auto step = slow_now(pair, points, options)) {
      panel.slow.push_back(*step);
    }
  }
  return panel;
}

LinkSuspect made(LinkTrouble trouble, int rank, int peer, const std::vector<SlowPair>& members,
                 const Panel& panel) {
  LinkSuspect suspect;
  suspect.trouble = trouble;
  suspect.rank = rank;
  suspect.peer = peer;
  suspect.shared = rank < 0;
  suspect.judged_pairs = panel.judged;
  fill(suspect, members);
  double lost_ns = 0;
  for (const SlowPair& member : members)
    lost_ns += member.pair->time_ns * (1.0 - 1.0 / member.slowdown);
  if (panel.all_ns > 0) suspect.lost_share = std::clamp(lost_ns / panel.all_ns, 0.0, 1.0);
  return suspect;
}

std::optional<LinkSuspect> explain(LinkTrouble trouble, std::vector<SlowPair> slow,
                                   const Panel& panel, const DetectOptions& options) {
  if (slow.empty()) return std::nullopt;
  const int port = port_of(slow, options.link.port_share);
  if (port >= 0) {
    std::erase_if(slow, [port](const SlowPair& s) { return !s.touches(port); });
    return made(trouble, port, -1, slow, panel);
  }
  std::set<std::pair<int, int>> links;
  for (const SlowPair& one : slow) links.insert(ends_of(one));
  if (links.size() == 1) {
    const auto worst = std::max_element(
        slow.begin(), slow.end(),
        [](const SlowPair& a, const SlowPair& b) { return a.slowdown < b.slowdown; });
    return made(trouble, worst->pair->way.from, worst->pair->way.to, slow, panel);
  }
  // Where nearly all pairs of several ranks are slower, it is no link.
  if (4 * slow.size() >= 3 * panel.judged) return std::nullopt;
  return made(trouble, -1, -1, slow, panel);
}

double strength(const LinkSuspect& suspect) {
  return static_cast<double>(suspect.slow_pairs) * std::log(suspect.slowdown);
}

}  // namespace

std::vector<LinkSuspect> suspect_links(const PairGroup& group, std::int64_t now_ns,
                                       const DetectOptions& options) {
  const Panel panel = judge_pairs(group, now_ns, options);
  auto flaps = explain(LinkTrouble::flapping, panel.flaps, panel, options);
  // Pairs of several ranks that are slow in turns wait for something else, each at its time.
  if (flaps && flaps->shared) flaps.reset();
  auto slow = explain(LinkTrouble::slow, panel.slow, panel, options);
  // Ranks that a slow link has made late make others' pairs wait: the weaker of two is the echo of the stronger.
  if (flaps && slow) (strength(*flaps) >= strength(*slow) ? slow : flaps).reset();
  std::vector<LinkSuspect> out;
  for (auto* suspect : {&flaps, &slow}) {
    if (*suspect) out.push_back(std::move(**suspect));
  }
  return out;
}

std::string link_words(const LinkSuspect& suspect) {
  if (suspect.shared) return fmt::format("between {}", lower(ranks_in_words(suspect.ranks)));
  if (suspect.peer < 0) return fmt::format("between rank {} and its peers", suspect.rank);
  return fmt::format("between rank {} and rank {}", suspect.rank, suspect.peer);
}

Finding link_finding(const Snapshot& snapshot, const PairKey& key, const LinkSuspect& suspect) {
  const auto& [comm, kind, size, clock] = key;
  Finding out;
  if (!suspect.shared) {
    out.subject.rank = suspect.rank;
    if (suspect.peer >= 0) out.subject.peer = suspect.peer;
    out.subject.device = device_of(*snapshot.aggregates, comm, suspect.rank);
  }
  out.subject.link = link_words(suspect);
  out.subject.communicator = communicator_name(snapshot, comm);
  out.subject.operation = std::string(name(kind));
  out.since_ns = suspect.since_ns;
  out.impact = suspect.lost_share;
  const char* clock_name = clock == Clock::device ? "device" : "host";
  out.evidence = {
      {fmt::format("bandwidth_{}_bytes_per_s", clock_name), suspect.now_bytes_per_s},
      {fmt::format("bandwidth_before_{}_bytes_per_s", clock_name), suspect.before_bytes_per_s},
      {"slowdown_ratio", suspect.slowdown},
      {"slow_pairs", static_cast<double>(suspect.slow_pairs)},
      {"judged_pairs", static_cast<double>(suspect.judged_pairs)},
      {"samples", static_cast<double>(suspect.samples)}};
  return out;
}

}  // namespace peerscope
