// All that is known at one moment: what CLI, HTTP and terminal views print and what detectors
// judge. Plain data.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analyze/aggregates.hpp"
#include "analyze/machine.hpp"
#include "model/finding.hpp"
#include "model/op.hpp"
#include "model/process_state.hpp"

namespace peerscope {

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
  std::uint64_t before = 0;      // overwritten before this reader attached
  std::uint64_t bytes = 0, errors = 0;
  std::uint64_t threads = 0, segment_bytes = 0;
  double overhead_fraction =
      0.0;                    // its recorded operations times what one costs there, over its life
  double pair_cost_ns = 0.0;  // what recording one operation costs there, measured at its start
  std::string path;
  std::int64_t created_ns = kUnknownNs, created_real_ns = 0;
  std::int64_t last_sign_ns = kUnknownNs;
  bool stopped = false;  // live, and the kernel does not let it run: SIGSTOP, a debugger
  std::optional<int> rank;  // if it is one and the same in all its communicators
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
  double value = 0.0;                     // counter: total; gauge: latest; histogram: mean
  std::uint64_t count = 0;                // histogram: samples
  double p50 = kUnknown, p99 = kUnknown;  // histogram only
  std::optional<int> rank =
      std::nullopt;  // of a gauge that each rank has for itself ("pool.*"); else of all processes
};

// Where operations spend their time inside (level comprehensive), host clock.
struct PhaseView {
  Kind kind = Kind::other;
  std::string name;
  std::uint64_t count = 0;
  double p50_ns = kUnknown, p99_ns = kUnknown, total_ns = 0.0;
};

// Who calls (level comprehensive): module, symbol and offset.
struct CallSiteView {
  Kind kind = Kind::other;
  std::string site;
  std::uint64_t count = 0;
};

struct EventView {
  std::int64_t at_ns = 0;
  std::uint8_t severity = 0;  // pscope_severity
  std::string name;
  std::uint32_t pid = 0;
  std::int64_t value = 0;
};

// The file that a session is being written to.
struct TraceView {
  std::string path;                         // empty: none
  std::uint64_t operations = 0, bytes = 0;  // written; on disk
  std::uint64_t not_written = 0;            // discarded because the disk was full
  bool suspended = false;                   // it is full now
  std::int64_t since_ns = kUnknownNs;
  std::string why;
};

struct Snapshot {
  std::int64_t now_ns = 0;
  std::int64_t real_offset_ns = 0;               // add to a monotonic time to get the system's
  std::shared_ptr<const Aggregates> aggregates;  // null: nothing was aggregated yet
  std::vector<ProcessView> processes;
  std::vector<InFlight> in_flight;
  std::vector<CommView> communicators;
  std::vector<MetricView> metrics;
  std::vector<PhaseView> phases;         // the most expensive first
  std::vector<CallSiteView> call_sites;  // the most frequent first
  std::vector<EventView> events;         // the last ones, oldest first
  TraceView trace;
  std::shared_ptr<const MachineSummary> machine;  // null: nobody reads the GPUs
  double overhead_fraction = 0.0;                 // of the monitor itself, over all processes
  std::uint64_t lost = 0, dropped = 0, delivered = 0;
  std::vector<Finding> findings;
};

}  // namespace peerscope
