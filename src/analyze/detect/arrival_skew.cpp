// Ranks wait for each other more than they communicate, and no one of them is the late one: the work
// between collectives is uneven, and its burden moves about.
#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

// The largest share of collectives in which one rank was the last.
double most_often_last(std::span<const RankRow> ranks, std::uint64_t comm) {
  double most = 0;
  for (const RankRow& rank : ranks) {
    if (rank.comm == comm) most = std::max(most, rank.recent.last_share());
  }
  return most;
}

bool has_straggler(const std::vector<Finding>& found, const std::string& communicator) {
  return std::any_of(found.begin(), found.end(), [&](const Finding& finding) {
    return finding.kind == "straggler" && finding.subject.communicator == communicator;
  });
}

}  // namespace

void detect_arrival_skew(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  for (const CommunicatorRow& comm : snapshot.aggregates->communicators) {
    const CommunicatorStats& recent = comm.recent;
    if (recent.complete < options.skew.min_collectives || comm.ranks < 2) continue;
    if (recent.span_ns <= 0 || recent.skew_p50_ns < options.skew.min_skew_ns) continue;
    const double transfer_ns = recent.transfer_p50_ns;
    if (transfer_ns >= 0 && recent.skew_p50_ns < options.skew.transfer_ratio * transfer_ns)
      continue;
    const double share = recent.waiting_share();
    const double time_share =
        recent.waiting_ns / (static_cast<double>(recent.span_ns) * static_cast<double>(comm.ranks));
    if (share < options.skew.min_waiting_share || time_share < options.skew.min_time_share)
      continue;
    const std::string communicator = communicator_name(snapshot, comm.id);
    if (has_straggler(out, communicator)) continue;
    Finding finding;
    finding.kind = "arrival_skew";
    finding.severity = Severity::info;  // how a program divides its work is its own affair
    finding.subject.communicator = communicator;
    finding.subject.operation = std::string(name(comm.dominant));
    finding.sentence = fmt::format(
        "Ranks spend {} of their time waiting for each other: half of the collectives have {} and "
        "more between the first and the last arrival (host clock), and no rank is the last in more "
        "than {} of them.",
        format_percent(time_share), format_duration(recent.skew_p50_ns),
        format_percent(most_often_last(snapshot.aggregates->ranks, comm.id)));
    finding.action =
        "Even out the work between collectives (batch by size, pin ranks to cores of their own); "
        "by "
        "rank: peerscope report";
    finding.confidence = 0.8;
    finding.impact = std::clamp(share, 0.0, 1.0);
    finding.evidence = {{"skew_p50_host_ns", recent.skew_p50_ns},
                        {"waiting_share", share},
                        {"time_share", time_share},
                        {"collectives", static_cast<double>(recent.complete)}};
    if (transfer_ns >= 0) finding.evidence.emplace_back("transfer_p50_host_ns", transfer_ns);
    out.push_back(std::move(finding));
  }
}

}  // namespace peerscope
