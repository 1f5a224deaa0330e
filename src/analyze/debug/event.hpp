// Something that happened, with its context: what the debugger's log is made of. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/op.hpp"

namespace peerscope {

// Values are those of pscope_severity.
enum class EventSeverity : std::uint8_t { trace, debug, info, warning, error, critical };
inline constexpr std::array kEventSeverities{EventSeverity::trace, EventSeverity::debug,
                                             EventSeverity::info,  EventSeverity::warning,
                                             EventSeverity::error, EventSeverity::critical};

constexpr const char* name(EventSeverity severity) {
  constexpr const char* kNames[] = {"trace", "debug", "info", "warning", "error", "critical"};
  return kNames[static_cast<int>(severity)];
}
constexpr std::optional<EventSeverity> parse_event_severity(std::string_view text) {
  for (const EventSeverity severity : kEventSeverities) {
    if (text == name(severity)) return severity;
  }
  return std::nullopt;
}
// Of a number from a record: what is out of range is as bad as can be.
constexpr EventSeverity event_severity(std::uint8_t value) {
  return value < kEventSeverities.size() ? kEventSeverities[value] : EventSeverity::critical;
}

inline constexpr std::uint32_t kNoProcess = UINT32_MAX;

struct DebugEvent {
  std::int64_t at_ns = 0;  // CLOCK_MONOTONIC
  EventSeverity severity = EventSeverity::info;
  std::string kind;  // a stable word for programs ("operation_failed"), or the user's name of it
  std::string text;  // a sentence
  // Context. What does not apply is none or empty.
  std::uint64_t comm = 0;
  std::string communicator = {};  // its name, as soon as it is known
  std::string operation = {};
  std::optional<std::uint64_t> sequence = {};
  std::uint16_t rank = kNoRank, peer = kNoPeer, device = kNoDevice;
  std::uint32_t process = kNoProcess;  // index of the process, as in Op
  std::uint32_t pid = 0;
  std::optional<double> value = {};
  std::string unit = {};
  std::uint64_t repeated = 0;  // not 0: stands for so many more of its kind, held back
};

}  // namespace peerscope
