// The machine's GPUs as tables: links and bandwidth in one, clocks, power and memory in the other.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.hpp"
#include "cli/devices.hpp"

namespace peerscope {
namespace {

constexpr const char* kUnknownText = "–";
using Rows = std::vector<std::vector<std::string>>;

std::string rate(const std::optional<double>& bytes_per_s) {
  return bytes_per_s ? format_bandwidth(*bytes_per_s) : kUnknownText;
}

template <class T>
std::string number(const std::optional<T>& value, const char* before = "", const char* after = "") {
  return value ? fmt::format("{}{:.0f}{}", before, static_cast<double>(*value), after)
               : kUnknownText;
}

// "Gen1 x16 of Gen5 x16"
std::string pcie_text(const PcieReading& pcie) {
  return fmt::format("{} {} of {} {}", number(pcie.generation, "Gen"), number(pcie.width, "x"),
                     number(pcie.max_generation, "Gen"), number(pcie.max_width, "x"));
}

// "18 of 18"; "none" where the device has no NVLink.
std::string links_text(const DeviceReading& device) {
  if (device.links.empty()) {
    const bool unknown =
        std::any_of(device.absent.begin(), device.absent.end(), [](const Absence& absence) {
          return absence.metric == "nvlink" && absence.reason.find("NVML 3)") == std::string::npos;
        });
    return unknown ? kUnknownText : "none";
  }
  const auto active =
      std::count_if(device.links.begin(), device.links.end(),
                    [](const LinkReading& link) { return link.active.value_or(false); });
  return fmt::format("{} of {}", active, device.links.size());
}

std::string link_table(const MachineReading& reading, const Style& style) {
  Rows rows{{"GPU", "NVLinks", "out", "in", "from", "PCIe now of possible", "out", "in"}};
  for (const DeviceReading& device : reading.devices) {
    const bool known = device.nvlink.source != RateSource::none;
    rows.push_back({std::to_string(device.index), links_text(device), rate(device.nvlink.tx),
                    rate(device.nvlink.rx), known ? name(device.nvlink.source) : kUnknownText,
                    pcie_text(device.pcie), rate(device.pcie.rate.tx), rate(device.pcie.rate.rx)});
  }
  return table(rows, 2, style);
}

std::string state_table(const MachineReading& reading, const Style& style) {
  Rows rows{{"GPU", "SM clock", "busy", "power", "temp", "memory", "clocks held by"}};
  for (const DeviceReading& device : reading.devices) {
    const std::string memory =
        device.memory_used_bytes && device.memory_total_bytes
            ? fmt::format("{} of {}", format_bytes(*device.memory_used_bytes),
                          format_bytes(*device.memory_total_bytes))
            : kUnknownText;
    std::string held = kUnknownText;
    if (device.clock_reasons) {
      const auto names = clock_reason_names(*device.clock_reasons);
      held = names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "));
    }
    rows.push_back(
        {std::to_string(device.index),
         fmt::format("{} of {}", number(device.sm_clock_mhz),
                     number(device.sm_clock_max_mhz, "", " MHz")),
         number(device.utilisation_percent, "", " %"),
         fmt::format("{} of {}", number(device.power_w), number(device.power_limit_w, "", " W")),
         number(device.temperature_c, "", " °C"), memory, held});
  }
  return table(rows, 1, style);
}

std::string names_of(const MachineReading& reading) {
  std::string out;
  for (const DeviceReading& device : reading.devices) {
    out += fmt::format("  GPU{}  {}  {}", device.index,
                       device.name.empty() ? kUnknownText : device.name,
                       device.pci_bus_id.empty() ? kUnknownText : device.pci_bus_id);
    if (device.numa_node) out += fmt::format("  NUMA {}", *device.numa_node);
    if (!device.cpus.empty()) out += fmt::format("  CPUs {}", device.cpus);
    out += "\n";
  }
  return out;
}

std::string paths_table(const MachineReading& reading, const Style& style) {
  if (reading.pairs.empty() || reading.devices.size() > 16) return {};
  Rows rows{{"from \\ to"}};
  for (const DeviceReading& device : reading.devices)
    rows[0].push_back(std::to_string(device.index));
  for (const DeviceReading& from : reading.devices) {
    rows.push_back({std::to_string(from.index)});
    for (const DeviceReading& to : reading.devices) {
      std::string path = from.index == to.index ? "·" : kUnknownText;
      for (const DevicePair& pair : reading.pairs) {
        if (pair.from != from.index || pair.to != to.index || pair.path.empty()) continue;
        path = pair.path + (pair.read.empty() || pair.read == "ok" ? "" : " no P2P");
      }
      rows.back().push_back(path);
    }
  }
  return table(rows, 1, style) + "\n";
}

std::string errors_line(const MachineReading& reading) {
  std::string out;
  for (const DeviceReading& device : reading.devices) {
    std::vector<std::string> words;
    for (const auto& [kind, member, costs] : kLinkErrors) {
      if (const auto total = total_errors(device, member))
        words.push_back(fmt::format("{} {}", kind, format_count(*total)));
    }
    if (!words.empty())
      out += fmt::format("  GPU{}  NVLink errors  {}\n", device.index, fmt::join(words, " · "));
    out += fmt::format("  GPU{}  PCIe replays {} · ECC corrected {}, uncorrected {}\n",
                       device.index, number(device.pcie.replays), number(device.ecc_corrected),
                       number(device.ecc_uncorrected));
  }
  return out;
}

std::string mean_and_peak(const RateSummary& sum) {
  const auto mean = sum.mean_bytes_per_s();
  return mean ? fmt::format("{} / {}", format_bandwidth(*mean),
                            format_bandwidth(sum.peak_bytes_per_s))
              : kUnknownText;
}

// What is worth a line beside the figures: what rose, what held the clocks down.
std::string run_notes(const DeviceSummary& device) {
  std::string out;
  for (const auto& [name, count] : device.errors_risen)
    out += fmt::format("  GPU{}  {} rose by {}\n", device.index, name, format_count(count));
  const auto names = clock_reason_names(slowing_clock_reasons(device.clock_reasons.value_or(0)));
  if (!names.empty())
    out += fmt::format("  GPU{}  clocks were held down at times: {}\n", device.index,
                       fmt::join(names, ", "));
  return out;
}

}  // namespace

std::string devices_text(const MachineReading& reading, const std::vector<Finding>& findings,
                         const Style& style) {
  std::string out;
  for (const Finding& finding : findings) out += finding_text(finding, style);
  if (findings.empty()) out += "  ● Nothing stands out.\n";
  out += "\n" + names_of(reading) + "\n" + link_table(reading, style) + "\n" +
         state_table(reading, style) + "\n" + paths_table(reading, style) + errors_line(reading);
  for (const DeviceReading& device : reading.devices) {
    for (const Absence& absence : device.absent) {
      if (absence.metric == "nvlink_rate" || absence.metric == "gpm")
        out +=
            fmt::format("  GPU{}  {} unknown: {}\n", device.index, absence.metric, absence.reason);
    }
  }
  if (!reading.xids_unknown.empty()) out += "  XIDs unknown: " + reading.xids_unknown + "\n";
  return out + fmt::format("  driver {} · read in {}\n",
                           reading.driver_version.empty() ? kUnknownText : reading.driver_version,
                           format_duration(static_cast<double>(reading.took_ns)));
}

std::string machine_table(const Snapshot& snapshot, const Style& style) {
  if (!snapshot.machine || snapshot.machine->devices.empty()) return {};
  const MachineSummary& machine = *snapshot.machine;
  Rows rows{{"GPU", "NVLink out mean / peak", "in", "PCIe", "out", "in"}};
  std::string notes;
  for (const DeviceSummary& device : machine.devices) {
    rows.push_back({std::to_string(device.index), mean_and_peak(device.nvlink_tx),
                    mean_and_peak(device.nvlink_rx),
                    fmt::format("{} {}", number(device.pcie_generation_max, "Gen"),
                                number(device.pcie_width_min, "x")),
                    rate(device.pcie_tx.mean_bytes_per_s()),
                    rate(device.pcie_rx.mean_bytes_per_s())});
    notes += run_notes(device);
  }
  for (const XidEvent& xid : machine.xids)
    notes += fmt::format("  GPU{}  XID {} {}\n", xid.device, xid.xid, xid_words(xid.xid));
  return table(rows, 1, style) + notes;
}

}  // namespace peerscope
