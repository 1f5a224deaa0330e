// One GPU between two readings, and the parts of a reading. Inside of source/nvml only.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "model/device.hpp"
#include "source/nvml/api.hpp"

namespace peerscope::nvml {

// What the performance monitor says of the time between two samples. Bytes per second.
struct GpmRates {
  std::optional<double> pcie_tx, pcie_rx, links_tx, links_rx;
  std::vector<std::optional<double>> link_tx, link_rx;
};

struct Gpu {
  Device handle = nullptr;
  DeviceReading fixed;  // what does not change; each reading begins as a copy
  std::optional<DeviceReading> before;
  std::int64_t before_ns = 0;
  bool gpm = false;  // the performance monitor is there
  std::string gpm_missing;
  GpmSample sample_before = nullptr, sample_now = nullptr;
  std::int64_t sample_before_ns = 0;  // 0: none
};

inline void note_absent(DeviceReading& reading, std::string_view metric, std::string why) {
  for (const Absence& absence : reading.absent) {
    if (absence.metric == metric) return;  // 18 links give one reason
  }
  reading.absent.push_back({std::string(metric), std::move(why)});
}

inline void note_absent(DeviceReading& reading, std::string_view metric, const char* call,
                        Code code) {
  if (code == kGpuIsLost && reading.trouble.empty())
    reading.trouble = fmt::format("{}: {}", call, reason(code));
  note_absent(reading, metric, fmt::format("{}: {}", call, reason(code)));
}

// Asks one question with one answer; the reason is kept where there is none.
template <class T, class F, class... Args>
std::optional<T> ask(DeviceReading& reading, std::string_view metric, const char* call, F* function,
                     Args... args) {
  T answer{};
  const Code code = function == nullptr ? kFunctionNotFound : function(args..., &answer);
  if (code == kSuccess) return answer;
  note_absent(reading, metric, call, code);
  return std::nullopt;
}

void read_fixed(const Api& api, const std::string& sysfs, Gpu& gpu);
void read_state(const Api& api, const Gpu& gpu, DeviceReading& reading);
void read_pcie(const Api& api, const Gpu& gpu, DeviceReading& reading);
void read_pcie_rate(const Api& api, const Gpu& gpu, DeviceReading& reading);  // takes 40 ms
void read_links(const Api& api, Gpu& gpu, DeviceReading& reading);

void open_gpm(const Api& api, Gpu& gpu);
void close_gpm(const Api& api, Gpu& gpu);
// Empty for the first sample, or where there is no performance monitor.
std::optional<GpmRates> sample_gpm(const Api& api, Gpu& gpu, std::int64_t now_ns,
                                   DeviceReading& reading);

// NVLink rates: from counters where they count at all, else from the performance monitor.
void add_link_rates(const DeviceReading* before, double seconds, const GpmRates* gpm,
                    DeviceReading& reading);

}  // namespace peerscope::nvml
