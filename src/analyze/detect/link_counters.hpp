// What the counters of a device say about its links.
#pragma once

#include <cstdint>
#include <optional>

#include "analyze/snapshot.hpp"

namespace peerscope {

// What the device's counters say about traffic that is not ours since `since_ns`: bytes counted per byte of ours, now over
// before. Empty: unknown.
struct ForeignTraffic {
  double ratio = 1;
  double now_bytes_per_s = 0, before_bytes_per_s = 0;
  const char* link = "NVLink";
};
std::optional<ForeignTraffic> foreign_traffic(const Snapshot& snapshot, int device,
                                              std::int64_t since_ns);

// How often a device's errors rose or its links went, with calm between.
struct DeviceFlaps {
  std::uint64_t error_bursts = 0, drops = 0;
  std::int64_t since_ns = -1;
};
DeviceFlaps device_flaps(const DeviceSummary& device);

}  // namespace peerscope
