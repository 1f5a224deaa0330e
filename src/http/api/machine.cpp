// GPUs, the links between them, and the whole as a graph.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "http/api/rows.hpp"
#include "session/json.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

json moments_of(const DeviceSummary& device, const Moments& moments) {
  json out = json::array();
  for (const DeviceMoment& moment : device.history) {
    const auto gbs = [](const std::optional<double>& rate) {
      return rate ? json(*rate / 1e9) : json(nullptr);
    };
    out.push_back({{"t_ns", moments.since_start(moment.at_ns)},
                   {"nvlink_gbs", gbs(moment.nvlink_bytes_per_s)},
                   {"pcie_gbs", gbs(moment.pcie_bytes_per_s)},
                   {"errors", moment.errors}});
  }
  return out;
}

// What operations say of a device, where NVML says nothing.
json bare_device(int index) {
  return {{"index", index},        {"name", nullptr},    {"uuid", nullptr},
          {"pci_bus_id", nullptr}, {"trouble", nullptr}, {"history", json::array()}};
}

const char* health_of(const Snapshot& snapshot, const std::function<bool(const Subject&)>& about) {
  const char* health = "ok";
  for (const Finding& finding : snapshot.findings) {
    if (!about(finding.subject)) continue;
    if (finding.severity == Severity::critical) return "critical";
    if (finding.severity == Severity::warning) health = "warning";
  }
  return health;
}

const Finding* finding_of(const Snapshot& snapshot,
                          const std::function<bool(const Subject&)>& about) {
  for (const Finding& finding : snapshot.findings) {
    if (about(finding.subject)) return &finding;
  }
  return nullptr;
}

// One undirected link under way: both directions' figures, the busier one counts.
struct Edge {
  std::string from, to, type;
  double capacity_gbs = kUnknown, used_gbs = kUnknown;
  std::string health = "unknown", finding;
};

json edge_json(const Edge& edge) {
  const bool both = edge.capacity_gbs > 0 && edge.used_gbs >= 0;
  return {{"id", edge.from + "~" + edge.to},
          {"from", edge.from},
          {"to", edge.to},
          {"type", edge.type},
          {"capacity_gbs", known(edge.capacity_gbs)},
          {"used_gbs", known(edge.used_gbs)},
          {"utilisation",
           both ? json(std::min(edge.used_gbs / edge.capacity_gbs, 1.0)) : json(nullptr)},
          {"health", edge.health},
          {"errors", nullptr},
          {"finding", known_text(edge.finding)}};
}

std::string rank_id(std::uint64_t comm, std::uint16_t rank) {
  return fmt::format("rank:{:x}:{}", comm, rank);
}
std::string device_id(int device) { return fmt::format("device:{}", device); }

std::map<std::pair<std::string, std::string>, Edge> edges_of(const Snapshot& snapshot,
                                                             Window window) {
  std::map<std::pair<std::string, std::string>, Edge> edges;
  const auto edge = [&edges](std::string a, std::string b) -> Edge& {
    if (b < a) std::swap(a, b);
    Edge& out = edges[{a, b}];
    out.from = a;
    out.to = b;
    return out;
  };
  if (snapshot.machine) {
    for (const PathSummary& path : snapshot.machine->paths) {
      Edge& link = edge(device_id(path.from), device_id(path.to));
      link.type = path.path;
      link.health = health_of(snapshot, [&path](const Subject& s) {
        return s.device && (*s.device == path.from || *s.device == path.to) && !s.link.empty();
      });
      if (path.bandwidth_bytes_per_s) link.capacity_gbs = *path.bandwidth_bytes_per_s / 1e9;
    }
  }
  if (!snapshot.aggregates) return edges;
  for (const PairRow& row : snapshot.aggregates->pairs) {
    if (row.from == row.to) continue;
    Edge& link = edge(rank_id(row.comm, row.from), rank_id(row.comm, row.to));
    if (link.type.empty()) link.type = "pair";
    if (const double rate = row.windows.in(window).bytes_per_s(); rate >= 0)
      link.used_gbs = std::max(link.used_gbs, rate / 1e9);
    link.capacity_gbs =
        std::max(link.capacity_gbs,
                 row.bandwidth_bytes_per_s > 0 ? row.bandwidth_bytes_per_s / 1e9 : kUnknown);
    const auto about = [&row](const Subject& s) {
      return s.rank && s.peer &&
             ((*s.rank == row.from && *s.peer == row.to) ||
              (*s.rank == row.to && *s.peer == row.from));
    };
    link.health = health_of(snapshot, about);
    if (const Finding* finding = finding_of(snapshot, about)) link.finding = finding_id(*finding);
  }
  return edges;
}

json links_json(const Snapshot& snapshot, Window window) {
  json items = json::array();
  for (const auto& [ends, edge] : edges_of(snapshot, window)) items.push_back(edge_json(edge));
  return items;
}

json node(const std::string& id, const char* kind, const std::string& label) {
  return {{"id", id},        {"kind", kind},      {"label", label}, {"parent", nullptr},
          {"rank", nullptr}, {"device", nullptr}, {"health", "ok"}, {"detail", ""}};
}

json device_node(const Snapshot& snapshot, int index, const std::string& name) {
  json out = node(device_id(index), "device", fmt::format("GPU {}", index));
  out["parent"] = "host";
  out["device"] = index;
  out["detail"] = name;
  out["health"] = health_of(snapshot, [index](const Subject& s) { return s.device == index; });
  return out;
}

void add_devices(const Snapshot& snapshot, json& nodes, std::set<int>& devices) {
  if (snapshot.machine) {
    for (const DeviceSummary& device : snapshot.machine->devices) {
      nodes.push_back(device_node(snapshot, device.index, device.name));
      devices.insert(device.index);
    }
  }
  for (const DeviceRow& row : snapshot.aggregates->devices) {
    if (row.device == kNoDevice || !devices.insert(row.device).second) continue;
    nodes.push_back(device_node(snapshot, row.device, ""));
  }
}

json nodes_of(const Snapshot& snapshot) {
  json nodes = json::array();
  if (!snapshot.aggregates) return nodes;
  std::set<int> devices;
  add_devices(snapshot, nodes, devices);
  if (!devices.empty()) nodes.push_back(node("host", "host", "this host"));
  const RankDevices where = rank_devices(snapshot);
  for (const RankRow& row : snapshot.aggregates->ranks) {
    json out = node(rank_id(row.comm, row.rank), "rank", fmt::format("rank {}", row.rank));
    const auto device = where.find({row.comm, row.rank});
    if (device != where.end()) out["parent"] = device_id(device->second);
    out["rank"] = row.rank;
    out["detail"] = communicator_name(snapshot, row.comm);
    out["health"] =
        health_of(snapshot, [&row](const Subject& s) { return s.rank == row.rank && !s.peer; });
    nodes.push_back(std::move(out));
  }
  return nodes;
}

bool is_machine_change(const DebugEvent& event) {
  return event.kind.rfind("link_", 0) == 0 || event.kind.rfind("device_", 0) == 0 ||
         event.kind.rfind("pcie_", 0) == 0 || event.kind.rfind("xid", 0) == 0;
}

}  // namespace

json devices_json(const Served& served, Window window) {
  const auto snapshot = served.snapshot();
  const Moments moments(served);
  std::map<int, json> devices;
  if (snapshot->machine) {
    const json machine = to_json(*snapshot->machine);
    for (std::size_t i = 0; i < snapshot->machine->devices.size(); ++i) {
      const DeviceSummary& device = snapshot->machine->devices[i];
      devices[device.index] = machine["devices"][i];
      devices[device.index]["history"] = moments_of(device, moments);
    }
  }
  if (snapshot->aggregates) {
    for (const DeviceRow& row : snapshot->aggregates->devices) {
      if (row.device == kNoDevice) continue;
      const auto at = devices.try_emplace(row.device, bare_device(row.device)).first;
      at->second["operations_per_s"] = known(row.windows.in(window).operations_per_s());
      at->second["bytes_per_s"] = known(row.windows.in(window).bytes_per_s());
    }
  }
  json items = json::array();
  for (auto& [index, device] : devices) {
    if (!device.contains("bytes_per_s"))
      device["operations_per_s"] = device["bytes_per_s"] = nullptr;
    device["ranks"] = ranks_on(*snapshot, static_cast<std::uint16_t>(index));
    items.push_back(std::move(device));
  }
  json missing = nullptr;
  if (!snapshot->machine)
    missing = served.is_file() ? "the recording holds no readings of GPUs"
                               : "no GPU is read: source.nvml is off";
  else
    missing = known_text(snapshot->machine->missing);
  return {{"items", items}, {"missing", missing}};
}

Response get_devices(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  const Window window = parameters.window(*api.served);
  if (const auto refusal = parameters.refusal()) return *refusal;
  return answer(devices_json(*api.served, window));
}

Response get_links(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  const Window window = parameters.window(*api.served);
  if (const auto refusal = parameters.refusal()) return *refusal;
  return answer({{"items", links_json(*api.served->snapshot(), window)}});
}

Response get_topology(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  const Window window = parameters.window(*api.served);
  if (const auto refusal = parameters.refusal()) return *refusal;
  const auto snapshot = api.served->snapshot();
  const Moments moments(*api.served);
  json changes = json::array();
  for (const ServedEvent& event : api.served->events(0, 100, is_machine_change))
    changes.push_back(event_json(event, moments));
  json note = nullptr;
  if (!snapshot->machine || snapshot->machine->devices.empty())
    note =
        "Which GPUs, switches and sockets lie between the ranks is not known here: no GPU was "
        "read. Links are the "
        "pairs of ranks that exchange messages; their capacity is the best that was measured.";
  return answer({{"nodes", nodes_of(*snapshot)},
                 {"links", links_json(*snapshot, window)},
                 {"changes", changes},
                 {"note", note}});
}

}  // namespace peerscope::http
