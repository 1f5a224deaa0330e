// Is it well, and if not, why: what of a Snapshot answers that at once. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "analyze/snapshot.hpp"

namespace peerscope {

enum class HealthLevel : std::uint8_t { ok, info, warning, critical, unknown };
constexpr const char* name(HealthLevel level) {
  constexpr const char* kNames[] = {"ok", "info", "warning", "critical", "unknown"};
  return kNames[static_cast<int>(level)];
}

// Shares of the time in communication; kUnknown where nobody can tell.
struct TimeSplit {
  double transfer = kUnknown, waiting = kUnknown;
  double launch = kUnknown;  // the device stood idle while the host enqueued the next operation
  Clock clock = Clock::none;
  std::optional<int> waiting_for_rank;  // that most of the waiting is for
};

// Rates are per second; kUnknown where nothing was measured.
struct Overview {
  HealthLevel health = HealthLevel::unknown;
  std::string sentence;
  double operations_per_s = kUnknown, bytes_per_s = kUnknown, errors_per_s = kUnknown;
  double success_rate = kUnknown;
  double communication_share = kUnknown;  // of the ranks' time, host clock
  double waiting_share = kUnknown;        // of that
  const OperationRow* main = nullptr;     // that most time goes to; points into the snapshot
  TimeSplit split;
};
Overview overview_of(const Snapshot& snapshot, Window window);

// One second of a run.
struct Point {
  std::int64_t at_ns = 0;  // its end
  double operations_per_s = 0, bytes_per_s = 0, errors_per_s = 0;
  double communication_share = kUnknown, waiting_share = kUnknown, busbw_bytes_per_s = kUnknown;
  double p50_ns = kUnknown, p99_ns = kUnknown;  // of the main operation, device clock where known
};
Point point_of(const Snapshot& snapshot);

// The times of a row that are worth showing: the device's where known, else the host's.
const Distribution& times_of(const OperationStats& stats);

}  // namespace peerscope
