// A job on a machine in virtual time: the same seed gives the same run, to the nanosecond.
//
// What each operation costs comes from the library's own plans over links with contention
// (schedule.hpp, network.hpp), once for each state of the links. In the run, a collective that needs
// all ranks moves when its last rank has come, and ends on each rank as the plan says; what a rank
// sends to another moves when both are there. Noise is log-normal with rare stalls.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "comm/sim/faults.hpp"
#include "comm/sim/schedule.hpp"
#include "comm/sim/workload.hpp"
#include "model/device.hpp"
#include "model/op.hpp"
#include "model/process_state.hpp"

namespace peerscope::sim {

struct SimulationOptions {
  Topology topology;
  WorkloadOptions workload;
  CostOptions cost;
  std::vector<Fault> faults;  // as parsed; the seed places them
  std::uint64_t seed = 1;
  double noise = 1.0;                          // 0: none
  std::int64_t origin_ns = 1'000'000'000'000;  // of the operations' clock, when the run begins
  std::uint64_t comm = 0x51D;                  // the communicator's id
  std::uint64_t most_operations = UINT64_MAX;  // stops after this many
};

struct SimEvent {
  std::int64_t at_ns = 0;
  int rank = 0;
  int severity = PSCOPE_SEVERITY_INFO;
  std::string name;
  std::int64_t value = 0;
};

// Called with what happened, in order of time. Operations: in order of their end.
class SimSink {
 public:
  virtual ~SimSink() = default;
  virtual void on_ops(std::span<const Op> ops) = 0;
  virtual void on_event(const SimEvent& event) = 0;
};

struct PoolGauge {
  double used_bytes = 0, capacity_bytes = 0;
};

class Simulation {
 public:
  static Result<std::unique_ptr<Simulation>> make(SimulationOptions options);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Goes on until `until_ns` and delivers what has ended by then. False: nothing more will come
  // (most_operations).
  bool advance(std::int64_t until_ns, SimSink& sink);

  // As of the time that advance() has been called with. Of one communicator, that of all ranks.
  [[nodiscard]] std::vector<InFlight> in_flight() const;
  [[nodiscard]] MachineReading machine();  // counters since the beginning
  [[nodiscard]] PoolGauge pool(int rank) const;
  [[nodiscard]] ProcessState process_state(int rank) const;
  [[nodiscard]] std::int64_t last_sign_ns(int rank) const;  // of its process

  [[nodiscard]] const std::vector<Truth>& truths() const;
  [[nodiscard]] const std::vector<Fault>& faults() const;  // placed
  [[nodiscard]] const SimulationOptions& options() const;
  [[nodiscard]] std::uint64_t operations() const;  // delivered
  [[nodiscard]] bool stuck() const;                // nothing moves any more
  // Bytes of our own over each directed link so far.
  [[nodiscard]] const std::vector<double>& link_bytes() const;
  static std::uint32_t pid_of(int rank) { return 1'000 + static_cast<std::uint32_t>(rank); }

 private:
  class State;
  explicit Simulation(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope::sim
