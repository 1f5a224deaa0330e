// Snapshots that are made up.
#pragma once

#include <memory>
#include <string>

#include "analyze/alert/parse.hpp"
#include "analyze/snapshot.hpp"

namespace peerscope {

inline constexpr std::int64_t kSecond = 1'000'000'000;

inline Distribution all_took(double ns, std::uint64_t count = 10) {
  Distribution d;
  d.count = count;
  d.mean_ns = d.p50_ns = d.p90_ns = d.p99_ns = d.p999_ns = d.min_ns = d.max_ns = ns;
  return d;
}

// One operation row that took `ns` on the device; negative: nobody measured it.
inline Snapshot of_all_reduce(std::int64_t now_ns, double ns, std::uint64_t errors = 0) {
  auto all = std::make_shared<Aggregates>();
  OperationRow row;
  row.kind = Kind::all_reduce;
  row.size_class = 15;
  for (OperationStats& stats : row.windows) {
    stats.count = 100;
    stats.errors = errors;
    stats.span_ns = 10 * kSecond;
    if (ns >= 0) stats.device = all_took(ns);
    if (ns >= 0) stats.busbw_bytes_per_s = 1e15 / ns;
  }
  all->operations.push_back(row);
  Snapshot snapshot;
  snapshot.now_ns = now_ns;
  snapshot.real_offset_ns = 1'700'000'000 * kSecond;
  snapshot.aggregates = std::move(all);
  return snapshot;
}

inline Finding finding_of(const std::string& kind, Severity severity, int rank) {
  Finding finding;
  finding.kind = kind;
  finding.severity = severity;
  finding.subject.rank = rank;
  finding.sentence = "Rank " + std::to_string(rank) + " is late.";
  finding.action = "peerscope debug trace";
  return finding;
}

inline Rule rule_of(const std::string& text, const RuleDefaults& defaults = {}) {
  const Result<Rule> rule = parse_rule(text, defaults);
  return rule ? *rule : Rule{};  // a bad one has no name: tests see that nothing happens
}

}  // namespace peerscope
