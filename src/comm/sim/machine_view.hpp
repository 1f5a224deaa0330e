// What a look at the simulated machine's devices says (model/device.hpp).
#pragma once

#include <vector>

#include "comm/sim/conditions.hpp"
#include "comm/sim/topology.hpp"
#include "model/device.hpp"

namespace peerscope::sim {

// Counters since the beginning: of directed links, or of links.
struct LinkCounters {
  std::vector<double> own_bytes, foreign_bytes;  // of each directed link
  std::vector<double> errors;                    // of each link
};

// Devices are numbered as ranks: of all hosts up to 64 ranks, else of the first host, as one
// monitor sees its own machine.
class MachineView {
 public:
  MachineView(const Topology& topology, const Routes& routes);

  // Rates are those since the reading before.
  MachineReading read(std::int64_t at_ns, const Conditions& conditions,
                      const LinkCounters& counters);

 private:
  struct Port {
    int link, towards;  // directed link that leads away from the device; the other is towards ^ 1
  };
  void add_nvlink(DeviceReading& device, const Port& port, const Conditions& conditions,
                  const LinkCounters& counters, double seconds) const;

  const Topology& topology_;
  int devices_;
  std::vector<std::vector<Port>> ports_;  // of each device
  std::vector<DevicePair> pairs_;
  LinkCounters before_;
  std::int64_t before_ns_ = -1;
};

}  // namespace peerscope::sim
