// A rule: what is looked at, and from where on it is an alert. docs/alerts.md has the language.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/aggregates.hpp"
#include "model/finding.hpp"
#include "model/kinds.hpp"

namespace peerscope {

enum class Figure : std::uint8_t {
  count,
  errors,
  bytes,
  success_rate,
  mean,
  p50,
  p90,
  p99,
  p999,
  max,
  busbw,
  algbw,
  bandwidth,
  skew,
  transfer,
  waiting_share,
  lateness,
  last_share,
  incomplete,
  mismatched,
  in_flight,
  in_flight_age,
  overhead,
  lost,
  dropped,
  pool_share,
  metric,
  nvlink,
  pcie,
  links_active,
  device_errors
};

enum class Quantity : std::uint8_t { number, time, bytes, bandwidth, rate, share };

// Which of an operation's times. best: the device's where known, else the host's.
enum class Part : std::uint8_t {
  best,
  host,
  device,
  transfer,
  skew,
  device_transfer,
  device_wait,
  whole  // of figures that are no times
};

// Which rows of a snapshot: those that add up most first. Before `cells` all have windows.
enum class RowSource : std::uint8_t {
  operations,
  communicators,
  ranks,
  pairs,
  devices,
  cells,  // all that can be told apart, since start
  in_flight,
  metrics,
  machine,
  monitor
};

enum class Group : std::uint8_t { none, operation, rank, pair, device, communicator };

constexpr const char* name(Group group) {
  constexpr const char* kNames[] = {"none", "operation", "rank", "pair", "device", "communicator"};
  return kNames[static_cast<int>(group)];
}

// What one rule looks at. Empty filters let all pass.
struct Term {
  Figure figure = Figure::count;
  Part part = Part::whole;
  RowSource source = RowSource::operations;
  std::optional<Window> window;  // empty after parsing: the figure has none
  Group group = Group::none;
  std::optional<Kind> operation;
  std::optional<Algorithm> algorithm;
  std::uint64_t min_bytes = 0;
  std::optional<int> rank, peer, device;
  std::string communicator;  // name, or id in hexadecimal
  std::string metric;
};

enum class Transform : std::uint8_t {
  none,
  rate,   // per second: of the window, or over `over_ns`
  change  // relative, over `over_ns`: -0.3 is 30 % less than it was
};

enum class Comparison : std::uint8_t { above, at_least, below, at_most };

constexpr bool wants_high(Comparison c) {
  return c == Comparison::above || c == Comparison::at_least;
}
constexpr const char* name(Comparison c) {
  constexpr const char* kNames[] = {">", ">=", "<", "<="};
  return kNames[static_cast<int>(c)];
}

inline constexpr std::int64_t kDefaultOverNs = 60'000'000'000;

struct Rule {
  std::string name, text;
  std::string origin;  // "built-in", or where it was configured
  bool of_finding = false;
  std::string finding;                 // kind; "": any
  Severity at_least = Severity::info;  // of findings
  Term term;
  Transform transform = Transform::none;
  Comparison comparison = Comparison::above;
  double threshold = 0;
  std::optional<double> clear;  // back beyond this it is well again; empty: the threshold
  std::int64_t over_ns = kDefaultOverNs;
  std::int64_t for_ns = 0, keep_ns = 0;   // wrong for so long fires; well for so long resolves
  std::optional<Severity> severity;       // empty: a finding's own; of figures warning
  std::vector<std::string> inhibited_by;  // names of rules
  std::string action;
};

Quantity quantity_of(const Rule& rule);  // of value and threshold

}  // namespace peerscope
