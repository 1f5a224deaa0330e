#include "analyze/detect/pairs.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "analyze/detect/statistics.hpp"
#include "analyze/detect/words.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kStaleNs = 2'500'000'000;
constexpr std::size_t kMinBefore = 12;

}  // namespace

std::vector<PairGroup> pair_groups(const Aggregates& aggregates, const DetectOptions& options) {
  std::map<PairKey, std::vector<PairState>> groups;
  for (const CellRow& cell : aggregates.cells) {
    const Direction way = direction(cell.kind, cell.rank, cell.peer);
    if (!way.known() || cell.other || cell.count == 0) continue;
    const bool on_device = cell.device_time.known();
    // The host's clock knows the enqueue only of what is asynchronous; a rank with a root may be done long before the
    // others, and a receiver waits for its sender first.
    if (!on_device && (cell.async || has_root(cell.kind) || cell.kind == Kind::recv)) continue;
    const Distribution& time = on_device ? cell.device_time : cell.host;
    const double bytes = static_cast<double>(cell.bytes) / static_cast<double>(cell.count);
    if (time.p50_ns <= 0.0 || bytes < static_cast<double>(options.pair.min_bytes)) continue;
    groups[{cell.comm, cell.kind, cell.size_class, on_device ? Clock::device : Clock::host}]
        .push_back({&cell, way, bytes / time.p50_ns * 1e9,
                    time.mean_ns * static_cast<double>(time.count), time.count});
  }
  std::vector<PairGroup> out;
  for (auto& [key, pairs] : groups) out.push_back({key, std::move(pairs)});
  return out;
}

namespace {

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
    double sum = 0;
    for (const HistoryPoint& point : points) sum += point.bytes;
    return sum / static_cast<double>(points.size());
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

// Cheap, and true of all that slow_now() or flapping() can be true of.
bool may_have_changed(Points points, double ratio) {
  float least = points.front().ns, most = least;
  for (const HistoryPoint& point : points) {
    least = std::min(least, point.ns);
    most = std::max(most, point.ns);
  }
  return static_cast<double>(most) >= ratio * static_cast<double>(least);
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
    const double bytes = slow.pair->bytes_per_s * 1e-9 *
                         (slow.pair->cell->device_time.known() ? slow.pair->cell->device_time.p50_ns
                                                               : slow.pair->cell->host.p50_ns);
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

}  // namespace

std::vector<LinkSuspect> suspect_links(const PairGroup& group, std::int64_t now_ns,
                                       const DetectOptions& options) {
  std::vector<SlowPair> slow, flaps;
  std::size_t judged = 0;
  double all_ns = 0;
  for (const PairState& pair : group.pairs) {
    const Points points = pair.cell->history;
    all_ns += pair.time_ns;
    if (points.size() < kMinBefore + 2 || now_ns - points.back().end_ns() > kStaleNs) continue;
    ++judged;
    if (!may_have_changed(points, options.link.min_slowdown)) continue;
    if (auto found = flapping(pair, points, options)) {
      flaps.push_back(*found);
    } else if (auto step = slow_now(pair, points, options)) {
      slow.push_back(*step);
    }
  }
  std::vector<LinkSuspect> out;
  const auto add = [&](LinkTrouble trouble, int rank, int peer,
                       const std::vector<SlowPair>& members) {
    LinkSuspect suspect;
    suspect.trouble = trouble;
    suspect.rank = rank;
    suspect.peer = peer;
    suspect.shared = rank < 0;
    suspect.judged_pairs = judged;
    fill(suspect, members);
    double lost_ns = 0;
    for (const SlowPair& member : members)
      lost_ns += member.pair->time_ns * (1.0 - 1.0 / member.slowdown);
    suspect.lost_share = all_ns > 0 ? std::clamp(lost_ns / all_ns, 0.0, 1.0) : 0.0;
    out.push_back(std::move(suspect));
  };
  const auto explain = [&](LinkTrouble trouble, std::vector<SlowPair> rest) {
    if (rest.empty()) return;
    std::set<std::pair<int, int>> links;
    for (const SlowPair& one : rest) links.insert(ends_of(one));
    // Where nearly all pairs of several ranks are slower, it is no link.
    const int port = port_of(rest, options.link.port_share);
    if (port < 0 && links.size() > 1 && 4 * rest.size() >= 3 * judged) return;
    if (port >= 0) {
      const auto other = std::stable_partition(
          rest.begin(), rest.end(), [port](const SlowPair& s) { return s.touches(port); });
      rest.erase(other, rest.end());
      add(trouble, port, -1, rest);
      return;
    }
    if (links.size() == 1) {
      const auto worst = std::max_element(
          rest.begin(), rest.end(),
          [](const SlowPair& a, const SlowPair& b) { return a.slowdown < b.slowdown; });
      add(trouble, worst->pair->way.from, worst->pair->way.to, rest);
      return;
    }
    add(trouble, -1, -1, rest);
  };
  if (!flaps.empty()) {
    // What stands in a slow stretch now, or has flapped too rarely yet, is of the same trouble.
    explain(LinkTrouble::flapping, std::move(flaps));
    const LinkSuspect* known = out.empty() ? nullptr : &out.front();
    if (known != nullptr) {
      std::erase_if(slow,
                    [known](const SlowPair& s) { return known->shared || s.touches(known->rank); });
    }
  }
  explain(LinkTrouble::slow, std::move(slow));
  return out;
}

std::optional<int> device_of(const Aggregates& aggregates, std::uint64_t comm, int rank) {
  for (const CellRow& cell : aggregates.cells) {
    if (cell.comm == comm && cell.rank == rank && cell.device != kNoDevice && !cell.other)
      return cell.device;
  }
  return std::nullopt;
}

namespace {

// The mean over moments in [begin, end).
std::optional<double> mean_rate(const DeviceSummary& device,
                                std::optional<double> DeviceMoment::* rate, std::int64_t begin_ns,
                                std::int64_t end_ns) {
  double sum = 0;
  std::size_t count = 0;
  for (const DeviceMoment& moment : device.history) {
    if (moment.at_ns < begin_ns || moment.at_ns >= end_ns || !(moment.*rate)) continue;
    sum += *(moment.*rate);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

}  // namespace

std::optional<ForeignTraffic> foreign_traffic(const Snapshot& snapshot, int device,
                                              std::int64_t since_ns) {
  if (!snapshot.machine || !snapshot.aggregates) return std::nullopt;
  const auto summary =
      std::find_if(snapshot.machine->devices.begin(), snapshot.machine->devices.end(),
                   [device](const DeviceSummary& d) { return d.index == device; });
  const auto row =
      std::find_if(snapshot.aggregates->devices.begin(), snapshot.aggregates->devices.end(),
                   [device](const DeviceRow& d) { return d.device == device; });
  if (summary == snapshot.machine->devices.end() || row == snapshot.aggregates->devices.end())
    return std::nullopt;
  const double own_now = row->windows.in(Window::second).bytes_per_s();
  const double own_before = row->windows.in(Window::all).bytes_per_s();
  if (own_now <= 0 || own_before <= 0) return std::nullopt;
  std::optional<ForeignTraffic> most;
  for (const auto& [rate, link] : {std::pair{&DeviceMoment::nvlink_bytes_per_s, "NVLink"},
                                   std::pair{&DeviceMoment::pcie_bytes_per_s, "PCIe"}}) {
    const auto before = mean_rate(*summary, rate, 0, since_ns);
    const auto now =
        mean_rate(*summary, rate, std::max(since_ns, snapshot.now_ns - 1'500'000'000), INT64_MAX);
    if (!before || !now || *now <= 0) continue;
    // A link that carried next to nothing of ours before: a byte of ours for each is the least to compare with.
    const double per_own_before = std::max(*before / own_before, 0.01);
    const double ratio = *now / own_now / per_own_before;
    // Ours may have changed its ways; then it has not become more on the link at the same time.
    const double bounded = std::min(ratio, *now / std::max(*before * own_now / own_before, 1.0));
    if (!most || bounded > most->ratio) most = ForeignTraffic{bounded, *now, *before, link};
  }
  return most;
}

DeviceFlaps device_flaps(const DeviceSummary& device) {
  DeviceFlaps flaps;
  constexpr std::int64_t kCalmNs = 200'000'000;
  std::int64_t last_rise_ns = INT64_MIN / 2;
  for (std::size_t i = 1; i < device.history.size(); ++i) {
    const DeviceMoment& before = device.history[i - 1];
    const DeviceMoment& now = device.history[i];
    if (now.errors > before.errors) {
      // Risen again, after a reading without a rise.
      if (before.at_ns - last_rise_ns >= kCalmNs) ++flaps.error_bursts;
      last_rise_ns = now.at_ns;
      if (flaps.since_ns < 0) flaps.since_ns = now.at_ns;
    }
    if (now.links_active < before.links_active) {
      ++flaps.drops;
      if (flaps.since_ns < 0) flaps.since_ns = now.at_ns;
    }
  }
  return flaps;
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
