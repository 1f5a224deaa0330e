// What is connected to what, how fast and how far: the machine that is simulated. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace peerscope::sim {

inline constexpr int kMostRanks = 1024;  // what one collector joins (collect/joiner.hpp)

enum class VertexKind : std::uint8_t { gpu, nvswitch, pcie_switch, host_bridge, nic, net_switch };
enum class LinkKind : std::uint8_t { nvlink, pcie, socket, nic };

const char* name(VertexKind kind);
const char* name(LinkKind kind);

// Ranks, vertices, links and steps are counted with int; -1 is none of them.
constexpr std::size_t at(int index) { return static_cast<std::size_t>(index); }

struct Vertex {
  std::string name;
  VertexKind kind = VertexKind::gpu;
  int host = 0;  // -1: of none, such as a network switch
};

// Full duplex: `bytes_per_s` each way. `lanes`: the physical links that it consists of (18 NVLinks,
// 16 PCIe lanes).
struct Link {
  int a = 0, b = 0;  // indices into vertices
  std::string name;
  LinkKind kind = LinkKind::nvlink;
  double bytes_per_s = 0, latency_ns = 0;
  int lanes = 1;
};

struct Topology {
  std::string name;
  std::vector<Vertex> vertices;
  std::vector<Link> links;
  std::vector<int> gpus;  // the vertex of each rank

  [[nodiscard]] int ranks() const { return static_cast<int>(gpus.size()); }
  [[nodiscard]] int host_of(int rank) const {
    return vertices[static_cast<std::size_t>(gpus[static_cast<std::size_t>(rank)])].host;
  }
  int add_vertex(std::string vertex_name, VertexKind kind, int host);
  int add_link(int a, int b, LinkKind kind, double bytes_per_s, double latency_ns, int lanes);
  [[nodiscard]] int find_link(std::string_view link_name) const;  // -1: there is none
  // The ranks that a link serves alone: those that it cuts off from all other GPUs' best ways, or
  // its two ends where it joins two GPUs.
  [[nodiscard]] std::vector<int> ranks_at(int link) const;
};

// A way through the machine, one entry a link: 2 * link + (0 from a to b, 1 from b to a).
using Route = std::vector<int>;

// The ways of least latency. GPUs pass nothing on. Found when first asked for; not for two threads.
class Routes {
 public:
  explicit Routes(const Topology& topology);
  // Between different ranks. Empty: there is none.
  [[nodiscard]] Route find(int from_rank, int to_rank) const;

 private:
  const std::vector<int>& towards(int from_rank) const;

  const Topology& topology_;
  std::vector<std::vector<std::pair<int, int>>> edges_;  // of a vertex: (directed link, vertex)
  mutable std::vector<std::vector<int>> came_by_;        // by rank: of each vertex, its last link
};

// One table (presets.cpp): families that take a size.
struct Preset {
  const char* pattern;   // "nvswitch{N}"
  const char* standard;  // "nvswitch8"
  const char* says;
};
const std::vector<Preset>& presets();
// A preset's name ("nvswitch8", "rails16x8"), made to fit `ranks` where that is not 0; or a path to
// a JSON file. The error says what is known.
Result<Topology> load_topology(const std::string& name_or_file, int ranks);

std::string to_json_text(const Topology& topology);
Result<Topology> parse_topology(std::string_view json);
// A sentence on what is wrong with it; empty if nothing is.
std::optional<Error> check(const Topology& topology);

}  // namespace peerscope::sim
