// All that is known at one moment: what CLI, HTTP and terminal views print and what detectors
// judge. Plain data.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "analyze/aggregates.hpp"
#include "model/finding.hpp"
#include "model/op.hpp"

namespace peerscope {

enum class ProcessState : std::uint8_t {
  live,
  ended,
  dead
};  // dead: gone without closing its recorder

constexpr const char* name(ProcessState state) {
  constexpr const char* kNames[] = {"live", "ended", "dead"};
  return kNames[static_cast<int>(state)];
}

struct ProcessView {
  std::uint32_t pid = 0;
  std::string name, session;
  ProcessState state = ProcessState::live;
  Level level = Level::off;
  std::uint64_t operations = 0;  // that it performed
  std::uint64_t recorded = 0;    // records it wrote
  std::uint64_t delivered = 0;   // records read from it
  std::uint64_t lost = 0;        // overwritten before they were read
  std::uint64_t dropped = 0;     // refused by the recorder
  double overhead_fraction = 0.0;
  std::int64_t last_sign_ns = kUnknownNs;
};

struct CommView {
  std::uint64_t id = 0;
  std::string name;
};

enum class MetricType : std::uint8_t { counter, gauge, histogram };

constexpr const char* name(MetricType type) {
  constexpr const char* kNames[] = {"counter", "gauge", "histogram"};
  return kNames[static_cast<int>(type)];
}

// A user's metric, in the user's unit.
struct MetricView {
  std::string name, unit;
  MetricType type = MetricType::gauge;
  double value = 0.0;       // counter: total; gauge: latest; histogram: sum
  std::uint64_t count = 0;  // histogram: samples
  double p50 = kUnknown, p90 = kUnknown, p99 = kUnknown, p999 = kUnknown;  // histogram only
};

struct Snapshot {
  std::int64_t now_ns = 0;
  std::shared_ptr<const Aggregates> aggregates;  // null: nothing was aggregated yet
  std::vector<ProcessView> processes;
  std::vector<InFlight> in_flight;
  std::vector<CommView> communicators;
  std::vector<MetricView> metrics;
  double overhead_fraction = 0.0;  // of the monitor itself, over all processes
  std::uint64_t lost = 0, dropped = 0, delivered = 0;
  std::vector<Finding> findings;
};

}  // namespace peerscope
