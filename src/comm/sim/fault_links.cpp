// Faults of links: slow, narrow, now and then, shared.
#include <algorithm>
#include <cmath>

#include "comm/sim/faults.hpp"

namespace peerscope::sim {
namespace {

LinkCondition& link_of(const Fault& fault, Conditions& now) {
  return now.links[static_cast<std::size_t>(fault.link)];
}

void slow_link(const Fault& fault, double, Conditions& now) {
  link_of(fault, now).share *= fault.number("share");
}

// The PCIe link of a rank's device.
std::string place_pcie(Fault& fault, const FaultScene& scene, Random& random) {
  choose_rank(fault, scene, random);
  const Topology& topology = *scene.topology;
  const int gpu = topology.gpus[static_cast<std::size_t>(fault.rank)];
  for (std::size_t i = 0; i < topology.links.size(); ++i) {
    const Link& link = topology.links[i];
    if (link.kind == LinkKind::pcie && (link.a == gpu || link.b == gpu))
      fault.link = static_cast<int>(i);
  }
  return fault.link < 0 ? "this device has no PCIe link" : "";
}

// 16 lanes become 8, 4, 2 or 1.
void degraded_pcie(const Fault& fault, double, Conditions& now) {
  const int width = std::clamp(static_cast<int>(fault.number("width")), 1, 16);
  int lanes = 1;
  while (lanes * 2 <= width) lanes *= 2;
  now.pcie_width[static_cast<std::size_t>(fault.rank)] = lanes;
  link_of(fault, now).share *= lanes / 16.0;
}

void flapping_link(const Fault& fault, double since_s, Conditions& now) {
  const double period_s = std::max(0.01, fault.number("period_s"));
  if (std::fmod(since_s, period_s) >= period_s * fault.number("down_share")) return;
  LinkCondition& link = link_of(fault, now);
  link.share *= fault.number("share");
  link.errors_per_s += fault.number("errors_per_s");
  link.lanes_down = 1;
}

// A second job's traffic on a link that ours uses, too.
void contention(const Fault& fault, double, Conditions& now) {
  LinkCondition& link = link_of(fault, now);
  link.foreign = std::clamp(link.foreign + fault.number("load"), 0.0, 0.95);
}

}  // namespace

std::vector<FaultKind> link_faults() {
  return {
      {"slow_link",
       "a device's link has a part of its bandwidth, both ways",
       {{"share", 0.15, 0.4, "of its bandwidth that is left"}},
       "link rank",
       "",
       choose_device_link,
       slow_link},
      {"degraded_pcie",
       "a device's PCIe link has come up with fewer lanes",
       {{"width", 1, 8, "lanes of 16"}},
       "rank",
       "",
       place_pcie,
       degraded_pcie},
      {"flapping_link",
       "a device's link goes down and comes back, with errors",
       {{"share", 0.05, 0.2, "of its bandwidth that is left while it is down"},
        {"period_s", 0.5, 1.5, "from one time to the next, in seconds"},
        {"down_share", 0.3, 0.5, "of the time"},
        {"errors_per_s", 100, 1'000, "repeated transmissions while it is down"}},
       "link rank",
       "",
       choose_device_link,
       flapping_link},
      {"contention",
       "another job uses a device's link, too",
       {{"load", 0.5, 0.8, "of its bandwidth, each way"}},
       "link rank",
       "",
       choose_device_link,
       contention},
  };
}

}  // namespace peerscope::sim
