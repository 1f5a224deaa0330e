#include "analyze/debug/event_log.hpp"

#include <fmt/format.h>

#include "base/units.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

}  // namespace

void EventLog::add(const DebugEvent& event) {
  if (event.severity < options_.least) return;
  ++counts_[static_cast<std::size_t>(event.severity)];
  if (options_.per_second == 0) {
    keep(event);
    return;
  }
  const Subject subject{event.kind, event.comm, event.rank, event.peer, event.device};
  auto found = seconds_.find(subject);
  if (found == seconds_.end()) {
    if (seconds_.size() >= kMostSubjects) flush();
    found = seconds_.emplace(subject, SecondOf{event.at_ns, 0, 0, {}}).first;
  }
  SecondOf& second = found->second;
  if (event.at_ns >= second.begin_ns && event.at_ns - second.begin_ns >= kSecondNs) {
    close(second);
    second = {event.at_ns, 0, 0, {}};
  }
  if (second.kept < options_.per_second) {
    ++second.kept;
    keep(event);
    return;
  }
  ++second.held_back;
  ++held_back_;
  second.last = event;
}

void EventLog::advance(std::int64_t now_ns) {
  for (auto at = seconds_.begin(); at != seconds_.end();) {
    const std::int64_t begin_ns = at->second.begin_ns;
    if (now_ns <= begin_ns || (now_ns != INT64_MAX && now_ns - begin_ns < kSecondNs)) {
      ++at;
      continue;
    }
    close(at->second);
    at = seconds_.erase(at);
  }
}

void EventLog::close(const SecondOf& second) {
  if (second.held_back == 0) return;
  DebugEvent more = second.last;
  more.repeated = second.held_back;
  more.text = fmt::format("and {} more: {}", format_count(second.held_back), second.last.text);
  keep(more);
}

void EventLog::keep(const DebugEvent& event) {
  if (events_.size() >= options_.max_events) {
    events_.pop_front();
    ++forgotten_;
  }
  events_.push_back(event);
  for (const Listener& listener : hooks_) {
    if (event.severity >= listener.least) listener.call(event);
  }
}

}  // namespace peerscope
