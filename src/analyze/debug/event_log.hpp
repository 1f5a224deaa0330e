// The log of events: the latest of them, so many a second of each kind, and whoever wants to be told.
//
// Memory: max_events events and kMostSubjects windows; what is more is forgotten, and counted.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "analyze/debug/event.hpp"

namespace peerscope {

struct EventLogOptions {
  EventSeverity least = EventSeverity::trace;  // below: not kept, and nobody is told
  std::size_t max_events = 10'000;
  std::uint32_t per_second = 10;  // of one kind about one subject; 0: no limit
};

class EventLog {
 public:
  using Hook = std::function<void(const DebugEvent&)>;
  static constexpr std::size_t kMostSubjects = 4096;

  explicit EventLog(const EventLogOptions& options = {}) : options_(options) {}

  // Called with each event at or above `least` that is kept, in add() and advance(). A hook may not
  // add events.
  void hook(EventSeverity least, Hook call) { hooks_.push_back({least, std::move(call)}); }

  void add(const DebugEvent& event);
  // Says "and 123 more" of what was held back in seconds that are over. Time that runs backwards
  // closes nothing.
  void advance(std::int64_t now_ns);
  void flush() { advance(INT64_MAX); }

  [[nodiscard]] const std::deque<DebugEvent>& events() const { return events_; }  // as added
  // By severity, whatever was held back or forgotten since.
  [[nodiscard]] std::uint64_t count(EventSeverity severity) const {
    return counts_[static_cast<std::size_t>(severity)];
  }
  [[nodiscard]] std::uint64_t held_back() const { return held_back_; }
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

 private:
  using Subject =
      std::tuple<std::string, std::uint64_t, std::uint16_t, std::uint16_t, std::uint16_t>;
  struct SecondOf {
    std::int64_t begin_ns = 0;
    std::uint32_t kept = 0;
    std::uint64_t held_back = 0;
    DebugEvent last;
  };
  struct Listener {
    EventSeverity least;
    Hook call;
  };
  void keep(const DebugEvent& event);
  void close(const SecondOf& second);

  EventLogOptions options_;
  std::vector<Listener> hooks_;
  std::deque<DebugEvent> events_;
  std::map<Subject, SecondOf> seconds_;
  std::array<std::uint64_t, kEventSeverities.size()> counts_{};
  std::uint64_t held_back_ = 0, forgotten_ = 0;
};

}  // namespace peerscope
