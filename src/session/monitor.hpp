// Everything that is known about a session, kept up to date: collector -> aggregates -> findings ->
// Snapshot.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "analyze/aggregate.hpp"
#include "analyze/detect/detect.hpp"
#include "analyze/histogram.hpp"
#include "analyze/snapshot.hpp"
#include "collect/collector.hpp"
#include "session/debug_watch.hpp"
#include "session/feeder.hpp"
#include "session/machine_sampler.hpp"
#include "session/published.hpp"

namespace peerscope {

class Recording;

struct MonitorOptions {
  CollectorOptions collect;
  AggregatorOptions aggregate;
  DetectOptions detect;
  std::size_t max_details = 1024;  // phases, and call sites, that are kept apart
  std::size_t max_events = 256;    // the last ones
  bool phases = true, call_sites = true, events = true;  // keep them at all
  std::uint8_t least_severity = PSCOPE_SEVERITY_INFO;    // of events that are kept
  std::int64_t publish_every_ns = 100'000'000;           // MonitorThread
  std::optional<nvml::MachineOptions> machine;           // read the GPUs of this machine, too
  std::shared_ptr<Recording> recording;  // where to write all that is read; null: nowhere
  std::shared_ptr<DebugWatch> debug;     // log, errors, last operations; null: nobody asks
  std::vector<std::shared_ptr<Feeder>> feeders;
};

// One thread at a time. For a thread of its own see MonitorThread.
class Monitor final : private Sink {
 public:
  explicit Monitor(const MonitorOptions& options);

  // Reads what is there. Returns the number of records.
  std::uint64_t poll();
  [[nodiscard]] std::int64_t next_poll_ns() const { return collector_.next_poll_ns(); }
  // No more is to come: incomplete collectives are counted as such, and the recording is closed.
  void finish();

  // Costs about a millisecond with a thousand cells; never touches a recorder.
  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot();

  [[nodiscard]] Collector& collector() { return collector_; }
  // The GPUs at the last look at them; null: nobody looked. Any thread.
  [[nodiscard]] std::shared_ptr<const MachineReading> machine_reading() const {
    return machine_ ? machine_->reading() : nullptr;
  }
  [[nodiscard]] std::size_t memory_bytes() const {
    return aggregator_.memory_bytes() + collector_.joiner().memory_bytes();
  }

 private:
  void on_ops(std::span<const Op> ops) override;
  void on_collective(const Collective& collective) override;
  void on_phase(const PhaseMark& phase) override;
  void on_completion(const Completion& completion) override;
  void on_call_site(const CallSite& site) override;
  void on_event(const Event& event) override;
  void on_control(const ControlEvent& event) override;
  void keep(EventView event);

  // Now while anybody lives; for a session of the past the time of its last sign of life.
  [[nodiscard]] std::int64_t horizon_ns() const;
  void add_details(Snapshot& snapshot) const;
  void note_machine_changes();

  Aggregator aggregator_;
  Collector collector_;
  const MonitorOptions options_;
  DetectOptions detect_;  // its overhead budget follows what recorders are told
  struct PhaseKey {
    Kind kind;
    std::uint32_t process;
    std::uint16_t name;
    auto operator<=>(const PhaseKey&) const = default;
  };
  std::map<PhaseKey, Histogram> phases_;          // at most max_details
  std::map<PhaseKey, std::uint64_t> call_sites_;  // at most max_details
  std::deque<EventView> events_;                  // the last max_events
  std::unique_ptr<MachineSampler> machine_;       // null: nobody asked for it
};

// A Monitor on a thread of its own. Any thread may take the latest Snapshot, without a lock and
// without waiting for it.
class MonitorThread {
 public:
  explicit MonitorThread(const MonitorOptions& options);
  ~MonitorThread();
  MonitorThread(const MonitorThread&) = delete;
  MonitorThread& operator=(const MonitorThread&) = delete;

  [[nodiscard]] std::shared_ptr<const Snapshot> latest() const { return latest_.load(); }
  [[nodiscard]] std::shared_ptr<const MachineReading> machine_reading() const {
    return monitor_.machine_reading();
  }
  // From the next one on. Any thread.
  void publish_every(std::int64_t ns) { publish_every_ns_.store(ns, std::memory_order_relaxed); }
  // Reads the rest, ends the thread and returns the last word.
  std::shared_ptr<const Snapshot> stop();

 private:
  void run();

  Monitor monitor_;
  std::atomic<std::int64_t> publish_every_ns_;  // relaxed: publishes nothing else
  Published<Snapshot> latest_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace peerscope
