// The machine's GPUs over a run, as JSON: what is unknown is null.
#include <nlohmann/json.hpp>

#include "session/json.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

template <class T>
json known(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}
json known(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

json to_json(const RateSummary& sum) {
  const auto mean = sum.mean_bytes_per_s();
  if (!mean) return nullptr;
  return {{"mean_gbs", *mean / 1e9},
          {"peak_gbs", sum.peak_bytes_per_s / 1e9},
          {"seconds", sum.seconds}};
}

json source(RateSource source) {
  return source == RateSource::none ? json(nullptr) : json(name(source));
}

json to_json(const DeviceSummary& device) {
  json risen = json::object();
  for (const auto& [name, count] : device.errors_risen) risen[name] = count;
  json reasons = nullptr;
  if (device.clock_reasons) reasons = clock_reason_names(*device.clock_reasons);
  return {{"index", device.index},
          {"name", known(device.name)},
          {"uuid", known(device.uuid)},
          {"pci_bus_id", known(device.pci_bus_id)},
          {"trouble", known(device.trouble)},
          {"nvlink",
           {{"links", device.links},
            {"links_active_min", device.links_active_min},
            {"tx", to_json(device.nvlink_tx)},
            {"rx", to_json(device.nvlink_rx)},
            {"source", source(device.nvlink_source)}}},
          {"pcie",
           {{"generation_max", known(device.pcie_generation_max)},
            {"width_min", known(device.pcie_width_min)},
            {"max_generation", known(device.pcie_max_generation)},
            {"max_width", known(device.pcie_max_width)},
            {"tx", to_json(device.pcie_tx)},
            {"rx", to_json(device.pcie_rx)},
            {"source", source(device.pcie_source)}}},
          {"clock_reasons", std::move(reasons)},
          {"power_w_max", known(device.power_w_max)},
          {"temperature_c_max", known(device.temperature_c_max)},
          {"errors_risen", std::move(risen)}};
}

}  // namespace

json to_json(const XidEvent& xid) {
  return {{"device", xid.device < 0 ? json(nullptr) : json(xid.device)},
          {"xid", xid.xid},
          {"words", known(std::string(xid_words(xid.xid)))},
          {"time", time_text(xid.at_real_ns)}};
}

json to_json(const MachineSummary& machine) {
  json out = {{"missing", known(machine.missing)},
              {"driver_version", known(machine.driver_version)},
              {"readings", machine.readings},
              {"reading_ns", machine.reading_ns},
              {"devices", json::array()},
              {"paths", json::array()},
              {"xids", json::array()},
              {"findings", json::array()}};
  for (const DeviceSummary& device : machine.devices) out["devices"].push_back(to_json(device));
  for (const PathSummary& path : machine.paths) {
    const auto& bandwidth = path.bandwidth_bytes_per_s;
    out["paths"].push_back({{"from", path.from},
                            {"to", path.to},
                            {"path", known(path.path)},
                            {"bandwidth_gbs", bandwidth ? json(*bandwidth / 1e9) : json(nullptr)}});
  }
  for (const XidEvent& xid : machine.xids) out["xids"].push_back(to_json(xid));
  for (const Finding& finding : machine.findings) out["findings"].push_back(to_json(finding));
  return out;
}

}  // namespace peerscope
