// A recording process that went without a word, outside any operation. (What it was in is told by hang.)
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {

void detect_process_died(const Snapshot& snapshot, const DetectOptions& /*options*/,
                         std::vector<Finding>& out) {
  for (const ProcessView& process : snapshot.processes) {
    if (process.state != ProcessState::dead) continue;
    const bool inside =
        std::any_of(snapshot.in_flight.begin(), snapshot.in_flight.end(),
                    [&](const InFlight& entry) { return entry.pid == process.pid; });
    if (inside) continue;
    Finding finding;
    finding.kind = "process_died";
    finding.severity = Severity::warning;
    const std::string since =
        since_in_words(process.last_sign_ns, snapshot.now_ns);  // "since 2 s ago"
    finding.sentence = fmt::format(
        "Process {} ({}) went without closing its session: killed, crashed, or _exit. It last gave "
        "a sign of life {}, after {} operations; none was in flight.",
        process.pid, process.name, since.empty() ? "some time ago" : since.substr(6),
        format_count(process.operations));
    finding.action = "Look for why it ended: exit status, its own log, the kernel's log (dmesg)";
    finding.confidence = 0.9;
    finding.impact = 1.0;
    finding.since_ns = process.last_sign_ns;
    finding.evidence = {{"pid", static_cast<double>(process.pid)},
                        {"operations", static_cast<double>(process.operations)},
                        {"errors", static_cast<double>(process.errors)}};
    out.push_back(std::move(finding));
  }
}

}  // namespace peerscope
