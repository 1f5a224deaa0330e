// NVLink's, PCIe's and the GPU's figures under the names and labels of dcgm-exporter, so that its dashboards work.
// Its counters do not end in _total: OpenMetrics knows no counter of such a name, so their type stays unsaid.
#include <fmt/format.h>

#include "metrics/collect.hpp"

namespace peerscope::metrics {
namespace {

using enum FamilyType;

Group dcgm_group() {
  return {"dcgm",
          Rest::drop,
          {"gpu", "UUID", "pci_bus_id", "device", "modelName", "Hostname"},
          {{"DCGM_FI_PROF_NVLINK_TX_BYTES", gauge, "Bytes per second sent over NVLink."},
           {"DCGM_FI_PROF_NVLINK_RX_BYTES", gauge, "Bytes per second received over NVLink."},
           {"DCGM_FI_PROF_PCIE_TX_BYTES", gauge, "Bytes per second sent over PCIe."},
           {"DCGM_FI_PROF_PCIE_RX_BYTES", gauge, "Bytes per second received over PCIe."},
           {"DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", unknown,
            "NVLink flow-control CRC errors."},
           {"DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL", unknown, "NVLink data CRC errors."},
           {"DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", unknown, "NVLink retries."},
           {"DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", unknown, "NVLink recoveries."},
           {"DCGM_FI_DEV_PCIE_REPLAY_COUNTER", unknown, "PCIe retries."},
           {"DCGM_FI_DEV_PCIE_LINK_GEN", gauge, "PCIe generation now."},
           {"DCGM_FI_DEV_PCIE_LINK_WIDTH", gauge, "PCIe lanes now."},
           {"DCGM_FI_DEV_GPU_TEMP", gauge, "Temperature in degrees Celsius."},
           {"DCGM_FI_DEV_POWER_USAGE", gauge, "Power drawn in watts."},
           {"DCGM_FI_DEV_SM_CLOCK", gauge, "Clock of the multiprocessors in MHz."},
           {"DCGM_FI_DEV_GPU_UTIL", gauge, "Utilisation in percent."},
           {"DCGM_FI_DEV_XID_ERRORS", gauge, "The last XID; 0: none was seen."}},
          {}};
}

// 0 in dcgm-exporter, too, is "none": of a machine whose XIDs can be seen.
Value last_xid(const MachineSummary& machine, int device) {
  Value last = std::uint64_t{0};
  for (const XidEvent& event : machine.xids) {
    if (event.device == device) last = event.xid;
  }
  return last;
}

Row dcgm_row(const Source& source, const DeviceSummary& device) {
  const DeviceReading& now = device.latest;
  const auto errors = [&](auto kind) { return maybe(total_errors(now, kind)); };
  return {
      {std::to_string(device.index), device.uuid, device.pci_bus_id,
       fmt::format("nvidia{}", now.minor.value_or(static_cast<unsigned>(device.index))),
       device.name, source.options.host},
      -static_cast<double>(device.index),
      {maybe(now.nvlink.tx), maybe(now.nvlink.rx), maybe(now.pcie.rate.tx), maybe(now.pcie.rate.rx),
       errors(&LinkErrors::crc_flit), errors(&LinkErrors::crc_data), errors(&LinkErrors::replay),
       errors(&LinkErrors::recovery), maybe(now.pcie.replays), maybe(now.pcie.generation),
       maybe(now.pcie.width), maybe(now.temperature_c), maybe(now.power_w), maybe(now.sm_clock_mhz),
       maybe(now.utilisation_percent), last_xid(*source.snapshot.machine, device.index)}};
}

}  // namespace

void add_dcgm_names(const Source& source, MetricSet& out) {
  if (!source.options.dcgm_names) return;
  Group group = dcgm_group();
  if (source.snapshot.machine) {
    for (const DeviceSummary& device : source.snapshot.machine->devices)
      group.rows.push_back(dcgm_row(source, device));
  }
  out.groups.push_back(std::move(group));
}

}  // namespace peerscope::metrics
