#include "analyze/detect/detectors.hpp"

#include <algorithm>

namespace peerscope {
namespace {

constexpr Detector kDetectors[] = {
    detect_hang,
    detect_process_died,
    detect_straggler,
    detect_failure_rate,
    detect_low_bandwidth_pair,
    detect_slow_operation,
    detect_latency_bound,
    detect_records_lost,
    detect_overhead,
    detect_trace_incomplete,
};

}  // namespace

std::vector<Finding> detect(const Snapshot& snapshot, const DetectOptions& options) {
  std::vector<Finding> findings;
  for (const Detector detector : kDetectors) detector(snapshot, options, findings);
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
