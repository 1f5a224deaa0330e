// What tests of collecting share: a sink that keeps everything.
#pragma once

#include <string>
#include <vector>

#include "collect/collector.hpp"
#include "record/session_for_test.hpp"

namespace peerscope {

struct JoinedCollective {
  Collective head;  // its `arrivals` has ended; they are below
  std::vector<Arrival> arrivals;
};

class Keeper : public Sink {
 public:
  void on_ops(std::span<const Op> batch) override {
    ops.insert(ops.end(), batch.begin(), batch.end());
  }
  void on_collective(const Collective& collective) override {
    JoinedCollective joined{collective, {collective.arrivals.begin(), collective.arrivals.end()}};
    joined.head.arrivals = {};
    collectives.push_back(std::move(joined));
  }
  void on_phase(const PhaseMark& phase) override { phases.push_back(phase); }
  void on_completion(const Completion& completion) override { completions.push_back(completion); }
  void on_event(const Event& event) override { events.push_back(event); }
  void on_call_site(const CallSite& site) override { call_sites.push_back(site); }
  void on_control(const ControlEvent& event) override { controls.push_back(event); }

  [[nodiscard]] std::uint64_t ops_of(std::uint32_t process) const {
    std::uint64_t count = 0;
    for (const Op& op : ops) count += op.process == process ? 1 : 0;
    return count;
  }

  std::vector<Op> ops;
  std::vector<JoinedCollective> collectives;
  std::vector<PhaseMark> phases;
  std::vector<Completion> completions;
  std::vector<Event> events;
  std::vector<CallSite> call_sites;
  std::vector<ControlEvent> controls;
};

// A collector of one directory, and what it has delivered.
struct Reader {
  static CollectorOptions options_in(const RuntimeDir& dir) {
    CollectorOptions options;
    options.dirs = {dir.path()};
    return options;
  }
  explicit Reader(const RuntimeDir& dir) : Reader(options_in(dir)) {}
  explicit Reader(CollectorOptions options) : collector(std::move(options), keeper) {}

  void poll_all() {
    collector.discover();
    while (collector.poll() != 0) continue;
  }
  [[nodiscard]] ProcessStatus status(std::size_t process = 0) const {
    return collector.processes().at(process);
  }

  Keeper keeper;
  Collector collector;
};

}  // namespace peerscope
