// A link, or a device's port, that has become slow: against its own past, and against what it can do.
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/link_verdicts.hpp"
#include "analyze/detect/pairs.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {

Finding describe_slow_link(const Snapshot& snapshot, const LinkVerdict& verdict) {
  const LinkSuspect& suspect = verdict.suspect;
  Finding out = link_finding(snapshot, verdict.key, suspect);
  out.kind = "slow_link";
  const std::string since = since_in_words(suspect.since_ns, snapshot.now_ns);
  const std::string what =
      suspect.shared
          ? fmt::format("{} pairs together, by something that they share", suspect.slow_pairs)
      : suspect.peer >= 0
          ? "the link between these two is slow, others are as they were"
          : fmt::format("{} of its pairs and no others, so its device's own link is slow",
                        suspect.slow_pairs);
  out.sentence =
      fmt::format("Transfers {} run at {} ({} clock), {:.1f} times slower than before{}: {}.",
                  link_words(suspect), format_bandwidth(suspect.now_bytes_per_s),
                  name(std::get<Clock>(verdict.key)), suspect.slowdown,
                  since.empty() ? "" : ", " + since, what);
  out.action =
      "nvidia-smi nvlink -s and nvidia-smi topo -m of these devices; peerscope devices shows "
      "width, "
      "generation and errors";
  out.confidence = std::clamp(1.0 - 1.0 / (suspect.slowdown * suspect.slowdown), 0.6, 0.97);
  return out;
}

namespace {

// What the driver says the path can do, where the pair's devices are known.
void judge_against_path(const Snapshot& snapshot, const PairGroup& group,
                        const DetectOptions& options, std::vector<Finding>& out) {
  const auto& [comm, kind, size, clock] = group.key;
  for (const PairState& pair : group.pairs) {
    if (pair.samples < options.pair.min_samples) continue;
    if (pair.bytes < static_cast<double>(options.pair.path_bytes)) continue;
    const auto from = device_of(*snapshot.aggregates, comm, pair.way.from);
    const auto to = device_of(*snapshot.aggregates, comm, pair.way.to);
    if (!from || !to) continue;
    for (const PathSummary& path : snapshot.machine->paths) {
      if (path.from != *from || path.to != *to || !path.bandwidth_bytes_per_s) continue;
      const double share = pair.bytes_per_s / *path.bandwidth_bytes_per_s;
      if (!(share < options.pair.min_path_share)) continue;
      Finding finding;
      finding.kind = "slow_link";
      finding.severity =
          Severity::info;  // the driver's figure is a peak that not every algorithm reaches
      finding.subject.rank = pair.way.from;
      finding.subject.peer = pair.way.to;
      finding.subject.device = *from;
      finding.subject.communicator = communicator_name(snapshot, comm);
      finding.subject.operation = std::string(name(kind));
      finding.sentence = fmt::format(
          "Rank {} → rank {} moves {} at {} ({} clock), {} of what its path ({}) can do.",
          pair.way.from, pair.way.to, operation_name(kind, size),
          format_bandwidth(pair.bytes_per_s), name(clock), format_percent(share), path.path);
      finding.action = "Measure the path by itself: peerscope bench p2p";
      finding.confidence = 0.6;
      finding.evidence = {{"bandwidth_bytes_per_s", pair.bytes_per_s},
                          {"path_bytes_per_s", *path.bandwidth_bytes_per_s},
                          {"path_share", share},
                          {"samples", static_cast<double>(pair.samples)}};
      out.push_back(std::move(finding));
    }
  }
}

}  // namespace

void detect_slow_path(const Snapshot& snapshot, const DetectOptions& options,
                      std::vector<Finding>& out) {
  if (!snapshot.aggregates || !snapshot.machine || snapshot.machine->paths.empty()) return;
  for (const PairGroup& group : pair_groups(*snapshot.aggregates, options, false))
    judge_against_path(snapshot, group, options, out);
}

}  // namespace peerscope
