// The inside of Simulation: shared by simulation.cpp (the run) and simulation_steps.cpp (its steps).
#pragma once

#include <algorithm>
#include <optional>

#include "comm/sim/cost_book.hpp"
#include "comm/sim/machine_view.hpp"
#include "comm/sim/simulation.hpp"

namespace peerscope::sim {

// Times in here are ns since the run's begin.
class Simulation::State {
 public:
  explicit State(SimulationOptions given);

  // Fails where a fault has no place, or an operation no algorithm.
  std::optional<Error> prepare();
  bool advance(std::int64_t until_ns, SimSink& sink);
  void account(double until_ns);  // foreign bytes and errors up to then

  SimulationOptions options;
  Routes routes;
  CostBook book;
  MachineView view;
  std::vector<Truth> truths;
  Conditions healthy, now;
  LinkCounters counters;
  std::uint64_t delivered = 0;
  std::int64_t asked_ns = 0;  // what advance() has reached, on the operations' clock
  std::vector<Op> held;       // by end: not yet delivered
  std::vector<Op> stuck_in;   // what will never end
  std::vector<SimEvent> events;
  bool stuck = false;
  double dead_since_ns = -1;  // of the lost rank's process
  int dead_rank = -1;
  double used_share = 0.4;  // of the pools that are as usual

 private:
  void iteration();
  std::optional<WorkStep> next_other(std::size_t index) const;
  void collective(const WorkStep& step, std::size_t index);
  void exchange(const WorkStep& step);
  void compute(const WorkStep& step);
  void lose(const WorkStep& step);
  void disagree_in_sequence(const WorkStep& step, const WorkStep& other);
  double send_again(int rank, int peer, const WorkStep& step);
  double transfer_factor(Kind kind);
  void deliver(std::int64_t until_ns, SimSink& sink);

  [[nodiscard]] int ranks() const { return options.topology.ranks(); }
  [[nodiscard]] Op op_of(int rank, const WorkStep& step) const;
  void emit(Op op, double begin_ns, double end_ns);
  void emit_collective(const WorkStep& step, Algorithm algorithm, const std::vector<double>& ends,
                       OpStatus status);
  [[nodiscard]] std::int64_t clock(double ns) const {
    return options.origin_ns + static_cast<std::int64_t>(ns);
  }

  Random random_;
  std::vector<double> bias_;     // of each rank's work
  std::vector<double> free_;     // when each rank (asynchronous: its device) is done
  std::vector<double> host_;     // asynchronous: when its host is
  std::vector<double> arrived_;  // at the step at hand
  std::vector<std::uint64_t> sends_, receives_;
  std::vector<WorkStep> steps_;
  std::uint64_t sequence_ = 0, iteration_ = 0, made_ = 0;
  double accounted_ns_ = 0, wander_ = 1, warm_ = 1;
};

}  // namespace peerscope::sim
