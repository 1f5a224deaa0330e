// What is unknown is null; `unknown` says why.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/devices.hpp"
#include "session/json.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

template <class T>
json known(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}
json known(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }
json known(const std::optional<Counter>& counter) {
  return counter ? json(counter->value) : json(nullptr);
}
json gbs(const std::optional<double>& bytes_per_s) {
  return bytes_per_s ? json(*bytes_per_s / 1e9) : json(nullptr);
}
json source(RateSource source) {
  return source == RateSource::none ? json(nullptr) : json(name(source));
}

json to_json(const LinkReading& link) {
  json errors = json::object();
  for (const auto& [kind, member, costs] : kLinkErrors) errors[kind] = known(link.errors.*member);
  return {{"link", link.link},
          {"active", known(link.active)},
          {"version", known(link.version)},
          {"speed_gbs", gbs(link.speed_bytes_per_s)},
          {"remote_pci_bus_id", known(link.remote_pci_bus_id)},
          {"remote_type", known(link.remote_type)},
          {"remote_device", known(link.remote_device)},
          {"tx_bytes", known(link.tx)},
          {"rx_bytes", known(link.rx)},
          {"raw_tx_bytes", known(link.raw_tx)},
          {"raw_rx_bytes", known(link.raw_rx)},
          {"tx_gbs", gbs(link.rate.tx)},
          {"rx_gbs", gbs(link.rate.rx)},
          {"source", source(link.rate.source)},
          {"errors", std::move(errors)}};
}

json nvlink_json(const DeviceReading& device) {
  json links = json::array();
  for (const LinkReading& link : device.links) links.push_back(to_json(link));
  return {{"tx_gbs", gbs(device.nvlink.tx)},
          {"rx_gbs", gbs(device.nvlink.rx)},
          {"source", source(device.nvlink.source)},
          {"links", std::move(links)}};
}

json to_json(const PcieReading& pcie) {
  return {{"generation", known(pcie.generation)},
          {"width", known(pcie.width)},
          {"max_generation", known(pcie.max_generation)},
          {"max_width", known(pcie.max_width)},
          {"device_generation", known(pcie.device_generation)},
          {"device_width", known(pcie.device_width)},
          {"slot_generation", known(pcie.slot_generation)},
          {"slot_width", known(pcie.slot_width)},
          {"replays", known(pcie.replays)},
          {"tx_gbs", gbs(pcie.rate.tx)},
          {"rx_gbs", gbs(pcie.rate.rx)},
          {"source", source(pcie.rate.source)}};
}

json to_json(const DeviceReading& device) {
  json unknown = json::object();
  for (const Absence& absence : device.absent) unknown[absence.metric] = absence.reason;
  return {{"index", device.index},
          {"trouble", known(device.trouble)},
          {"name", known(device.name)},
          {"uuid", known(device.uuid)},
          {"pci_bus_id", known(device.pci_bus_id)},
          {"minor", known(device.minor)},
          {"numa_node", known(device.numa_node)},
          {"cpus", known(device.cpus)},
          {"nvlink", nvlink_json(device)},
          {"pcie", to_json(device.pcie)},
          {"sm_clock_mhz", known(device.sm_clock_mhz)},
          {"sm_clock_max_mhz", known(device.sm_clock_max_mhz)},
          {"memory_clock_mhz", known(device.memory_clock_mhz)},
          {"memory_clock_max_mhz", known(device.memory_clock_max_mhz)},
          {"clock_reasons",
           device.clock_reasons ? json(clock_reason_names(*device.clock_reasons)) : json(nullptr)},
          {"power_w", known(device.power_w)},
          {"power_limit_w", known(device.power_limit_w)},
          {"temperature_c", known(device.temperature_c)},
          {"memory_used_bytes", known(device.memory_used_bytes)},
          {"memory_total_bytes", known(device.memory_total_bytes)},
          {"utilisation_percent", known(device.utilisation_percent)},
          {"memory_utilisation_percent", known(device.memory_utilisation_percent)},
          {"ecc_corrected", known(device.ecc_corrected)},
          {"ecc_uncorrected", known(device.ecc_uncorrected)},
          {"unknown", std::move(unknown)}};
}

}  // namespace

json devices_json(const MachineReading& reading, const std::vector<Finding>& findings) {
  json out = {{"driver_version", known(reading.driver_version)},
              {"time", time_text(reading.at_real_ns)},
              {"took_ns", reading.took_ns},
              {"devices", json::array()},
              {"pairs", json::array()},
              {"xids", json::array()},
              {"xids_unknown", known(reading.xids_unknown)},
              {"findings", json::array()}};
  for (const DeviceReading& device : reading.devices) out["devices"].push_back(to_json(device));
  for (const DevicePair& pair : reading.pairs) {
    out["pairs"].push_back({{"from", pair.from},
                            {"to", pair.to},
                            {"path", known(pair.path)},
                            {"p2p_read", known(pair.read)},
                            {"p2p_write", known(pair.write)},
                            {"p2p_nvlink", known(pair.nvlink)}});
  }
  for (const XidEvent& xid : reading.xids) out["xids"].push_back(to_json(xid));
  for (const Finding& finding : findings) out["findings"].push_back(to_json(finding));
  return out;
}

}  // namespace peerscope
