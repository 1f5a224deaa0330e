// What the debugger keeps of a session while it is watched, or read from a file: the log of events,
// errors and what became of them, the last operation of each rank. Given to a Monitor (or a replay) by
// MonitorOptions::debug. Used by the thread that polls; hooks are called there.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "analyze/debug/errors.hpp"
#include "analyze/debug/event_log.hpp"
#include "analyze/debug/last_seen.hpp"
#include "analyze/snapshot.hpp"
#include "model/collective.hpp"

namespace peerscope {

struct DebugOptions {
  EventLogOptions log;
  ErrorOptions errors;
};

class DebugWatch {
 public:
  explicit DebugWatch(const DebugOptions& options = {})
      : log_(options.log), errors_(options.errors) {}

  // A callback for each event at or above `least` that passes the rate limit: in tell() and look().
  void hook(EventSeverity least, EventLog::Hook call) { log_.hook(least, std::move(call)); }

  void on_ops(std::span<const Op> ops);
  void on_collective(const Collective& collective);
  void on_event(DebugEvent event);
  // Tells the hooks at once what `last` can name: communicators and processes that were there then. The rest waits.
  void tell(const Snapshot& last);
  // Names things, notes what came and went among processes and findings, and tells the hooks.
  void look(const Snapshot& snapshot);
  // Nothing comes any more: tells what is over and what was held back.
  void finish();

  [[nodiscard]] const EventLog& log() const { return log_; }
  [[nodiscard]] const ErrorTracker& errors() const { return errors_; }
  [[nodiscard]] const LastSeen& last_seen() const { return last_seen_; }
  // Events that came faster than they were looked at, and were not kept.
  [[nodiscard]] std::uint64_t overrun() const { return overrun_; }

 private:
  static constexpr std::size_t kMostPending = 65'536;

  void tell(std::deque<DebugEvent> events, const Snapshot& snapshot);
  void look_at_processes(const Snapshot& snapshot);
  void look_at_findings(const Snapshot& snapshot);
  void failed(const Op& op);
  void recovered(const Op& op);

  EventLog log_;
  ErrorTracker errors_;
  LastSeen last_seen_;
  std::deque<DebugEvent> pending_;  // since the last look
  std::uint64_t overrun_ = 0;
  std::int64_t looked_ns_ = 0;
  // One process may have several segments, and pids of several hosts are equal.
  using ProcessKey = std::tuple<std::string, std::uint32_t, std::int64_t>;
  std::map<ProcessKey, ProcessState> processes_;
  struct Held {
    DebugEvent event;
    std::int64_t last_ns = 0;  // of the last snapshot that had it
  };
  std::map<std::string, Held> findings_;  // that hold now, or did a moment ago
};

// The log in the order of time.
std::vector<DebugEvent> in_order(const EventLog& log);

}  // namespace peerscope
