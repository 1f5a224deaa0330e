// A simulated run under the same analysis as a live session: joiner, aggregates, readings of the
// machine, detectors, all in virtual time.
#pragma once

#include <cstdint>
#include <deque>

#include "analyze/aggregate.hpp"
#include "analyze/machine.hpp"
#include "analyze/snapshot.hpp"
#include "collect/joiner.hpp"
#include "comm/sim/simulation.hpp"
#include "session/monitor.hpp"

namespace peerscope {

class SimWatch final : private sim::SimSink, private CollectiveSink {
 public:
  // `also`: gets what comes, too; may be null. Both must outlive this.
  SimWatch(sim::Simulation& run, const MonitorOptions& options, sim::SimSink* also = nullptr);

  // Goes on to `until_ns` of the operations' clock. False: the run has no more to give.
  bool run_until(std::int64_t until_ns);
  // All that is known at the time reached, findings included.
  [[nodiscard]] Snapshot snapshot();
  // No more is to come: incomplete collectives are counted as such.
  void finish() { joiner_.flush_all(); }

  [[nodiscard]] std::int64_t now_ns() const { return now_ns_; }

 private:
  void on_ops(std::span<const Op> ops) override;
  void on_event(const sim::SimEvent& event) override;
  void on_collective(const Collective& collective) override { aggregator_.add(collective); }

  sim::Simulation& run_;
  const MonitorOptions& options_;
  sim::SimSink* also_;
  Aggregator aggregator_;
  Joiner joiner_;
  MachineTally tally_;
  std::deque<EventView> events_;
  std::vector<std::uint64_t> operations_, errors_, bytes_;  // of each rank
  std::int64_t now_ns_, next_reading_ns_;
};

}  // namespace peerscope
