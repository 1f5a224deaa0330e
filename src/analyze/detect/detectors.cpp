#include "analyze/detect/detectors.hpp"

#include <algorithm>

namespace peerscope {
namespace {

// In this order: some look at what those before them found.
constexpr Detector kDetectors[] = {
    detect_mismatch,
    detect_hang,
    detect_process_died,
    detect_straggler,
    detect_arrival_skew,
    detect_failure_rate,
    detect_retries,
    detect_pool_pressure,
    detect_machine,  // degraded_pcie, link_errors, ...
    detect_links,    // slow_link, contention, flapping_link
    detect_flapping_device,
    detect_slow_path,
    detect_low_bandwidth_pair,
    detect_changes,  // step_change, drift
    detect_slow_operation,
    detect_wrong_algorithm,
    detect_suggestion_outcome,
    detect_latency_bound,
    detect_host_bound,
    detect_pair_imbalance,
    detect_records_lost,
    detect_overhead,
    detect_trace_incomplete,
};

}  // namespace

std::vector<Finding> detect(const Snapshot& snapshot, const DetectOptions& options) {
  std::vector<Finding> findings;
  for (const Detector detector : kDetectors) detector(snapshot, options, findings);
  explain_symptoms(findings);
  order(findings);
  return findings;
}

void order(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    if (a.severity != b.severity) return a.severity > b.severity;
    return a.impact > b.impact;
  });
}

}  // namespace peerscope
