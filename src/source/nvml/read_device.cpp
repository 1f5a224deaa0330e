// What does not change, and the state of the device itself.
#include "source/nvml/gpu.hpp"
#include "source/nvml/pci_sysfs.hpp"

namespace peerscope::nvml {
namespace {

std::string text_of(DeviceReading& reading, const char* metric, const char* call,
                    Code (*function)(Device, char*, unsigned), Device device) {
  char text[128] = "";
  const Code code =
      function == nullptr ? kFunctionNotFound : function(device, text, sizeof text - 1);
  if (code != kSuccess) note_absent(reading, metric, call, code);
  return code == kSuccess ? text : "";
}

std::string bus_id_of(DeviceReading& reading, const Api& api, Device device) {
  const auto info =
      ask<PciInfo>(reading, "pci_bus_id", "nvmlDeviceGetPciInfo_v3", api.pci_info, device);
  return info ? kernel_bus_id({info->bus_id, strnlen(info->bus_id, sizeof info->bus_id)}) : "";
}

std::optional<double> thousandth(const std::optional<unsigned>& value) {
  if (!value) return std::nullopt;
  return *value / 1e3;
}

}  // namespace

void read_fixed(const Api& api, const std::string& sysfs, Gpu& gpu) {
  DeviceReading& fixed = gpu.fixed;
  const Device device = gpu.handle;
  fixed.name = text_of(fixed, "name", "nvmlDeviceGetName", api.device_name, device);
  fixed.uuid = text_of(fixed, "uuid", "nvmlDeviceGetUUID", api.device_uuid, device);
  fixed.pci_bus_id = bus_id_of(fixed, api, device);
  fixed.minor = ask<unsigned>(fixed, "minor", "nvmlDeviceGetMinorNumber", api.minor_number, device);
  const PciPlace place = pci_place(sysfs, fixed.pci_bus_id);
  fixed.numa_node = place.numa_node;
  fixed.cpus = place.cpus;
  fixed.pcie.device_generation =
      ask<unsigned>(fixed, "pcie_device_generation", "nvmlDeviceGetGpuMaxPcieLinkGeneration",
                    api.pcie_device_generation, device);
  if (!fixed.pcie.device_generation) fixed.pcie.device_generation = place.device.generation;
  fixed.pcie.device_width = place.device.width;
  fixed.pcie.slot_generation = place.slot.generation;
  fixed.pcie.slot_width = place.slot.width;
  fixed.pcie.max_generation =
      ask<unsigned>(fixed, "pcie_max_generation", "nvmlDeviceGetMaxPcieLinkGeneration",
                    api.pcie_max_generation, device);
  fixed.pcie.max_width = ask<unsigned>(fixed, "pcie_max_width", "nvmlDeviceGetMaxPcieLinkWidth",
                                       api.pcie_max_width, device);
  fixed.sm_clock_max_mhz = ask<unsigned>(fixed, "sm_clock_max", "nvmlDeviceGetMaxClockInfo",
                                         api.clock_max, device, kClockSm);
  fixed.memory_clock_max_mhz = ask<unsigned>(fixed, "memory_clock_max", "nvmlDeviceGetMaxClockInfo",
                                             api.clock_max, device, kClockMemory);
}

void read_state(const Api& api, const Gpu& gpu, DeviceReading& reading) {
  const Device device = gpu.handle;
  const auto number = [&](const char* metric, const char* call, auto* function, auto... args) {
    return ask<unsigned>(reading, metric, call, function, device, args...);
  };
  reading.sm_clock_mhz = number("sm_clock", "nvmlDeviceGetClockInfo", api.clock, kClockSm);
  reading.memory_clock_mhz =
      number("memory_clock", "nvmlDeviceGetClockInfo", api.clock, kClockMemory);
  const bool events = api.clock_event_reasons != nullptr;  // its name before driver 535
  reading.clock_reasons = ask<unsigned long long>(
      reading, "clock_reasons",
      events ? "nvmlDeviceGetCurrentClocksEventReasons"
             : "nvmlDeviceGetCurrentClocksThrottleReasons",
      events ? api.clock_event_reasons : api.clock_throttle_reasons, device);
  reading.power_w = thousandth(number("power", "nvmlDeviceGetPowerUsage", api.power));
  reading.power_limit_w =
      thousandth(number("power_limit", "nvmlDeviceGetEnforcedPowerLimit", api.power_limit));
  reading.temperature_c =
      number("temperature", "nvmlDeviceGetTemperature", api.temperature, 0U /* of the die */);
  if (const auto memory =
          ask<Memory>(reading, "memory", "nvmlDeviceGetMemoryInfo", api.memory, device)) {
    reading.memory_used_bytes = memory->used;
    reading.memory_total_bytes = memory->total;
  }
  if (const auto busy = ask<Utilisation>(reading, "utilisation", "nvmlDeviceGetUtilizationRates",
                                         api.utilisation, device)) {
    reading.utilisation_percent = busy->gpu;
    reading.memory_utilisation_percent = busy->memory;
  }
  reading.ecc_corrected =
      ask<unsigned long long>(reading, "ecc_corrected", "nvmlDeviceGetTotalEccErrors",
                              api.ecc_errors, device, kEccCorrected, kEccSinceDriverLoad);
  reading.ecc_uncorrected =
      ask<unsigned long long>(reading, "ecc_uncorrected", "nvmlDeviceGetTotalEccErrors",
                              api.ecc_errors, device, kEccUncorrected, kEccSinceDriverLoad);
}

void read_pcie(const Api& api, const Gpu& gpu, DeviceReading& reading) {
  const Device device = gpu.handle;
  PcieReading& pcie = reading.pcie;
  pcie.generation = ask<unsigned>(reading, "pcie_generation", "nvmlDeviceGetCurrPcieLinkGeneration",
                                  api.pcie_generation, device);
  pcie.width = ask<unsigned>(reading, "pcie_width", "nvmlDeviceGetCurrPcieLinkWidth",
                             api.pcie_width, device);
  pcie.replays = ask<unsigned>(reading, "pcie_replays", "nvmlDeviceGetPcieReplayCounter",
                               api.pcie_replays, device);
}

void read_pcie_rate(const Api& api, const Gpu& gpu, DeviceReading& reading) {
  const auto bytes = [&](const char* metric, unsigned direction) -> std::optional<double> {
    const auto kb = ask<unsigned>(reading, metric, "nvmlDeviceGetPcieThroughput",
                                  api.pcie_throughput, gpu.handle, direction);
    if (!kb) return std::nullopt;
    return *kb * 1e3;
  };
  Rate& rate = reading.pcie.rate;
  rate.tx = bytes("pcie_tx", kPcieTx);
  rate.rx = bytes("pcie_rx", kPcieRx);
  if (rate.tx || rate.rx) rate.source = RateSource::driver;
}

}  // namespace peerscope::nvml
