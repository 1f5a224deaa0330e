#include "comm/sim/machine_view.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace peerscope::sim {
namespace {

// nvidia-smi's legend. "": by a network, which it knows nothing of.
std::string path_of(const Topology& topology, const Route& route) {
  int lanes = 64, bridges = 0, switches = 0;
  bool nvlink = true;
  for (const int step : route) {
    const Link& link = topology.links[at(step / 2)];
    if (link.kind == LinkKind::nic) return {};
    if (link.kind == LinkKind::socket) return "SYS";
    nvlink = nvlink && link.kind == LinkKind::nvlink;
    lanes = std::min(lanes, link.lanes);
    const VertexKind end = topology.vertices[at(step % 2 == 0 ? link.b : link.a)].kind;
    bridges += end == VertexKind::host_bridge ? 1 : 0;
    switches += end == VertexKind::pcie_switch ? 1 : 0;
  }
  if (nvlink) return fmt::format("NV{}", lanes);
  if (bridges > 0) return "PHB";
  return switches > 1 ? "PXB" : "PIX";
}

double sum(const LinkCounters& counters, int directed) {
  return counters.own_bytes[at(directed)] + counters.foreign_bytes[at(directed)];
}

Counter counter(double bytes) { return {static_cast<std::uint64_t>(bytes), 0}; }

}  // namespace

MachineView::MachineView(const Topology& topology, const Routes& routes)
    : topology_(topology), devices_(topology.ranks()) {
  if (devices_ > 64) {
    devices_ = 0;
    while (devices_ < topology.ranks() && topology.host_of(devices_) == topology.host_of(0))
      ++devices_;
  }
  ports_.resize(at(devices_));
  for (int device = 0; device < devices_; ++device) {
    const int gpu = topology.gpus[at(device)];
    for (std::size_t i = 0; i < topology.links.size(); ++i) {
      const int link = static_cast<int>(i);
      if (topology.links[i].a == gpu) ports_[at(device)].push_back({link, 2 * link});
      if (topology.links[i].b == gpu) ports_[at(device)].push_back({link, 2 * link + 1});
    }
    for (int other = 0; other < devices_; ++other) {
      if (other == device || topology.host_of(other) != topology.host_of(device)) continue;
      const std::string path = path_of(topology, routes.find(device, other));
      const bool nvlink = path.rfind("NV", 0) == 0;
      if (!path.empty())
        pairs_.push_back({device, other, "ok", "ok", nvlink ? "ok" : "not_supported", path});
    }
  }
}

void MachineView::add_nvlink(DeviceReading& device, const Port& port, const Conditions& conditions,
                             const LinkCounters& counters, double seconds) const {
  const Link& link = topology_.links[at(port.link)];
  const LinkCondition& state = conditions.links[at(port.link)];
  const double tx = sum(counters, port.towards), rx = sum(counters, port.towards ^ 1);
  const auto errors = static_cast<std::uint64_t>(counters.errors[at(port.link)]);
  for (int lane = 0; lane < link.lanes; ++lane) {
    LinkReading reading;
    reading.link = static_cast<unsigned>(device.links.size());
    reading.active = lane >= state.lanes_down;
    reading.speed_bytes_per_s = link.bytes_per_s / link.lanes;
    const int gpu = topology_.gpus[at(device.index)];
    const Vertex& far = topology_.vertices[at(link.a == gpu ? link.b : link.a)];
    reading.remote_type = far.kind == VertexKind::gpu ? "gpu" : "switch";
    if (far.kind == VertexKind::gpu) {
      const auto found =
          std::find(topology_.gpus.begin(), topology_.gpus.end(), link.a == gpu ? link.b : link.a);
      reading.remote_device = static_cast<int>(found - topology_.gpus.begin());
    }
    reading.tx = counter(tx / link.lanes);
    reading.rx = counter(rx / link.lanes);
    if (seconds > 0) {
      reading.rate.tx = (tx - sum(before_, port.towards)) / link.lanes / seconds;
      reading.rate.rx = (rx - sum(before_, port.towards ^ 1)) / link.lanes / seconds;
      reading.rate.source = RateSource::counters;
    }
    // Errors are counted where they happen: on the first lane.
    reading.errors.replay = lane == 0 ? errors : 0;
    reading.errors.recovery = 0;
    reading.errors.crc_flit = 0;
    device.links.push_back(std::move(reading));
  }
}

MachineReading MachineView::read(std::int64_t at_ns, const Conditions& conditions,
                                 const LinkCounters& counters) {
  const double seconds = before_ns_ >= 0 ? static_cast<double>(at_ns - before_ns_) / 1e9 : 0.0;
  MachineReading out;
  out.at_ns = at_ns;
  out.driver_version = "simulated";
  out.pairs = pairs_;
  for (int rank = 0; rank < devices_; ++rank) {
    DeviceReading device;
    device.index = rank;
    device.name = "simulated GPU";
    device.uuid = fmt::format("SIM-{:04d}", rank);
    device.pci_bus_id = fmt::format("{:08x}:{:02x}:00.0", topology_.host_of(rank), rank % 256);
    device.utilisation_percent = 90;
    device.clock_reasons = 0;
    double nvlink_tx = 0, nvlink_rx = 0;
    bool any_nvlink = false;
    for (const Port& port : ports_[at(rank)]) {
      const Link& link = topology_.links[at(port.link)];
      const double tx = sum(counters, port.towards), rx = sum(counters, port.towards ^ 1);
      const bool known = seconds > 0;
      const double tx_rate = known ? (tx - sum(before_, port.towards)) / seconds : 0;
      const double rx_rate = known ? (rx - sum(before_, port.towards ^ 1)) / seconds : 0;
      if (link.kind == LinkKind::nvlink) {
        add_nvlink(device, port, conditions, counters, seconds);
        nvlink_tx += tx_rate, nvlink_rx += rx_rate;
        any_nvlink = true;
      } else if (link.kind == LinkKind::pcie) {
        const bool fast = link.bytes_per_s > 30e9;
        device.pcie.generation = device.pcie.max_generation = fast ? 5 : 4;
        device.pcie.width = static_cast<unsigned>(conditions.pcie_width[at(rank)]);
        device.pcie.max_width = 16;
        device.pcie.replays = static_cast<std::uint64_t>(counters.errors[at(port.link)]);
        if (known) device.pcie.rate = {tx_rate, rx_rate, RateSource::driver};
      }
    }
    if (any_nvlink && seconds > 0) device.nvlink = {nvlink_tx, nvlink_rx, RateSource::counters};
    out.devices.push_back(std::move(device));
  }
  before_ = counters;
  before_ns_ = at_ns;
  return out;
}

}  // namespace peerscope::sim
