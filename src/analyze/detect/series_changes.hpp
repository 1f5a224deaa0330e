// Which operations take longer than they did, and how it came: at once or bit by bit.
#pragma once

#include <vector>

#include "analyze/detect/change.hpp"
#include "analyze/detect/detect.hpp"

namespace peerscope {

struct SeriesChange {
  const OperationRow* row = nullptr;
  double time_share = 0;  // of all host time of the last 10 s
  Step step;
  Trend trend;
  std::int64_t since_ns = -1, end_ns = -1;  // of the trend
  bool steps = false, drifts = false;       // one of them
};
std::vector<SeriesChange> series_changes(const Snapshot& snapshot, const DetectOptions& options);

// What several sizes of one kind have in common, one file each: step_change.cpp, drift.cpp.
Finding describe_step_change(const Snapshot& snapshot, Kind kind,
                             const std::vector<SeriesChange>& changes);
Finding describe_drift(const Snapshot& snapshot, Kind kind,
                       const std::vector<SeriesChange>& changes);

}  // namespace peerscope
