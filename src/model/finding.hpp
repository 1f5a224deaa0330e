// What an analysis ends in: who, what, how much, since when; then what to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace peerscope {

enum class Severity : std::uint8_t { info, warning, critical };

constexpr const char* name(Severity severity) {
  constexpr const char* kNames[] = {"info", "warning", "critical"};
  return kNames[static_cast<int>(severity)];
}

struct Subject {
  std::optional<int> rank, peer, device;
  std::string link, communicator, operation;  // empty: not about one
};

struct Finding {
  std::string kind;  // a stable word for programs: "straggler", "hang", "records_lost"
  Severity severity = Severity::warning;
  Subject subject;
  std::string sentence;
  std::string action;       // a command or a setting
  double confidence = 0.0;  // 0..1
  double impact =
      0.0;  // share of communication time lost to it, 0..1; orders the list within a severity
  std::int64_t since_ns = -1;  // CLOCK_MONOTONIC, -1 unknown
  std::vector<std::pair<std::string, double>>
      evidence;  // figures; the key ends in its unit ("skew_p50_host_ns")
};

}  // namespace peerscope
