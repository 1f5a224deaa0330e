#include "analyze/detect/link_verdicts.hpp"

#include <algorithm>

namespace peerscope {
namespace {

DeviceFlaps flaps_of(const Snapshot& snapshot, std::optional<int> device) {
  if (!device || !snapshot.machine) return {};
  for (const DeviceSummary& summary : snapshot.machine->devices) {
    if (summary.index == *device) return device_flaps(summary);
  }
  return {};
}

LinkWord word_of(const LinkVerdict& verdict, const DetectOptions& options) {
  const bool flaps =
      verdict.flaps.error_bursts >= options.link.min_error_bursts || verdict.flaps.drops >= 2;
  if (flaps) return LinkWord::flapping;
  if (verdict.foreign && verdict.foreign->ratio >= options.link.foreign_ratio)
    return LinkWord::contention;
  return verdict.suspect.trouble == LinkTrouble::flapping ? LinkWord::flapping : LinkWord::slow;
}

// The same place seen by several sizes or kinds is told once, by what is slowest.
void keep_one_a_place(std::vector<LinkVerdict>& verdicts) {
  std::stable_sort(verdicts.begin(), verdicts.end(), [](const auto& a, const auto& b) {
    return a.suspect.slowdown > b.suspect.slowdown;
  });
  const auto same = [](const LinkVerdict& a, const LinkVerdict& b) {
    return std::get<0>(a.key) == std::get<0>(b.key) && a.suspect.shared == b.suspect.shared &&
           a.suspect.rank == b.suspect.rank &&
           (a.suspect.peer == b.suspect.peer || a.suspect.peer < 0 || b.suspect.peer < 0);
  };
  std::vector<LinkVerdict> kept;
  for (LinkVerdict& verdict : verdicts) {
    if (std::none_of(kept.begin(), kept.end(), [&](const auto& k) { return same(k, verdict); }))
      kept.push_back(std::move(verdict));
  }
  verdicts = std::move(kept);
}

}  // namespace

std::vector<LinkVerdict> judge_links(const Snapshot& snapshot, const DetectOptions& options) {
  std::vector<LinkVerdict> out;
  if (!snapshot.aggregates) return out;
  for (const PairGroup& group : pair_groups(*snapshot.aggregates, options, true)) {
    for (LinkSuspect& suspect : suspect_links(group, snapshot.now_ns, options)) {
      LinkVerdict verdict;
      verdict.key = group.key;
      verdict.suspect = std::move(suspect);
      if (!verdict.suspect.shared) {
        const std::uint64_t comm = std::get<0>(group.key);
        verdict.device = device_of(*snapshot.aggregates, comm, verdict.suspect.rank);
        if (verdict.device)
          verdict.foreign = foreign_traffic(snapshot, *verdict.device, verdict.suspect.since_ns);
        verdict.flaps = flaps_of(snapshot, verdict.device);
      }
      verdict.word = word_of(verdict, options);
      out.push_back(std::move(verdict));
    }
  }
  keep_one_a_place(out);
  return out;
}

}  // namespace peerscope
