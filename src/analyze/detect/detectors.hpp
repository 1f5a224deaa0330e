// One detector a file; detectors.cpp holds the table.
#pragma once

#include "analyze/detect/detect.hpp"

namespace peerscope {

void detect_straggler(const Snapshot& snapshot, const DetectOptions& options,
                      std::vector<Finding>& out);
void detect_hang(const Snapshot& snapshot, const DetectOptions& options, std::vector<Finding>& out);
void detect_process_died(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out);
void detect_failure_rate(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out);
void detect_low_bandwidth_pair(const Snapshot& snapshot, const DetectOptions& options,
                               std::vector<Finding>& out);
void detect_slow_operation(const Snapshot& snapshot, const DetectOptions& options,
                           std::vector<Finding>& out);
void detect_latency_bound(const Snapshot& snapshot, const DetectOptions& options,
                          std::vector<Finding>& out);
void detect_records_lost(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out);
void detect_overhead(const Snapshot& snapshot, const DetectOptions& options,
                     std::vector<Finding>& out);
void detect_trace_incomplete(const Snapshot& snapshot, const DetectOptions& options,
                             std::vector<Finding>& out);

}  // namespace peerscope
