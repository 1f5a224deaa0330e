// One detector a file; detectors.cpp holds the table.
#pragma once

#include "analyze/detect/detect.hpp"

namespace peerscope {

void detect_hang(const Snapshot& snapshot, const DetectOptions& options, std::vector<Finding>& out);
void detect_process_died(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out);
void detect_mismatch(const Snapshot& snapshot, const DetectOptions& options,
                     std::vector<Finding>& out);
void detect_straggler(const Snapshot& snapshot, const DetectOptions& options,
                      std::vector<Finding>& out);
void detect_arrival_skew(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out);
void detect_failure_rate(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out);
void detect_retries(const Snapshot& snapshot, const DetectOptions& options,
                    std::vector<Finding>& out);
void detect_pool_pressure(const Snapshot& snapshot, const DetectOptions& options,
                          std::vector<Finding>& out);
void detect_machine(const Snapshot& snapshot, const DetectOptions& options,
                    std::vector<Finding>& out);
void detect_links(const Snapshot& snapshot, const DetectOptions& options,
                  std::vector<Finding>& out);
void detect_flapping_device(const Snapshot& snapshot, const DetectOptions& options,
                            std::vector<Finding>& out);
void detect_slow_path(const Snapshot& snapshot, const DetectOptions& options,
                      std::vector<Finding>& out);
void detect_low_bandwidth_pair(const Snapshot& snapshot, const DetectOptions& options,
                               std::vector<Finding>& out);
void detect_changes(const Snapshot& snapshot, const DetectOptions& options,
                    std::vector<Finding>& out);
void detect_slow_operation(const Snapshot& snapshot, const DetectOptions& options,
                           std::vector<Finding>& out);
void detect_wrong_algorithm(const Snapshot& snapshot, const DetectOptions& options,
                            std::vector<Finding>& out);
void detect_suggestion_outcome(const Snapshot& snapshot, const DetectOptions& options,
                               std::vector<Finding>& out);
void detect_latency_bound(const Snapshot& snapshot, const DetectOptions& options,
                          std::vector<Finding>& out);
void detect_host_bound(const Snapshot& snapshot, const DetectOptions& options,
                       std::vector<Finding>& out);
void detect_pair_imbalance(const Snapshot& snapshot, const DetectOptions& options,
                           std::vector<Finding>& out);
void detect_records_lost(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out);
void detect_overhead(const Snapshot& snapshot, const DetectOptions& options,
                     std::vector<Finding>& out);
void detect_trace_incomplete(const Snapshot& snapshot, const DetectOptions& options,
                             std::vector<Finding>& out);

// After all of them: what others explain becomes information.
void explain_symptoms(std::vector<Finding>& findings);

}  // namespace peerscope
