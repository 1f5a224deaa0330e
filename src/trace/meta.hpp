// What a trace says about the session itself: who, where, with which devices, clocks and settings,
// and what the monitor cost and missed. Stored as JSON (docs/trace-format.md); the last one in a
// file holds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/op.hpp"
#include "model/process_state.hpp"

namespace peerscope {

struct TraceHost {
  std::string name, os, boot_id;
  std::int64_t shift_ns = 0;  // was added to this host's times when traces were merged
  std::int64_t shift_uncertainty_ns = 0;
};

struct TraceProcess {
  std::uint32_t index = 0;  // Op::process
  std::uint32_t host = 0;   // index into hosts
  std::uint32_t pid = 0;
  std::string name, session, library_version, clock;  // clock: "tsc", "monotonic"
  ProcessState state = ProcessState::live;
  Level level = Level::off;
  std::int64_t created_ns = kUnknownNs, created_real_ns = 0;
  std::uint64_t operations = 0, bytes = 0, errors = 0;  // exact, from its own counters
  std::uint64_t recorded = 0, delivered = 0, lost = 0, before = 0, dropped = 0;
  double pair_cost_ns = 0, overhead_fraction = 0;
};

struct TraceDevice {
  std::uint32_t host = 0;
  std::uint16_t index = kNoDevice;
  std::string name, uuid, pci_bus_id;
};

struct TraceLink {  // one direction
  std::uint32_t host = 0;
  std::uint16_t from = kNoDevice, to = kNoDevice;
  std::string type;                   // nvidia-smi's legend: "NV18", "PIX", ...; "" unknown
  double bandwidth_bytes_per_s = -1;  // expected; -1 unknown
  double measured_bytes_per_s = -1;
  std::string source;  // who says so: "nvbandwidth device_to_device_memcpy_read_ce"
};

struct TraceMember {
  std::uint16_t rank = kNoRank;
  std::uint32_t process = 0;
  std::uint16_t device = kNoDevice;
};

struct TraceComm {
  std::uint64_t id = 0;
  std::string name;
  std::uint16_t ranks = 0;
  Backend backend = Backend::unknown;
  std::vector<TraceMember> members;
};

struct TraceName {  // interned text of one process: phases, events, call sites
  std::uint32_t process = 0;
  std::uint16_t id = 0;
  std::string text;
};

struct TraceSetting {  // configuration in force
  std::string key, value, origin;
};

struct TraceMeasurement {  // a figure that is no operation: an imported benchmark's result
  std::string tool, test, unit;
  double value = 0;
  std::int32_t from = -1, to = -1;  // devices; -1: none
  std::uint64_t bytes = 0;
};

struct TraceClock {
  std::int64_t real_offset_ns = 0;  // add to an operation's time to get the system's
  std::uint64_t uncertainty_ns = 0;
  double ns_per_tick = 1.0;
};

struct TraceMeta {
  std::string session, command, tool = "peerscope", version;  // tool: who wrote it
  std::int64_t created_real_ns = 0;
  TraceClock clock;
  std::vector<TraceHost> hosts;
  std::vector<TraceProcess> processes;
  std::vector<TraceDevice> devices;
  std::vector<TraceLink> links;
  std::vector<TraceComm> communicators;
  std::vector<TraceName> names;
  std::vector<TraceSetting> settings;
  std::vector<TraceSetting> versions;  // of libraries and drivers; origin unused
  std::vector<TraceMeasurement> measurements;
  double overhead_fraction = 0;                          // of the monitor, over all processes
  std::uint64_t lost = 0, dropped = 0, not_written = 0;  // see docs/trace-format.md

  [[nodiscard]] const TraceComm* comm(std::uint64_t id) const;
  // A communicator's name, else its id in hex; "" for 0.
  [[nodiscard]] std::string comm_name(std::uint64_t id) const;
  [[nodiscard]] const TraceProcess* process(std::uint32_t index) const;
  [[nodiscard]] std::string_view name(std::uint32_t process, std::uint16_t id) const;  // "" unknown
};

std::string to_json_text(const TraceMeta& meta);
Result<TraceMeta> parse_meta(std::string_view json);

}  // namespace peerscope
