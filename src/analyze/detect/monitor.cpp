// The monitor's own health: what it missed and what it costs.
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "base/units.hpp"

namespace peerscope {

void detect_records_lost(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out) {
  const std::uint64_t missing = snapshot.lost + snapshot.dropped;
  if (missing == 0) return;
  const double share =
      static_cast<double>(missing) / static_cast<double>(missing + snapshot.delivered);
  Finding finding;
  finding.kind = "records_lost";
  finding.severity = share >= options.lost_warning_share ? Severity::warning : Severity::info;
  finding.sentence = fmt::format(
      "{} of {} records ({}) are missing: {} overwritten before they were read, {} refused. Counts "
      "and rates are too low by that.",
      format_count(missing), format_count(missing + snapshot.delivered), format_percent(share),
      format_count(snapshot.lost), format_count(snapshot.dropped));
  finding.action =
      "Give the rings more memory (PEERSCOPE_SEGMENT_BYTES) or record less (PEERSCOPE_LEVEL=basic)";
  finding.confidence = 0.99;  // counted, not estimated
  finding.evidence = {{"lost", static_cast<double>(snapshot.lost)},
                      {"dropped", static_cast<double>(snapshot.dropped)},
                      {"delivered", static_cast<double>(snapshot.delivered)},
                      {"missing_share", share}};
  out.push_back(std::move(finding));
}

void detect_overhead(const Snapshot& snapshot, const DetectOptions& options,
                     std::vector<Finding>& out) {
  if (!(snapshot.overhead_fraction > options.overhead_budget)) return;
  const auto heavier = [](const ProcessView& a, const ProcessView& b) {
    return a.overhead_fraction < b.overhead_fraction;
  };
  const auto most = std::max_element(snapshot.processes.begin(), snapshot.processes.end(), heavier);
  Finding finding;
  finding.kind = "overhead";
  finding.sentence = fmt::format(
      "Recording takes {} of the time (host clock), more than its budget of {}{}.",
      format_percent(snapshot.overhead_fraction), format_percent(options.overhead_budget),
      most != snapshot.processes.end() ? fmt::format("; most in {} (pid {})", most->name, most->pid)
                                       : "");
  finding.action = "Record less: PEERSCOPE_LEVEL=basic";
  finding.confidence = 0.9;
  finding.impact = std::clamp(snapshot.overhead_fraction, 0.0, 1.0);
  finding.evidence = {{"overhead_share", snapshot.overhead_fraction},
                      {"budget_share", options.overhead_budget}};
  out.push_back(std::move(finding));
}

}  // namespace peerscope
