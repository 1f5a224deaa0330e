// A topology as a file: {"name", "devices": [...], "switches": [...], "links": [...]}.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "comm/sim/topology.hpp"

namespace peerscope::sim {
namespace {

using nlohmann::json;

constexpr VertexKind kVertexKinds[] = {VertexKind::gpu,         VertexKind::nvswitch,
                                       VertexKind::pcie_switch, VertexKind::host_bridge,
                                       VertexKind::nic,         VertexKind::net_switch};
constexpr LinkKind kLinkKinds[] = {LinkKind::nvlink, LinkKind::pcie, LinkKind::socket,
                                   LinkKind::nic};

Error bad(std::string why) { return Error{ErrorCode::invalid_argument, std::move(why)}; }

template <class Kind, std::size_t N>
std::optional<Kind> find_kind(const Kind (&kinds)[N], const std::string& text) {
  for (const Kind kind : kinds) {
    if (text == name(kind)) return kind;
  }
  return std::nullopt;
}

std::string text_of(const json& object, const char* key, const std::string& fallback) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : fallback;
}

double number_of(const json& object, const char* key, double fallback) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : fallback;
}

// "gpu0" or {"name", "kind", "host"}.
std::optional<Error> read_vertex(const json& item, VertexKind standard, Topology& topology) {
  Vertex vertex{item.is_string() ? item.get<std::string>() : std::string{}, standard, 0};
  if (item.is_object()) {
    vertex.name = text_of(item, "name", "");
    const std::string kind = text_of(item, "kind", name(standard));
    const auto known = find_kind(kVertexKinds, kind);
    if (!known) return bad(fmt::format("'{}' is no kind of device or switch", kind));
    vertex.kind = *known;
    vertex.host = static_cast<int>(number_of(item, "host", 0));
  }
  if (vertex.name.empty()) return bad("a device or switch has no name");
  for (const Vertex& other : topology.vertices) {
    if (other.name == vertex.name) return bad(fmt::format("there are two '{}'", vertex.name));
  }
  topology.add_vertex(vertex.name, vertex.kind, vertex.host);
  return std::nullopt;
}

std::optional<Error> read_link(const json& item, Topology& topology) {
  if (!item.is_object()) return bad("a link is an object with \"a\", \"b\" and \"gb_per_s\"");
  int ends[2] = {-1, -1};
  for (int i = 0; i < 2; ++i) {
    const std::string end = text_of(item, i == 0 ? "a" : "b", "");
    for (std::size_t v = 0; v < topology.vertices.size(); ++v) {
      if (topology.vertices[v].name == end) ends[i] = static_cast<int>(v);
    }
    if (ends[i] < 0) return bad(fmt::format("a link ends in '{}', which is nothing", end));
  }
  const std::string kind = text_of(item, "kind", "nvlink");
  const auto known = find_kind(kLinkKinds, kind);
  if (!known) return bad(fmt::format("'{}' is no kind of link: nvlink, pcie, socket, nic", kind));
  const int at = topology.add_link(ends[0], ends[1], *known, number_of(item, "gb_per_s", 0) * 1e9,
                                   number_of(item, "latency_ns", 500),
                                   static_cast<int>(number_of(item, "lanes", 1)));
  Link& link = topology.links[static_cast<std::size_t>(at)];
  link.name = text_of(item, "name", link.name);
  return std::nullopt;
}

}  // namespace

std::string to_json_text(const Topology& topology) {
  json out{{"name", topology.name},
           {"devices", json::array()},
           {"switches", json::array()},
           {"links", json::array()}};
  for (const Vertex& vertex : topology.vertices) {
    const bool device = vertex.kind == VertexKind::gpu;
    out[device ? "devices" : "switches"].push_back(
        {{"name", vertex.name}, {"kind", name(vertex.kind)}, {"host", vertex.host}});
  }
  for (const Link& link : topology.links) {
    out["links"].push_back({{"name", link.name},
                            {"a", topology.vertices[static_cast<std::size_t>(link.a)].name},
                            {"b", topology.vertices[static_cast<std::size_t>(link.b)].name},
                            {"kind", name(link.kind)},
                            {"gb_per_s", link.bytes_per_s / 1e9},
                            {"latency_ns", link.latency_ns},
                            {"lanes", link.lanes}});
  }
  return out.dump(2);
}

Result<Topology> parse_topology(std::string_view text) {
  const json in = json::parse(text, nullptr, false);
  if (in.is_discarded() || !in.is_object())
    return bad("it is no JSON object with \"devices\" and \"links\"");
  Topology topology;
  topology.name = text_of(in, "name", "custom");
  for (const char* list : {"devices", "switches"}) {
    const auto found = in.find(list);
    if (found == in.end()) continue;
    if (!found->is_array()) return bad(fmt::format("\"{}\" is no list", list));
    const bool devices = std::string_view(list) == "devices";
    for (const json& item : *found) {
      const VertexKind standard = devices ? VertexKind::gpu : VertexKind::nvswitch;
      if (auto error = read_vertex(item, standard, topology)) return *error;
    }
  }
  const auto links = in.find("links");
  if (links == in.end() || !links->is_array()) return bad("it has no list \"links\"");
  for (const json& item : *links) {
    if (auto error = read_link(item, topology)) return *error;
  }
  if (auto error = check(topology)) return *error;
  return topology;
}

}  // namespace peerscope::sim
