// What one look at the machine's GPUs and their links says. Plain data: who reads it is source/nvml.
//
// Every metric is optional: absent means unknown, never 0. Where the driver said why, `absent` has it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace peerscope {

struct Absence {
  std::string metric, reason;  // "nvlink_tx", "nvmlDeviceGetFieldValues: not supported (3)"
};

// A counter that only rises, until it wraps or is reset. `wraps_at`: 0 for 64 bits.
struct Counter {
  std::uint64_t value = 0;
  std::uint64_t wraps_at = 0;
};

// What a counter rose by. Empty where it fell and did not wrap: it was reset, and nobody knows.
constexpr std::optional<std::uint64_t> rise(const Counter& before, const Counter& now) {
  if (now.value >= before.value) return now.value - before.value;
  const std::uint64_t lap = now.wraps_at;
  // A wrap goes from the top quarter to the bottom quarter. All else is a reset.
  if (lap == 0 || before.value >= lap || before.value < lap / 4 * 3 || now.value > lap / 4)
    return std::nullopt;
  return lap - before.value + now.value;
}

enum class RateSource : std::uint8_t {
  none,      // unknown
  counters,  // the difference of two counters
  gpm,       // the GPU's performance monitor
  driver,    // the driver's own short sample (PCIe: 20 ms)
};

constexpr const char* name(RateSource source) {
  constexpr const char* kNames[] = {"unknown", "counters", "gpm", "driver"};
  return kNames[static_cast<int>(source)];
}

// Bytes per second, tx: out of this device.
struct Rate {
  std::optional<double> tx, rx;
  RateSource source = RateSource::none;
};

struct LinkErrors {
  std::optional<std::uint64_t> replay, recovery, crc_flit, crc_data, ecc_data, receive;
};

struct LinkReading {
  unsigned link = 0;
  std::optional<bool> active;
  std::optional<unsigned> version;
  std::optional<double> speed_bytes_per_s;  // of one direction
  std::string remote_pci_bus_id;            // "" unknown
  std::string remote_type;                  // "gpu", "switch", "npu"; "" unknown
  std::optional<int> remote_device;         // index, if it is a GPU of this machine
  std::optional<Counter> tx, rx;            // bytes of data
  std::optional<Counter> raw_tx, raw_rx;    // bytes with the protocol's own
  Rate rate;                                // since the reading before
  LinkErrors errors;
};

struct PcieReading {
  std::optional<unsigned> generation, width;          // now; an idle GPU lowers its generation
  std::optional<unsigned> max_generation, max_width;  // of device and slot together
  std::optional<unsigned> device_generation, device_width;  // of the device alone
  std::optional<unsigned> slot_generation, slot_width;      // of the port that it hangs on
  std::optional<std::uint64_t> replays;
  Rate rate;
};

struct DeviceReading {
  int index = 0;
  std::string trouble;  // not empty: nothing else is known, and why
  std::string name, uuid, pci_bus_id;
  std::optional<unsigned> minor;
  std::optional<int> numa_node;
  std::string cpus;  // near it: "0-47,96-143"; "" unknown
  std::vector<LinkReading> links;
  Rate nvlink;  // over all links
  PcieReading pcie;
  std::optional<unsigned> sm_clock_mhz, sm_clock_max_mhz, memory_clock_mhz, memory_clock_max_mhz;
  std::optional<std::uint64_t> clock_reasons;  // bits of the driver; names: clock_reason_names()
  std::optional<double> power_w, power_limit_w;
  std::optional<unsigned> temperature_c;
  std::optional<std::uint64_t> memory_used_bytes, memory_total_bytes;
  std::optional<unsigned> utilisation_percent, memory_utilisation_percent;
  std::optional<std::uint64_t> ecc_corrected, ecc_uncorrected;  // since the driver was loaded
  std::vector<Absence> absent;
};

struct DevicePair {
  int from = 0, to = 0;
  std::string read, write, nvlink;  // "ok", "chipset_not_supported", ...; "" unknown
  std::string path;  // nvidia-smi's legend: "NV18", "PIX", "PXB", "PHB", "NODE", "SYS"
};

struct XidEvent {
  int device = -1;  // -1: of none that is known
  std::uint64_t xid = 0;
  std::int64_t at_ns = 0, at_real_ns = 0;  // when it was read: the driver gives no time
};

struct MachineReading {
  std::int64_t at_ns = 0, at_real_ns = 0;  // CLOCK_MONOTONIC, and the system's
  std::int64_t took_ns = 0;                // what the reading itself cost
  std::string driver_version;
  std::vector<DeviceReading> devices;
  std::vector<DevicePair> pairs;
  std::vector<XidEvent> xids;  // since the reading before
  std::string xids_unknown;    // why XIDs cannot be seen; "" if they can
};

// "sw_power_cap", "hw_thermal_slowdown", ...: the driver's words for why clocks are not higher.
std::vector<std::string> clock_reason_names(std::uint64_t reasons);
// Those of them that slow a busy device down: not idleness, and not what a user has set.
std::uint64_t slowing_clock_reasons(std::uint64_t reasons);

// The sum over links of one kind of error; empty if none of them knows.
std::optional<std::uint64_t> total_errors(const DeviceReading& device,
                                          std::optional<std::uint64_t> LinkErrors::* kind);
// `costs`: something was sent again, or lost. The others are put right on their way and rise with traffic on links in best
// health (seen on H200: hundreds a second at 11 GB/s, none of the first sort): shown, but nothing to warn of.
inline constexpr struct {
  const char* name;
  std::optional<std::uint64_t> LinkErrors::* kind;
  bool costs;
} kLinkErrors[] = {
    {"replay", &LinkErrors::replay, true},      {"recovery", &LinkErrors::recovery, true},
    {"crc_flit", &LinkErrors::crc_flit, true},  {"crc_data", &LinkErrors::crc_data, false},
    {"ecc_data", &LinkErrors::ecc_data, false}, {"receive", &LinkErrors::receive, true}};

}  // namespace peerscope
