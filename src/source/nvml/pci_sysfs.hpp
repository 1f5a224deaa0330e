// What the kernel says about a PCI device and the port above it: NVML does not give the slot.
#pragma once

#include <optional>
#include <string>

namespace peerscope::nvml {

struct PciLimits {
  std::optional<unsigned> generation, width;
};

struct PciPlace {
  std::optional<int> numa_node;  // empty where the firmware does not say (-1)
  std::string cpus;              // "0-47"
  PciLimits device, slot;        // the most that either can do
};

// `root` is /sys, or a test's. `bus_id` as NVML writes it: "00000000:4E:00.0".
PciPlace pci_place(const std::string& root, const std::string& bus_id);

// "0000:4e:00.0", as the kernel writes it. NVML's domain has eight digits.
std::string kernel_bus_id(const std::string& bus_id);

// "32.0 GT/s PCIe" -> 5. Empty for "Unknown".
std::optional<unsigned> generation_of(const std::string& speed);

}  // namespace peerscope::nvml
