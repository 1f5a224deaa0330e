// Operations that fail and are done again: they end well in the end, and cost the time of the failures.
#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {

void detect_retries(const Snapshot& snapshot, const DetectOptions& options,
                    std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  for (const ErrorRow& row : snapshot.aggregates->errors) {
    const Traffic& recent = row.windows.in(Window::ten_seconds);
    const Traffic& all = row.windows.in(Window::all);
    if (recent.count < 3 || row.rank == kNoRank || all.count == 0) continue;
    const double recovered = static_cast<double>(row.recovered) / static_cast<double>(all.count);
    if (recovered < options.failure.retry_share) continue;
    Finding finding;
    finding.kind = "retries";
    finding.severity = Severity::info;  // that they fail is a finding of failure_rate
    finding.subject.rank = row.rank;
    if (row.peer != kNoPeer) finding.subject.peer = row.peer;
    finding.subject.communicator = communicator_name(snapshot, row.comm);
    finding.subject.operation = std::string(name(row.kind));
    const std::string cost = recent.mean_host_ns >= 0
                                 ? fmt::format("; each failure took {} (mean, host clock)",
                                               format_duration(recent.mean_host_ns))
                                 : "";
    finding.sentence =
        fmt::format("Rank {}: {} {}{} failed ({}) in the last 10 s and were done again{}.",
                    row.rank, format_count(recent.count), name(row.kind),
                    row.peer != kNoPeer ? fmt::format(" to or from rank {}", row.peer) : "",
                    name(row.status), cost);
    finding.action =
        "Look for what fails first (link errors: peerscope devices; events of these ranks)";
    finding.confidence = 0.9;
    finding.since_ns = row.first_ns;
    finding.evidence = {{"failures", static_cast<double>(recent.count)},
                        {"recovered_share", recovered}};
    if (recent.mean_host_ns >= 0)
      finding.evidence.emplace_back("failure_mean_host_ns", recent.mean_host_ns);
    out.push_back(std::move(finding));
  }
}

}  // namespace peerscope
