#include "comm/sim/topology.hpp"

#include <algorithm>
#include <queue>
#include <tuple>

#include <fmt/format.h>

namespace peerscope::sim {

const char* name(VertexKind kind) {
  constexpr const char* kNames[] = {"gpu",         "nvswitch", "pcie_switch",
                                    "host_bridge", "nic",      "net_switch"};
  return kNames[static_cast<int>(kind)];
}

const char* name(LinkKind kind) {
  constexpr const char* kNames[] = {"nvlink", "pcie", "socket", "nic"};
  return kNames[static_cast<int>(kind)];
}

int Topology::add_vertex(std::string vertex_name, VertexKind kind, int host) {
  const int at = static_cast<int>(vertices.size());
  if (kind == VertexKind::gpu) gpus.push_back(at);
  vertices.push_back({std::move(vertex_name), kind, host});
  return at;
}

int Topology::add_link(int a, int b, LinkKind kind, double bytes_per_s, double latency_ns,
                       int lanes) {
  const auto& from = vertices[static_cast<std::size_t>(a)].name;
  const auto& to = vertices[static_cast<std::size_t>(b)].name;
  links.push_back({a, b, fmt::format("{}-{}", from, to), kind, bytes_per_s, latency_ns, lanes});
  return static_cast<int>(links.size()) - 1;
}

int Topology::find_link(std::string_view link_name) const {
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (links[i].name == link_name) return static_cast<int>(i);
  }
  return -1;
}

std::vector<int> Topology::ranks_at(int link) const {
  const Link& it = links[static_cast<std::size_t>(link)];
  const auto is_gpu = [&](int vertex) {
    return vertices[static_cast<std::size_t>(vertex)].kind == VertexKind::gpu;
  };
  const auto rank_of = [&](int vertex) {
    return static_cast<int>(std::find(gpus.begin(), gpus.end(), vertex) - gpus.begin());
  };
  if (is_gpu(it.a) && is_gpu(it.b)) return {rank_of(it.a), rank_of(it.b)};
  if (is_gpu(it.a)) return {rank_of(it.a)};
  if (is_gpu(it.b)) return {rank_of(it.b)};
  const Routes routes(*this);
  std::vector<int> using_it(gpus.size(), 0);
  for (int from = 0; from < ranks(); ++from) {
    for (int to = 0; to < ranks(); ++to) {
      if (from == to) continue;
      for (const int step : routes.find(from, to)) {
        if (step / 2 == link)
          ++using_it[static_cast<std::size_t>(from)], ++using_it[static_cast<std::size_t>(to)];
      }
    }
  }
  const int most = *std::max_element(using_it.begin(), using_it.end());
  std::vector<int> found;
  for (int rank = 0; rank < ranks(); ++rank) {
    if (most > 0 && using_it[static_cast<std::size_t>(rank)] == most) found.push_back(rank);
  }
  return found;
}

Routes::Routes(const Topology& topology)
    : topology_(topology), edges_(topology.vertices.size()), came_by_(topology.gpus.size()) {
  for (std::size_t i = 0; i < topology.links.size(); ++i) {
    const Link& link = topology.links[i];
    edges_[static_cast<std::size_t>(link.a)].emplace_back(static_cast<int>(2 * i), link.b);
    edges_[static_cast<std::size_t>(link.b)].emplace_back(static_cast<int>(2 * i + 1), link.a);
  }
}

// Dijkstra by latency, then by hops, then by the vertex' number: so that there is one answer.
const std::vector<int>& Routes::towards(int from_rank) const {
  std::vector<int>& came_by = came_by_[static_cast<std::size_t>(from_rank)];
  if (!came_by.empty()) return came_by;
  came_by.assign(edges_.size(), -1);
  using Entry = std::tuple<double, int, int>;  // latency, hops, vertex
  std::vector<std::pair<double, int>> best(edges_.size(), {1e300, 0});
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  const int source = topology_.gpus[static_cast<std::size_t>(from_rank)];
  best[static_cast<std::size_t>(source)] = {0.0, 0};
  open.emplace(0.0, 0, source);
  while (!open.empty()) {
    const auto [latency, hops, vertex] = open.top();
    open.pop();
    const auto at = static_cast<std::size_t>(vertex);
    if (best[at] < std::pair(latency, hops)) continue;
    if (vertex != source && topology_.vertices[at].kind == VertexKind::gpu) continue;
    for (const auto& [edge, next] : edges_[at]) {
      const Link& link = topology_.links[static_cast<std::size_t>(edge / 2)];
      const std::pair reached(latency + link.latency_ns, hops + 1);
      auto& known = best[static_cast<std::size_t>(next)];
      if (!(reached < known)) continue;
      known = reached;
      came_by[static_cast<std::size_t>(next)] = edge;
      open.emplace(reached.first, reached.second, next);
    }
  }
  return came_by;
}

Route Routes::find(int from_rank, int to_rank) const {
  const std::vector<int>& came_by = towards(from_rank);
  const int source = topology_.gpus[static_cast<std::size_t>(from_rank)];
  Route route;
  for (int at = topology_.gpus[static_cast<std::size_t>(to_rank)]; at != source;) {
    const int edge = came_by[static_cast<std::size_t>(at)];
    if (edge < 0) return {};
    route.push_back(edge);
    const Link& link = topology_.links[static_cast<std::size_t>(edge / 2)];
    at = edge % 2 == 0 ? link.a : link.b;
  }
  std::reverse(route.begin(), route.end());
  return route;
}

std::optional<Error> check(const Topology& topology) {
  const auto bad = [&](std::string why) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("topology {}: {}", topology.name, std::move(why))};
  };
  if (topology.ranks() < 2) return bad("it has fewer than two devices; list them in \"devices\"");
  if (topology.ranks() > kMostRanks)
    return bad(fmt::format("{} devices, at most {} are simulated", topology.ranks(), kMostRanks));
  for (const Link& link : topology.links) {
    if (!(link.bytes_per_s > 0)) return bad(fmt::format("link {} has no bandwidth", link.name));
    if (!(link.latency_ns >= 0)) return bad(fmt::format("link {}: negative latency", link.name));
    if (link.lanes < 1 || link.lanes > 64)
      return bad(fmt::format("link {}: 1 to 64 lanes", link.name));
    if (link.a == link.b) return bad(fmt::format("link {} joins a device to itself", link.name));
  }
  const Routes routes(topology);
  for (int to = 1; to < topology.ranks(); ++to) {
    if (routes.find(0, to).empty())
      return bad(fmt::format("no way leads from device 0 to device {}; add a link", to));
  }
  return std::nullopt;
}

}  // namespace peerscope::sim
