// Reads what recording processes write: finds their segments, follows their rings, joins their ranks.
//
// One thread at a time. Any number of collectors may watch the same processes; none of them can slow a writer down. What a
// collector writes: clock readings once a second, larger blocks for rings that ask for one, and controls if it is told to.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collect/clock_map.hpp"
#include "collect/control.hpp"
#include "collect/decoder.hpp"
#include "collect/joiner.hpp"
#include "collect/ring_tail.hpp"
#include "collect/segment_view.hpp"

namespace peerscope {

// A mark of a phase's end within an operation (level comprehensive).
struct PhaseMark {
  std::int64_t begin_ns = 0, duration_ns = 0;
  std::uint64_t comm = 0, sequence = 0;
  std::uint32_t process = 0;
  std::uint16_t rank = kNoRank;
  std::uint16_t name = 0;  // within the process; Collector::text
  Kind kind = Kind::other;
};

struct Event {
  std::int64_t at_ns = 0;
  std::int64_t value = 0;
  std::uint32_t process = 0;
  std::uint16_t name = 0, comm = 0;  // within the process
  std::uint8_t severity = 0;
  std::uint32_t thread = 0;      // ring within the process, as Op::thread
  std::uint64_t comm_id = 0;     // what `comm` is on all ranks; 0: none
  std::uint16_t rank = kNoRank;  // of the process in it
};

// An asynchronous operation has left the device, as the host came to know. Its Op was delivered at the end of the enqueue.
struct Completion {
  std::int64_t begin_ns = 0, duration_ns = 0;  // from the operation's begin to its completion
  std::uint64_t comm = 0, sequence = 0;
  std::uint32_t process = 0;
  std::uint16_t rank = kNoRank;
  Kind kind = Kind::other;
  OpStatus status = OpStatus::ok;
};

struct CallSite {
  std::uint32_t process = 0;
  std::uint16_t name = 0;  // within the process; "module!symbol+0x12"
  Kind kind = Kind::other;
};

// Spans are valid during the call only.
class Sink : public CollectiveSink {
 public:
  virtual void on_ops(std::span<const Op> ops) = 0;
  virtual void on_phase(const PhaseMark&) {}
  virtual void on_completion(const Completion&) {}
  virtual void on_event(const Event&) {}
  virtual void on_call_site(const CallSite&) {}
  // Within 50 ms and a poll of the change. What a collector does on attaching is no event of its own.
  virtual void on_control(const ControlEvent&) {}
};

struct ProcessStatus {
  std::uint32_t index = 0, pid = 0;
  std::string name, session, path, library_version;
  ProcessState state = ProcessState::live;
  Level level = Level::off;
  ClockSource clock = ClockSource::tsc;
  std::uint64_t operations = 0, bytes = 0, errors = 0;  // exact, from counters
  std::uint64_t recorded = 0;                           // records written
  std::uint64_t delivered = 0;                          // records read by this collector
  std::uint64_t lost = 0;                               // overwritten before this collector came
  std::uint64_t before = 0;         // overwritten before this collector attached
  std::uint64_t dropped = 0;        // never written: see pscope_stats
  std::uint64_t threads = 0;        // that own a ring now
  std::uint64_t segment_bytes = 0;  // memory that its segment takes
  std::int64_t created_ns = 0, last_sign_ns = 0;
  std::int64_t created_real_ns = 0;
  double pair_cost_ns = 0;  // of one recorded operation, measured in the process
};

struct MetricValue {
  std::string name, unit;
  MetricKind type = MetricKind::counter;
  std::uint32_t process = 0;
  double value = 0;  // counter: total; gauge: last; histogram: mean
  std::uint64_t count = 0;
  double p50 = 0, p99 = 0;  // histogram
};

// For who attaches to change what is recorded, and reads nothing.
class DeafSink final : public Sink {
 public:
  void on_ops(std::span<const Op>) override {}
  void on_collective(const Collective&) override {}
};

struct CollectorOptions {
  std::vector<std::string> dirs;      // empty: runtime_dirs()
  std::vector<std::string> sessions;  // only these; empty: all
  std::uint32_t pid = 0;              // only this process; 0: all
  bool only_live = false;             // leave out processes that had ended when first seen
  // What live processes are told when they are first seen; null: nothing.
  std::function<ControlChange()> on_attach = {};
};

class Collector {
 public:
  Collector(CollectorOptions options, Sink& sink);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Attaches to what is new. Called by poll() every 20 ms; call it to attach at once.
  void discover();

  // Reads all that was there when it was called, about `max_records` of it at most (0: no limit). Returns the number of
  // records read.
  std::uint64_t poll(std::uint64_t max_records = 0);

  // When to poll again, so that no ring laps meanwhile: 1 to 20 ms.
  [[nodiscard]] std::int64_t next_poll_ns() const { return next_poll_ns_; }

  // The collectives that will not be completed any more: after the last poll of processes that have ended.
  void finish();

  [[nodiscard]] std::vector<ProcessStatus> processes() const;
  [[nodiscard]] std::vector<InFlight> in_flight(std::int64_t now_ns) const;
  [[nodiscard]] std::vector<MetricValue> metrics() const;
  [[nodiscard]] std::vector<CommInfo> communicators() const;  // one per id
  // Who is in which: process index and what it registered.
  [[nodiscard]] std::vector<std::pair<std::uint32_t, CommInfo>> memberships() const;
  [[nodiscard]] std::string text(std::uint32_t process, std::uint16_t name) const;
  [[nodiscard]] const std::vector<std::string>& problems() const {
    return problems_;
  }  // files that could not be read
  [[nodiscard]] const ClockMap& clock() const { return clock_; }
  [[nodiscard]] const Joiner& joiner() const { return joiner_; }
  [[nodiscard]] std::size_t process_count() const { return processes_.size(); }
  [[nodiscard]] bool any_live() const;                  // as of the last poll, give or take 50 ms
  [[nodiscard]] std::int64_t last_activity_ns() const;  // of all processes; 0 if there are none

  // Changes what all attached live processes record, at once. Returns how many were reached.
  int set_control(const ControlChange& change);
  int set_level(Level level) { return set_control({.level = level}); }
  [[nodiscard]] std::vector<ControlState> controls() const;  // as ordered in processes()

 private:
  struct Ring;
  struct Process;

  void attach(const std::string& path);
  void calibrate(std::int64_t now_ns);
  void refresh_states(std::int64_t now_ns);
  static bool tell(Process& process, const ControlChange& change);
  void watch_control(Process& process, std::int64_t now_ns);
  std::uint64_t drain(Process& process, Ring& ring);
  void route(Process& process, std::uint32_t thread, std::span<const Record> records);
  void route_other(Process& process, std::uint32_t thread, const Record& record);
  void append_waiting(std::int64_t now_ns, std::vector<InFlight>& all) const;
  static bool claim_growth(Ring& ring, RingHeader& header, std::int64_t now_ns);
  void serve_growth(Process& process, Ring& ring, std::int64_t now_ns);
  void plan_next_poll(const Process& process, Ring& ring, std::int64_t now_ns);

  CollectorOptions options_;
  Sink& sink_;
  Joiner joiner_;
  ClockMap clock_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::string> known_;  // sorted paths that need no second look
  std::vector<std::string> problems_;
  std::int64_t next_discovery_ns_ = 0, next_calibration_ns_ = 0, next_flush_ns_ = 0,
               next_state_ns_ = 0;
  std::int64_t next_poll_ns_ = 1'000'000;
};

}  // namespace peerscope
