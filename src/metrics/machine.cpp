// The machine's GPUs and their links, as NVML says them.
#include <map>

#include "metrics/collect.hpp"

namespace peerscope::metrics {
namespace {

using enum FamilyType;

Group device_group() {
  return {
      "devices",
      Rest::drop,
      {"device"},
      {{"peerscope_device_nvlinks", gauge, "NVLinks of a GPU."},
       {"peerscope_device_nvlinks_active", gauge, "Of these: active now."},
       {"peerscope_device_pcie_generation", gauge, "PCIe generation now; an idle GPU lowers it."},
       {"peerscope_device_pcie_lanes", gauge, "PCIe lanes now."},
       {"peerscope_device_pcie_lanes_possible", gauge,
        "PCIe lanes that device and slot could use."},
       {"peerscope_device_power_watts", gauge, "Power drawn."},
       {"peerscope_device_power_limit_watts", gauge, "Power limit."},
       {"peerscope_device_temperature_celsius", gauge, "Temperature of the GPU."},
       {"peerscope_device_sm_clock_hertz", gauge, "Clock of its multiprocessors."},
       {"peerscope_device_memory_used_bytes", gauge, "Memory in use."},
       {"peerscope_device_memory_total_bytes", gauge, "Memory there is."},
       {"peerscope_device_utilisation_ratio", gauge,
        "Share of the driver's last sample in which any kernel ran."},
       {"peerscope_device_slowed", gauge,
        "1 while clocks are held down by power, heat or a brake."}},
      {}};
}

std::optional<std::uint64_t> active_links(const DeviceReading& reading) {
  std::optional<std::uint64_t> active;
  for (const LinkReading& link : reading.links) {
    if (link.active) active = active.value_or(0) + (*link.active ? 1 : 0);
  }
  return active;
}

Row device_row(const DeviceSummary& device) {
  const DeviceReading& now = device.latest;
  const auto scaled = [](const auto& value, double factor) -> Value {
    if (!value) return {};
    return static_cast<double>(*value) * factor;
  };
  const auto links = now.links.empty() ? std::optional<std::uint64_t>() : now.links.size();
  const auto& reasons = now.clock_reasons;
  return {
      {std::to_string(device.index)},
      -static_cast<double>(device.index),
      {maybe(links), maybe(active_links(now)), maybe(now.pcie.generation), maybe(now.pcie.width),
       maybe(now.pcie.max_width), maybe(now.power_w), maybe(now.power_limit_w),
       maybe(now.temperature_c), scaled(now.sm_clock_mhz, 1e6), maybe(now.memory_used_bytes),
       maybe(now.memory_total_bytes), scaled(now.utilisation_percent, 0.01),
       reasons ? Value(std::uint64_t{slowing_clock_reasons(*reasons) != 0}) : Value()}};
}

void add_direction(Group& group, int device, const char* link, const char* direction,
                   const RateSummary& sum, const std::optional<double>& now) {
  if (sum.seconds <= 0) return;
  group.rows.push_back({{std::to_string(device), link, direction},
                        -static_cast<double>(device),
                        {sum.bytes, maybe(now), sum.peak_bytes_per_s}});
}

void add_links(const MachineSummary& machine, MetricSet& out) {
  Group group{
      "device_links",
      Rest::drop,
      {"device", "link", "direction"},
      {{"peerscope_device_link_bytes", counter,
        "Bytes over a GPU's NVLinks or PCIe while it was read. transmit: out of the GPU."},
       {"peerscope_device_link_bytes_per_second", gauge, "The same over time, as last read."},
       {"peerscope_device_link_peak_bytes_per_second", gauge, "The most that was seen of it."}},
      {}};
  for (const DeviceSummary& device : machine.devices) {
    const Rate& nvlink = device.latest.nvlink;
    const Rate& pcie = device.latest.pcie.rate;
    add_direction(group, device.index, "nvlink", "transmit", device.nvlink_tx, nvlink.tx);
    add_direction(group, device.index, "nvlink", "receive", device.nvlink_rx, nvlink.rx);
    add_direction(group, device.index, "pcie", "transmit", device.pcie_tx, pcie.tx);
    add_direction(group, device.index, "pcie", "receive", device.pcie_rx, pcie.rx);
  }
  out.groups.push_back(std::move(group));
}

void add_device_errors(const MachineSummary& machine, MetricSet& out) {
  Group errors{"device_errors",
               Rest::drop,
               {"device", "error"},
               {{"peerscope_device_errors", gauge,
                 "By how much a GPU's counters of errors rose since the first reading."}},
               {}};
  for (const DeviceSummary& device : machine.devices) {
    for (const auto& [what, count] : device.errors_risen) {
      errors.rows.push_back(
          {{std::to_string(device.index), what}, static_cast<double>(count), {count}});
    }
  }
  Group xids{"xids",
             Rest::drop,
             {"device", "xid"},
             {{"peerscope_device_xid_events", counter, "XIDs that the driver reported."}},
             {}};
  std::map<std::pair<int, std::uint64_t>, std::uint64_t> seen;
  for (const XidEvent& event : machine.xids) ++seen[{event.device, event.xid}];
  for (const auto& [key, count] : seen) {
    const std::string device = key.first < 0 ? "" : std::to_string(key.first);
    xids.rows.push_back(
        {{device, std::to_string(key.second)}, static_cast<double>(count), {count}});
  }
  out.groups.push_back(std::move(errors));
  out.groups.push_back(std::move(xids));
}

}  // namespace

void add_machine(const Source& source, MetricSet& out) {
  static const MachineSummary kNone;
  const MachineSummary& machine = source.snapshot.machine ? *source.snapshot.machine : kNone;
  Group readings{"machine",
                 Rest::drop,
                 {},
                 {{"peerscope_machine_readings", counter, "Readings of this machine's GPUs."},
                  {"peerscope_machine_reading_seconds", counter, "What these readings took."}},
                 {}};
  if (machine.readings > 0) {
    readings.rows.push_back(
        {{}, 0, {machine.readings, seconds_since_start(static_cast<double>(machine.reading_ns))}});
  }
  Group names{"device_names",
              Rest::drop,
              {"device", "name", "uuid", "pci_bus_id"},
              {{"peerscope_device", info, "A GPU of this machine."}},
              {}};
  Group devices = device_group();
  for (const DeviceSummary& device : machine.devices) {
    names.rows.push_back(
        {{std::to_string(device.index), device.name, device.uuid, device.pci_bus_id},
         -static_cast<double>(device.index),
         {std::uint64_t{1}}});
    devices.rows.push_back(device_row(device));
  }
  for (Group* group : {&readings, &names, &devices}) out.groups.push_back(std::move(*group));
  add_links(machine, out);
  add_device_errors(machine, out);
}

}  // namespace peerscope::metrics
