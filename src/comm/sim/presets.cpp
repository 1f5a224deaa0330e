// The machines that have a name. Bandwidths are data sheets' (one direction), latencies those of
// one hop as the field measures them; for a machine of your own write a file (--topology FILE).
#include <cstdio>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "comm/sim/topology.hpp"

namespace peerscope::sim {
namespace {

constexpr double kG = 1e9;
struct Speed {
  double bytes_per_s, latency_ns;
  int lanes;
};
constexpr Speed kNvswitchPort{450 * kG, 350, 18};  // H100: 18 NVLink 4 of 25 GB/s
constexpr Speed kNvlinkPair{100 * kG, 500, 4};     // A100: four of 25 GB/s to each of three peers
constexpr Speed kNvlinkBridge{56 * kG, 600, 4};    // RTX A6000, 3090: four of 14 GB/s
constexpr Speed kPcie4{25 * kG, 450, 16};
constexpr Speed kPcie5{50 * kG, 400, 16};
constexpr Speed kPcieUp{25 * kG, 350, 16};  // of a switch to its host bridge
constexpr Speed kSockets{40 * kG, 700, 1};
constexpr Speed kNicPort{50 * kG, 900, 1};      // 400 Gb/s
constexpr Speed kSpinePort{50 * kG, 1'500, 1};  // of a rail's switch, for each host

int join(Topology& t, int a, int b, LinkKind kind, const Speed& speed) {
  return t.add_link(a, b, kind, speed.bytes_per_s, speed.latency_ns, speed.lanes);
}

std::vector<int> gpus(Topology& t, int count, int host, int first) {
  std::vector<int> made;
  for (int i = 0; i < count; ++i)
    made.push_back(t.add_vertex(fmt::format("gpu{}", first + i), VertexKind::gpu, host));
  return made;
}

// Two PCIe host bridges, with half of the GPUs on each; `switched`: two GPUs share a switch.
void add_pcie(Topology& t, const std::vector<int>& devices, int host, const Speed& speed,
              bool switched) {
  int bridges[2];
  for (int i = 0; i < 2; ++i)
    bridges[i] =
        t.add_vertex(fmt::format("host{}-bridge{}", host, i), VertexKind::host_bridge, host);
  join(t, bridges[0], bridges[1], LinkKind::socket, kSockets);
  const std::size_t half = (devices.size() + 1) / 2;
  int pcie_switch = -1;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const int bridge = bridges[i / half];
    if (switched && i % half % 2 == 0) {
      pcie_switch =
          t.add_vertex(fmt::format("host{}-pcie{}", host, i / 2), VertexKind::pcie_switch, host);
      join(t, pcie_switch, bridge, LinkKind::pcie, kPcieUp);
    }
    join(t, devices[i], switched ? pcie_switch : bridge, LinkKind::pcie, speed);
  }
}

void add_nvswitch(Topology& t, const std::vector<int>& devices, int host) {
  const int nvswitch =
      t.add_vertex(fmt::format("host{}-nvswitch", host), VertexKind::nvswitch, host);
  for (const int gpu : devices) join(t, gpu, nvswitch, LinkKind::nvlink, kNvswitchPort);
}

Topology nvswitch(int n, int) {
  Topology t;
  const auto devices = gpus(t, n, 0, 0);
  add_nvswitch(t, devices, 0);
  add_pcie(t, devices, 0, kPcie5, false);
  return t;
}

Topology pcie(int n, int) {
  Topology t;
  add_pcie(t, gpus(t, n, 0, 0), 0, kPcie4, true);
  return t;
}

Topology nvlink(int n, int) {
  Topology t;
  const auto devices = gpus(t, n, 0, 0);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    for (std::size_t j = i + 1; j < devices.size(); ++j)
      join(t, devices[i], devices[j], LinkKind::nvlink, kNvlinkPair);
  }
  add_pcie(t, devices, 0, kPcie4, false);
  return t;
}

Topology bridge(int n, int) {
  Topology t;
  const auto devices = gpus(t, n, 0, 0);
  for (std::size_t i = 0; i + 1 < devices.size(); i += 2)
    join(t, devices[i], devices[i + 1], LinkKind::nvlink, kNvlinkBridge);
  add_pcie(t, devices, 0, kPcie4, false);
  return t;
}

// Each GPU has a network card of its own, on the switch of its rail; rails meet in a spine that has room for all.
Topology rails(int hosts, int per_host) {
  Topology t;
  std::vector<std::vector<int>> devices;
  for (int host = 0; host < hosts; ++host)
    devices.push_back(gpus(t, per_host, host, host * per_host));
  const int spine = t.add_vertex("spine", VertexKind::net_switch, -1);
  std::vector<int> rail;
  for (int i = 0; i < per_host; ++i) {
    rail.push_back(t.add_vertex(fmt::format("rail{}", i), VertexKind::net_switch, -1));
    const Speed uplink{kSpinePort.bytes_per_s * hosts, kSpinePort.latency_ns, kSpinePort.lanes};
    join(t, rail.back(), spine, LinkKind::nic, uplink);
  }
  for (int host = 0; host < hosts; ++host) {
    const auto& own = devices[static_cast<std::size_t>(host)];
    add_nvswitch(t, own, host);
    for (std::size_t i = 0; i < own.size(); ++i) {
      const auto nic = t.add_vertex(fmt::format("host{}-nic{}", host, i), VertexKind::nic, host);
      join(t, own[i], nic, LinkKind::pcie, kPcie5);
      join(t, nic, rail[i], LinkKind::nic, kNicPort);
    }
  }
  return t;
}

// `sizes`: how many numbers follow the name. `make` takes them; the second is 0 where there is one.
struct Family {
  Preset preset;
  const char* name;
  int sizes;
  Topology (*make)(int, int);
};
constexpr Family kFamilies[] = {
    {{"nvswitch{N}", "nvswitch8", "N GPUs on NVSwitches, 450 GB/s each"}, "nvswitch", 1, nvswitch},
    {{"pcie{N}", "pcie8", "N GPUs, two to a PCIe 4.0 switch, two host bridges"}, "pcie", 1, pcie},
    {{"nvlink{N}", "nvlink4", "N GPUs, NVLink between each two, 100 GB/s"}, "nvlink", 1, nvlink},
    {{"bridge{N}", "bridge4", "pairs of GPUs with NVLink bridges, PCIe between pairs"},
     "bridge",
     1,
     bridge},
    {{"rails{M}x{N}", "rails16x8", "M hosts of N GPUs on NVSwitches, one network rail a GPU"},
     "rails",
     2,
     rails},
};

std::string known() {
  std::string all;
  for (const Family& family : kFamilies) {
    if (!all.empty()) all += ", ";
    all += family.preset.standard;
  }
  return all;
}

// The numbers of "rails16x8" after "rails"; false if these are none.
bool read_sizes(const char* text, int sizes, int& first, int& second) {
  int used = 0;
  second = 0;
  const int read = sizes == 1 ? std::sscanf(text, "%4d%n", &first, &used)
                              : std::sscanf(text, "%4dx%4d%n", &first, &second, &used);
  return read == sizes && text[used] == '\0';
}

Result<Topology> make(const Family& family, int first, int second, int ranks) {
  if (ranks > 0 && family.sizes == 1) first = ranks;
  if (ranks > 0 && family.sizes == 2) {
    if (ranks % second != 0)
      return Error{ErrorCode::invalid_argument,
                   fmt::format("{} has {} GPUs a host: ask for a multiple with --ranks",
                               family.preset.standard, second)};
    first = ranks / second;
  }
  const int all = family.sizes == 2 ? first * second : first;
  if (first < 1 || all < 2 || all > kMostRanks)
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} ranks: from 2 to {} are simulated", all, kMostRanks)};
  Topology topology = family.make(first, second);
  topology.name = family.sizes == 2 ? fmt::format("{}{}x{}", family.name, first, second)
                                    : fmt::format("{}{}", family.name, first);
  return topology;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = [] {
    std::vector<Preset> list;
    for (const Family& family : kFamilies) list.push_back(family.preset);
    return list;
  }();
  return all;
}

Result<Topology> load_topology(const std::string& name_or_file, int ranks) {
  for (const Family& family : kFamilies) {
    const std::string prefix = family.name;
    if (name_or_file.rfind(prefix, 0) != 0) continue;
    int first = 0, second = 0;
    const std::string rest = name_or_file.substr(prefix.size());
    const char* sizes = rest.empty() ? family.preset.standard + prefix.size() : rest.c_str();
    if (read_sizes(sizes, family.sizes, first, second)) return make(family, first, second, ranks);
  }
  std::ifstream file(name_or_file);
  if (!file)
    return Error{
        ErrorCode::not_found,
        fmt::format("there is no topology and no file '{}'; known are {}", name_or_file, known())};
  auto topology = parse_topology(std::string{std::istreambuf_iterator<char>(file), {}});
  if (!topology)
    return Error{topology.error().code,
                 fmt::format("{}: {}", name_or_file, topology.error().message)};
  if (ranks > 0 && topology->ranks() != ranks)
    return Error{ErrorCode::invalid_argument, fmt::format("{} has {} devices, --ranks asks for {}",
                                                          name_or_file, topology->ranks(), ranks)};
  return topology;
}

}  // namespace peerscope::sim
