#include "session/debug_watch.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

DebugEvent about(const Op& op, const char* kind, EventSeverity severity) {
  DebugEvent event;
  event.at_ns = op.begin_ns + std::max<std::int64_t>(op.host_duration_ns, 0);
  event.severity = severity;
  event.kind = kind;
  event.comm = op.comm;
  event.operation = name(op.kind);
  event.sequence = op.sequence;
  event.rank = op.rank;
  event.peer = op.peer;
  event.device = op.device;
  event.process = op.process;
  return event;
}

std::string actor(const Op& op) {
  if (op.rank == kNoRank) return "A process";
  const bool pair = op.peer != kNoPeer && !is_collective(op.kind);
  return pair ? fmt::format("Rank {} (with rank {})", op.rank, op.peer)
              : fmt::format("Rank {}", op.rank);
}

constexpr const char* words_of(OpStatus status) {
  switch (status) {
    case OpStatus::timeout:
      return "ran into its time-out";
    case OpStatus::peer_lost:
      return "lost a peer";
    case OpStatus::mismatch:
      return "failed: the ranks disagree about it";
    case OpStatus::no_memory:
      return "failed: no memory";
    case OpStatus::cancelled:
      return "was cancelled";
    default:
      return "failed";
  }
}

EventSeverity severity_of(Severity severity) {
  constexpr EventSeverity kSeverities[] = {EventSeverity::info, EventSeverity::warning,
                                           EventSeverity::critical};
  return kSeverities[static_cast<int>(severity)];
}

bool can_name(const Snapshot& snapshot, const DebugEvent& event) {
  const bool names_process =
      event.process == kNoProcess || event.process < snapshot.processes.size();
  const auto is_its = [&](const CommView& comm) { return comm.id == event.comm; };
  return names_process &&
         (event.comm == 0 || !event.communicator.empty() ||
          std::any_of(snapshot.communicators.begin(), snapshot.communicators.end(), is_its));
}

// One finding is the same as long as it is about the same.
std::string key_of(const Finding& finding) {
  const Subject& s = finding.subject;
  return fmt::format("{}|{}|{}|{}|{}|{}|{}", finding.kind, s.rank.value_or(-1), s.peer.value_or(-1),
                     s.device.value_or(-1), s.link, s.communicator, s.operation);
}

DebugEvent event_of(const Finding& finding, const Snapshot& snapshot) {
  DebugEvent event;
  const bool past = finding.since_ns >= 0 && finding.since_ns <= snapshot.now_ns;
  event.at_ns = past ? finding.since_ns : snapshot.now_ns;
  event.severity = severity_of(finding.severity);
  event.kind = finding.kind;
  event.text = finding.sentence;
  event.communicator = finding.subject.communicator;
  event.operation = finding.subject.operation;
  if (finding.subject.rank) event.rank = static_cast<std::uint16_t>(*finding.subject.rank);
  if (finding.subject.peer) event.peer = static_cast<std::uint16_t>(*finding.subject.peer);
  if (finding.subject.device) event.device = static_cast<std::uint16_t>(*finding.subject.device);
  for (const auto& [key, value] : finding.evidence) {
    if (key == "sequence") event.sequence = static_cast<std::uint64_t>(value);
    if (key == "pid") event.pid = static_cast<std::uint32_t>(value);
  }
  event.value = finding.confidence;
  event.unit = "confidence";
  return event;
}

// The event that a finding was, once it no longer holds.
DebugEvent over(DebugEvent event, std::int64_t at_ns) {
  event.at_ns = at_ns;
  event.severity = EventSeverity::info;
  event.text = "No longer: " + event.text;
  event.value.reset();
  event.unit.clear();
  return event;
}

}  // namespace

void DebugWatch::on_ops(std::span<const Op> ops) {
  for (const Op& op : ops) {
    last_seen_.add(op);
    const ErrorTracker::Outcome outcome = errors_.add(op);
    if (outcome == ErrorTracker::Outcome::failed) failed(op);
    if (outcome == ErrorTracker::Outcome::recovered) recovered(op);
  }
}

void DebugWatch::failed(const Op& op) {
  DebugEvent event =
      about(op, "operation_failed",
            op.status == OpStatus::cancelled ? EventSeverity::warning : EventSeverity::error);
  event.text =
      fmt::format("{}: {} #{} {}", actor(op), operation_name(op), op.sequence, words_of(op.status));
  event.value = static_cast<double>(op.bytes);
  event.unit = "bytes";
  on_event(std::move(event));
}

void DebugWatch::recovered(const Op& op) {
  DebugEvent event = about(op, "recovered", EventSeverity::info);
  const auto took_ns = static_cast<double>(errors_.latest_recovery_ns());
  event.text = fmt::format("{}: {} succeeds again, {} after it had failed", actor(op),
                           name(op.kind), format_duration(took_ns));
  event.value = took_ns;
  event.unit = "ns";
  on_event(std::move(event));
}

void DebugWatch::on_collective(const Collective& collective) {
  if (!collective.mismatch || collective.device) return;
  DebugEvent event;
  event.at_ns = collective.end_ns;
  event.severity = EventSeverity::error;
  event.kind = "mismatch";
  event.comm = collective.comm;
  event.operation = name(collective.kind);
  event.sequence = collective.sequence;
  event.text = fmt::format(
      "The ranks disagree about collective #{}: not all of them called {} of "
      "{}",
      collective.sequence, name(collective.kind), format_bytes(collective.bytes));
  event.value = static_cast<double>(collective.bytes);
  event.unit = "bytes";
  on_event(std::move(event));
}

void DebugWatch::on_event(DebugEvent event) {
  // The latest are what a reader of a log wants.
  if (pending_.size() >= kMostPending) {
    ++overrun_;
    pending_.pop_front();
  }
  pending_.push_back(std::move(event));
}

void DebugWatch::look_at_processes(const Snapshot& snapshot) {
  for (const ProcessView& process : snapshot.processes) {
    const auto [at, is_new] = processes_.emplace(
        ProcessKey{process.session, process.pid, process.created_ns}, process.state);
    if (!is_new && at->second == process.state) continue;
    at->second = process.state;
    DebugEvent event;
    event.pid = process.pid;
    event.at_ns = process.last_sign_ns;
    const auto say = [&](const char* kind, EventSeverity severity, const char* words) {
      event.kind = kind;
      event.severity = severity;
      event.text = fmt::format("Process {} ({}) {}", process.pid, process.name, words);
      on_event(event);
    };
    if (is_new && process.created_ns != kUnknownNs) {
      const std::int64_t last_ns = event.at_ns;
      event.at_ns = process.created_ns;
      say("process_started", EventSeverity::debug, "began to record");
      event.at_ns = last_ns;
    }
    if (process.state == ProcessState::ended) say("process_ended", EventSeverity::info, "ended");
    if (process.state == ProcessState::dead)
      say("process_died", EventSeverity::error, "went without closing its session");
  }
}

// process_died is an event already.
void DebugWatch::look_at_findings(const Snapshot& snapshot) {
  for (const Finding& finding : snapshot.findings) {
    if (finding.kind == "process_died") continue;
    const auto [at, is_new] = findings_.try_emplace(key_of(finding));
    at->second.last_ns = snapshot.now_ns;
    if (!is_new) continue;
    at->second.event = event_of(finding, snapshot);
    on_event(at->second.event);
  }
  for (auto at = findings_.begin(); at != findings_.end();) {
    // What is near its threshold comes and goes: that is one finding, not twenty.
    constexpr std::int64_t kGoneNs = 3'000'000'000;
    if (snapshot.now_ns - at->second.last_ns < kGoneNs) {
      ++at;
      continue;
    }
    on_event(over(std::move(at->second.event), snapshot.now_ns));
    at = findings_.erase(at);
  }
}

void DebugWatch::tell(std::deque<DebugEvent> events, const Snapshot& snapshot) {
  std::stable_sort(events.begin(), events.end(),
                   [](const DebugEvent& a, const DebugEvent& b) { return a.at_ns < b.at_ns; });
  for (DebugEvent& event : events) {
    if (event.communicator.empty()) event.communicator = communicator_name(snapshot, event.comm);
    if (event.pid == 0 && event.process < snapshot.processes.size())
      event.pid = snapshot.processes[event.process].pid;
    log_.add(event);
  }
}

void DebugWatch::tell(const Snapshot& last) {
  if (pending_.empty()) return;
  const auto first_unknown =
      std::stable_partition(pending_.begin(), pending_.end(),
                            [&](const DebugEvent& event) { return can_name(last, event); });
  std::deque<DebugEvent> known(std::make_move_iterator(pending_.begin()),
                               std::make_move_iterator(first_unknown));
  pending_.erase(pending_.begin(), first_unknown);
  tell(std::move(known), last);
}

void DebugWatch::finish() {
  for (auto& [key, held] : findings_) {
    if (held.last_ns != looked_ns_) log_.add(over(std::move(held.event), looked_ns_));
  }
  findings_.clear();
  log_.flush();
}

void DebugWatch::look(const Snapshot& snapshot) {
  looked_ns_ = snapshot.now_ns;
  look_at_processes(snapshot);
  look_at_findings(snapshot);
  tell(std::exchange(pending_, {}), snapshot);
  log_.advance(snapshot.now_ns);
}

std::vector<DebugEvent> in_order(const EventLog& log) {
  std::vector<DebugEvent> events(log.events().begin(), log.events().end());
  std::stable_sort(events.begin(), events.end(),
                   [](const DebugEvent& a, const DebugEvent& b) { return a.at_ns < b.at_ns; });
  return events;
}

}  // namespace peerscope
