// What is wrong and for how long, as rules see it. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/finding.hpp"
#include "model/op.hpp"

namespace peerscope {

enum class AlertState : std::uint8_t {
  inactive,  // of a rule: nothing is wrong
  pending,   // it is wrong, not yet for as long as the rule says
  firing,
  resolved
};

constexpr const char* name(AlertState state) {
  constexpr const char* kNames[] = {"inactive", "pending", "firing", "resolved"};
  return kNames[static_cast<int>(state)];
}

using Labels = std::vector<std::pair<std::string, std::string>>;  // by name

struct Alert {
  std::string id;  // of this occurrence
  std::string rule;
  AlertState state = AlertState::pending;
  Severity severity = Severity::warning;
  Subject subject;
  std::string sentence, action;
  std::optional<double> value, threshold;  // in `unit`; empty: unknown, or a finding
  std::string unit;                        // "ns", "bytes", "bytes/s", "/s", "share", ""
  // CLOCK_MONOTONIC, and what to add to get the system's time.
  std::int64_t since_ns = kUnknownNs, fired_ns = kUnknownNs, resolved_ns = kUnknownNs;
  std::int64_t real_offset_ns = 0;
  std::string silenced_by;   // id of a silence; empty: it is not
  std::string inhibited_by;  // rule of another alert; empty: it is not
  Labels labels;             // what matchers ask for: rule, severity, kind, rank, ...
};

inline bool is_quiet(const Alert& alert) {
  return !alert.silenced_by.empty() || !alert.inhibited_by.empty();
}

// "rank=3", "rule~slow*": `~` takes a pattern with * and ?. A label that an alert does not have is empty.
enum class MatchOp : std::uint8_t { equal, not_equal, like, not_like };

struct Matcher {
  std::string name;
  MatchOp op = MatchOp::equal;
  std::string value;
};

struct Silence {
  std::string id;
  std::vector<Matcher> matchers;                        // all of them; at least one
  std::int64_t until_real_ns = 0, created_real_ns = 0;  // the system's time
  std::string comment, author;
};

}  // namespace peerscope
