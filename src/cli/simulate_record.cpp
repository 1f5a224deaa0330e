// peerscope simulate --record: a simulated run in real time, through the real recorder.
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/simulate.hpp"
#include "cli/stop.hpp"
#include "comm/sim/recorded.hpp"

namespace peerscope {

int simulate_recorded(const SimulateArguments& arguments, sim::Simulation& run) {
  auto recorded = sim::Recorded::open(run, "simulated");
  if (!recorded) {
    fmt::print(stderr, "peerscope simulate: {}\n", recorded.error().message);
    return 2;
  }
  stop_on_interrupt();
  if (!arguments.json)
    fmt::print("  {} ranks in real time for {}: peerscope top, peerscope report\n",
               run.options().topology.ranks(), format_duration(arguments.seconds * 1e9));
  std::fflush(stdout);
  bool more = true;
  while (more && !stop_requested() &&
         (arguments.operations > 0 || (*recorded)->elapsed_s() < arguments.seconds)) {
    more = (*recorded)->catch_up();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  if (arguments.json) {
    fmt::print("{}\n", nlohmann::json{{"operations", run.operations()},
                                      {"hangs", run.stuck()},
                                      {"segment", (*recorded)->segment_path()}}
                           .dump(2));
  } else {
    fmt::print("  {} operations recorded\n", format_count(run.operations()));
  }
  return 0;
}

}  // namespace peerscope
