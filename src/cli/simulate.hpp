// What the parts of `peerscope simulate` share.
#pragma once

#include <string>
#include <vector>

#include "comm/sim/simulation.hpp"
#include "config/config.hpp"

namespace peerscope {

struct SimulateArguments {
  std::string topology = "nvswitch8", out, command;
  std::vector<std::string> faults;
  int ranks = 0, seed = 1, operations = 0;
  double seconds = 10;
  bool async = false, record = false, quiet = false, json = false;
};

int simulate_suite(const SimulateArguments& arguments, int rounds, const Config& config);
int simulate_recorded(const SimulateArguments& arguments, sim::Simulation& run);

}  // namespace peerscope
