// What is wrong with GPUs and their links.
#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analyze/machine.hpp"

namespace peerscope {
namespace {

constexpr unsigned kBusyPercent = 10;

Finding finding(const DeviceReading& device, const char* kind, Severity severity,
                std::string sentence, std::string action) {
  Finding out;
  out.kind = kind;
  out.severity = severity;
  out.subject.device = device.index;
  out.sentence = std::move(sentence);
  out.action = std::move(action);
  out.confidence = 1.0;
  return out;
}

// An idle GPU lowers the generation of its link, not its width.
bool busy(const DeviceReading& device) {
  return device.utilisation_percent.value_or(0) >= kBusyPercent &&
         device.clock_reasons.has_value() && (*device.clock_reasons & 1) == 0;
}

void judge_pcie(const DeviceReading& device, std::vector<Finding>& out) {
  const PcieReading& pcie = device.pcie;
  const bool narrow =
      pcie.width && pcie.max_width && *pcie.width > 0 && *pcie.width < *pcie.max_width;
  const bool slow = busy(device) && pcie.generation && pcie.max_generation &&
                    *pcie.generation < *pcie.max_generation;
  if (narrow || slow) {
    std::string now = narrow ? fmt::format("x{} of x{}", *pcie.width, *pcie.max_width) : "";
    if (slow) {
      now = fmt::format("Gen{}{} of Gen{}{} possible", *pcie.generation,
                        pcie.width ? fmt::format(" x{}", *pcie.width) : "", *pcie.max_generation,
                        pcie.max_width ? fmt::format(" x{}", *pcie.max_width) : "");
    } else {
      now += " possible";
    }
    out.push_back(
        finding(device, narrow ? "pcie_width" : "pcie_generation", Severity::warning,
                fmt::format("GPU{}: PCIe runs at {}.", device.index, now),
                "reseat the card or its riser, look for errors of the port with lspci -vvv"));
    if (pcie.width && narrow) {
      out.back().evidence.emplace_back("width_lanes", *pcie.width);
      out.back().evidence.emplace_back("possible_lanes", *pcie.max_width);
    }
  }
  if (pcie.device_width && pcie.slot_width && *pcie.slot_width < *pcie.device_width) {
    out.push_back(finding(device, "pcie_slot", Severity::info,
                          fmt::format("GPU{}: its slot has x{}, the device could do x{}.",
                                      device.index, *pcie.slot_width, *pcie.device_width),
                          "another slot, if there is one"));
  }
}

void judge_links(const DeviceReading& device, std::vector<Finding>& out) {
  std::vector<unsigned> inactive;
  for (const LinkReading& link : device.links) {
    if (link.active == false) inactive.push_back(link.link);
  }
  // All inactive: it has no peer. Some: something is wrong with them.
  if (inactive.empty() || inactive.size() == device.links.size()) return;
  out.push_back(finding(device, "nvlink_inactive", Severity::warning,
                        fmt::format("GPU{}: {} of {} NVLinks {} inactive ({}).", device.index,
                                    inactive.size(), device.links.size(),
                                    inactive.size() == 1 ? "is" : "are", fmt::join(inactive, ", ")),
                        "nvidia-smi nvlink -s; after a reset of GPU or fabric manager look again"));
  out.back().evidence.emplace_back("inactive_links", static_cast<double>(inactive.size()));
}

std::string counted(const std::vector<std::pair<std::string, std::uint64_t>>& errors) {
  std::vector<std::string> words;
  for (const auto& [name, count] : errors) words.push_back(fmt::format("{} {}", count, name));
  return fmt::format("{}", fmt::join(words, ", "));
}

void judge_errors(const DeviceReading& device, const DeviceReading* before,
                  std::vector<Finding>& out) {
  const auto risen =
      before == nullptr ? decltype(errors_risen(device, device)){} : errors_risen(*before, device);
  if (!risen.empty()) {
    out.push_back(finding(
        device, "link_errors", Severity::warning,
        fmt::format("GPU{}: errors rose while it was watched: {}.", device.index, counted(risen)),
        "nvidia-smi nvlink -e, nvidia-smi -q -d ECC; a link that repeats data is "
        "slower than it looks"));
    for (const auto& [name, count] : risen)
      out.back().evidence.emplace_back(name + "_count", static_cast<double>(count));
    return;
  }
  std::vector<std::pair<std::string, std::uint64_t>> old;
  for (const auto& [name, kind, costs] : kLinkErrors) {
    if (!costs) continue;
    if (const auto total = total_errors(device, kind); total && *total > 0)
      old.emplace_back(std::string("nvlink_") + name, *total);
  }
  if (device.ecc_uncorrected.value_or(0) > 0)
    old.emplace_back("ecc_uncorrected", *device.ecc_uncorrected);
  if (old.empty()) return;
  out.push_back(finding(
      device, "link_errors", Severity::info,
      fmt::format("GPU{}: errors since the driver was loaded: {}.", device.index, counted(old)),
      "see whether they rise: peerscope devices --watch"));
}

void judge_clocks(const DeviceReading& device, std::vector<Finding>& out) {
  const std::uint64_t slowing = slowing_clock_reasons(device.clock_reasons.value_or(0));
  if (slowing == 0) return;
  const auto names = clock_reason_names(slowing);
  const bool power_only = names.size() == 1 && names[0] == "sw_power_cap";
  std::string facts;
  if (device.power_w && device.power_limit_w)
    facts += fmt::format(", {:.0f} W of {:.0f} W", *device.power_w, *device.power_limit_w);
  if (device.temperature_c) facts += fmt::format(", {} °C", *device.temperature_c);
  if (device.sm_clock_mhz && device.sm_clock_max_mhz)
    facts += fmt::format(", {} of {} MHz", *device.sm_clock_mhz, *device.sm_clock_max_mhz);
  out.push_back(finding(device, "clocks_held_down", power_only ? Severity::info : Severity::warning,
                        fmt::format("GPU{}: its clocks are held down: {}{}.", device.index,
                                    fmt::join(names, ", "), facts),
                        power_only ? "it is at its power limit: nvidia-smi -pl, if there is room"
                                   : "look at cooling and power supply"));
}

void judge_xids(const MachineReading& now, std::vector<Finding>& out) {
  std::map<std::pair<int, std::uint64_t>, int> counts;
  for (const XidEvent& xid : now.xids) ++counts[{xid.device, xid.xid}];
  for (const auto& [key, count] : counts) {
    const auto& [index, xid] = key;
    DeviceReading device;
    device.index = index;
    const std::string words = xid_words(xid);
    out.push_back(finding(device, "xid", Severity::critical,
                          fmt::format("{}: the driver reports XID {}{}{}.",
                                      index < 0 ? "a GPU" : fmt::format("GPU{}", index), xid,
                                      words.empty() ? "" : " (" + words + ")",
                                      count > 1 ? fmt::format(", {} times", count) : ""),
                          "dmesg | grep -i xid; NVIDIA's XID catalogue says what each means"));
    out.back().evidence.emplace_back("xid", static_cast<double>(xid));
  }
}

// One sentence, however many pairs: on a large machine without P2P there are hundreds.
void judge_pairs(const MachineReading& now, std::vector<Finding>& out) {
  std::map<std::string, std::vector<const DevicePair*>> by_reason;
  for (const DevicePair& pair : now.pairs) {
    if (pair.from < pair.to && !pair.read.empty() && pair.read != "ok")
      by_reason[pair.read].push_back(&pair);
  }
  for (const auto& [reason, pairs] : by_reason) {
    DeviceReading device;
    device.index = pairs[0]->from;
    const std::string who = pairs.size() == 1
                                ? fmt::format("GPU{} and GPU{}", pairs[0]->from, pairs[0]->to)
                                : fmt::format("{} pairs of GPUs", pairs.size());
    out.push_back(finding(device, "no_p2p", Severity::info,
                          fmt::format("{} cannot reach each other's memory ({}): what they copy "
                                      "goes through host memory.",
                                      who, reason),
                          "nvidia-smi topo -p2p r; IOMMU, ACS and the driver decide it"));
    if (pairs.size() > 1) out.back().subject.device.reset();
  }
}

const DeviceReading* find_device(const MachineReading* reading, int index) {
  if (reading == nullptr) return nullptr;
  for (const DeviceReading& device : reading->devices) {
    if (device.index == index) return &device;
  }
  return nullptr;
}

}  // namespace

const char* xid_words(std::uint64_t xid) {
  switch (xid) {
    case 13:
      return "graphics engine exception";
    case 31:
      return "memory page fault of a program";
    case 43:
      return "a program's work was stopped";
    case 45:
      return "a program's work was cleaned up early";
    case 48:
      return "double-bit ECC error";
    case 63:
      return "a memory row is to be remapped";
    case 64:
      return "a memory row could not be remapped";
    case 74:
      return "NVLink error";
    case 79:
      return "the GPU has fallen off the bus";
    case 94:
      return "contained memory error";
    case 95:
      return "uncontained memory error";
    case 119:
      return "the GPU's system processor does not answer";
    case 120:
      return "error of the GPU's system processor";
    default:
      return "";
  }
}

std::vector<Finding> judge_machine(const MachineReading& now, const MachineReading* before) {
  std::vector<Finding> out;
  judge_xids(now, out);
  for (const DeviceReading& device : now.devices) {
    if (!device.trouble.empty()) {
      out.push_back(finding(device, "gpu_unreadable", Severity::critical,
                            fmt::format("GPU{} cannot be read: {}.", device.index, device.trouble),
                            "dmesg | grep -i -e nvrm -e xid; nvidia-smi"));
      continue;
    }
    const DeviceReading* earlier = find_device(before, device.index);
    judge_pcie(device, out);
    judge_links(device, out);
    judge_errors(device, earlier, out);
    judge_clocks(device, out);
  }
  judge_pairs(now, out);
  std::stable_sort(out.begin(), out.end(), [](const Finding& a, const Finding& b) {
    return static_cast<int>(a.severity) > static_cast<int>(b.severity);
  });
  return out;
}

}  // namespace peerscope
