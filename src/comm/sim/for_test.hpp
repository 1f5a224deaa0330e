// What the simulator's tests share.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "comm/sim/simulation.hpp"

namespace peerscope::sim {

inline Topology topology_named(const std::string& name, int ranks = 0) {
  auto topology = load_topology(name, ranks);
  EXPECT_TRUE(topology) << (topology ? "" : topology.error().message);
  return topology ? *topology : Topology{};
}

inline std::vector<double> capacities_of(const Topology& topology) {
  std::vector<double> out;
  for (const Link& link : topology.links) out.insert(out.end(), 2, link.bytes_per_s / 1e9);
  return out;
}

// Keeps all that comes.
class Kept final : public SimSink {
 public:
  void on_ops(std::span<const Op> more) override {
    ops.insert(ops.end(), more.begin(), more.end());
  }
  void on_event(const SimEvent& event) override { events.push_back(event); }
  std::vector<Op> ops;
  std::vector<SimEvent> events;
};

inline std::unique_ptr<Simulation> simulation_of(const std::string& topology,
                                                 const std::vector<std::string>& faults,
                                                 std::uint64_t seed = 1, double noise = 1.0,
                                                 int ranks = 0) {
  SimulationOptions options;
  options.topology = topology_named(topology, ranks);
  options.seed = seed;
  options.noise = noise;
  for (const std::string& text : faults) {
    auto fault = parse_fault(text);
    EXPECT_TRUE(fault) << (fault ? "" : fault.error().message);
    if (fault) options.faults.push_back(*fault);
  }
  auto made = Simulation::make(std::move(options));
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? std::move(*made) : nullptr;
}

inline std::int64_t at_s(const Simulation& run, double seconds) {
  return run.options().origin_ns + static_cast<std::int64_t>(seconds * 1e9);
}

}  // namespace peerscope::sim
