// The recording's own health: whether what happens reaches the disk.
#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "base/units.hpp"

namespace peerscope {

void detect_trace_incomplete(const Snapshot& snapshot, const DetectOptions&,
                             std::vector<Finding>& out) {
  const TraceView& trace = snapshot.trace;
  if (trace.not_written == 0 && !trace.suspended) return;
  Finding finding;
  finding.kind = "trace_incomplete";
  finding.severity = trace.suspended ? Severity::critical : Severity::warning;
  if (trace.suspended) {
    const auto for_ns = static_cast<double>(snapshot.now_ns - trace.since_ns);
    finding.sentence = fmt::format(
        "Nothing has been written to the trace for {}: {}. {} operations are not in it; live views "
        "go on.",
        format_duration(for_ns > 0 ? for_ns : 0), trace.why, format_count(trace.not_written));
    finding.action =
        "Make room: writing goes on by itself. Bound the trace with --set trace.max_bytes=1G";
    finding.since_ns = trace.since_ns;
  } else {
    finding.sentence = fmt::format("{} operations are not in {}: the disk was full for a while.",
                                   format_count(trace.not_written), trace.path);
    finding.action = "Bound the trace (--set trace.max_bytes=1G) or write it to a larger disk";
  }
  finding.confidence = 1.0;  // counted, not estimated
  finding.evidence = {{"not_written", static_cast<double>(trace.not_written)},
                      {"written", static_cast<double>(trace.operations)}};
  out.push_back(std::move(finding));
}

}  // namespace peerscope
