// What readings of the machine's GPUs add up to over a run, and what is wrong with them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/device.hpp"
#include "model/finding.hpp"

namespace peerscope {

// Of one direction, over the readings in which it was known: the mean weighted by time.
struct RateSummary {
  double bytes = 0, seconds = 0, peak_bytes_per_s = 0;
  [[nodiscard]] std::optional<double> mean_bytes_per_s() const {
    return seconds > 0 ? std::optional<double>(bytes / seconds) : std::nullopt;
  }
};

// What one reading said of one device.
struct DeviceMoment {
  std::int64_t at_ns = 0;
  std::optional<double> nvlink_bytes_per_s,
      pcie_bytes_per_s;      // both directions, since the reading before
  std::uint64_t errors = 0;  // that cost something, since the first reading
  unsigned links_active = 0;
};

struct DeviceSummary {
  int index = 0;
  std::string name, uuid, pci_bus_id, trouble;
  RateSource nvlink_source = RateSource::none, pcie_source = RateSource::none;
  RateSummary nvlink_tx, nvlink_rx, pcie_tx, pcie_rx;
  std::optional<unsigned> pcie_generation_max, pcie_width_min;  // seen
  std::optional<unsigned> pcie_max_generation, pcie_max_width;  // possible
  unsigned links = 0, links_active_min = 0;                     // NVLinks; the fewest seen active
  std::optional<std::uint64_t> clock_reasons;                   // all that were seen
  std::optional<double> power_w_max;
  std::optional<unsigned> temperature_c_max;
  std::vector<std::pair<std::string, std::uint64_t>> errors_risen;  // "nvlink_replay": by how much
  DeviceReading latest;
  std::vector<DeviceMoment> history;  // the last MachineTally::kMostMoments, the oldest first
};

struct PathSummary {  // one direction
  int from = 0, to = 0;
  std::string path;
  std::optional<double> bandwidth_bytes_per_s;  // of the NVLinks together
};

struct MachineSummary {
  std::string missing;  // not empty: nothing was read, and why
  std::string driver_version;
  std::uint64_t readings = 0;
  std::int64_t reading_ns = 0;  // what they cost, together
  std::vector<DeviceSummary> devices;
  std::vector<PathSummary> paths;
  std::vector<XidEvent> xids;  // at most kMostXids, the first
  std::vector<Finding> findings;
};

// Adds readings up, one after the other.
class MachineTally {
 public:
  static constexpr std::size_t kMostXids = 64, kMostMoments = 128;

  void add(const MachineReading& reading);
  [[nodiscard]] const MachineSummary& summary() const { return summary_; }

 private:
  void judge(const MachineReading& reading);

  // What was ever wrong stays said, in its latest words.
  struct Seen {
    Finding finding;
    unsigned in_a_row = 0;
    bool sure = false;
  };
  MachineSummary summary_;
  std::optional<MachineReading> first_, before_;
  std::vector<Seen> seen_;
};

// What is wrong, in sentences: the worst first. With an earlier reading: what rose since then.
std::vector<Finding> judge_machine(const MachineReading& now, const MachineReading* before);

// Counters of errors that rose from one reading to the other, of one device.
std::vector<std::pair<std::string, std::uint64_t>> errors_risen(const DeviceReading& before,
                                                                const DeviceReading& now);

// What NVIDIA's table says of an XID, in short; "" if it is not one of the usual ones.
const char* xid_words(std::uint64_t xid);

}  // namespace peerscope
