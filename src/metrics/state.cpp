// What is wrong, what has not ended, and where operations spend their time inside.
#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "metrics/collect.hpp"

namespace peerscope::metrics {
namespace {

using enum FamilyType;

constexpr std::array kSeverities = {Severity::info, Severity::warning, Severity::critical};

}  // namespace

void add_findings(const Source& source, MetricSet& out) {
  Group counts{"finding_counts",
               Rest::drop,
               {"severity"},
               {{"peerscope_findings", gauge, "Findings that hold now."}},
               {}};
  Group group{"findings",
              Rest::drop,
              {"kind", "severity", "rank", "peer", "device", "link", "communicator", "operation"},
              {{"peerscope_finding", gauge, "1 for each finding that holds now."},
               {"peerscope_finding_confidence_ratio", gauge, "How sure the finding is."}},
              {}};
  std::array<std::uint64_t, kSeverities.size()> totals{};
  for (const Finding& finding : source.snapshot.findings) {
    const auto severity = static_cast<std::size_t>(finding.severity);
    ++totals[std::min(severity, totals.size() - 1)];
    const Subject& subject = finding.subject;
    group.rows.push_back(
        {{finding.kind, name(finding.severity), number(subject.rank), number(subject.peer),
          number(subject.device), subject.link, subject.communicator, subject.operation},
         static_cast<double>(severity) + std::clamp(finding.impact, 0.0, 0.999),
         {std::uint64_t{1}, finding.confidence}});
  }
  for (const Severity severity : kSeverities)
    counts.rows.push_back({{name(severity)}, 0, {totals[static_cast<std::size_t>(severity)]}});
  out.groups.push_back(std::move(counts));
  out.groups.push_back(std::move(group));
}

void add_in_flight(const Source& source, MetricSet& out) {
  Group total{"in_flight_total",
              Rest::drop,
              {},
              {{"peerscope_in_flight", gauge, "Operations that have begun and not ended."},
               {"peerscope_in_flight_oldest_age_seconds", gauge,
                "Since the oldest of them began; absent where there is none."}},
              {}};
  Group group{
      "in_flight",
      Rest::drop,
      {"operation", "communicator"},
      {{"peerscope_in_flight_operations", gauge, "Operations in flight by what they are."},
       {"peerscope_in_flight_operation_age_seconds", gauge, "Since the oldest of them began."}},
      {}};
  std::map<std::tuple<Kind, std::uint64_t>, std::pair<std::uint64_t, std::int64_t>> open;
  std::int64_t oldest_ns = kUnknownNs;
  for (const InFlight& entry : source.snapshot.in_flight) {
    auto& [count, age_ns] = open[{entry.op.kind, entry.op.comm}];
    ++count;
    age_ns = std::max(age_ns, entry.age_ns);
    oldest_ns = std::max(oldest_ns, entry.age_ns);
  }
  const std::uint64_t count = source.snapshot.in_flight.size();
  total.rows.push_back({{}, 0, {count, seconds(static_cast<double>(oldest_ns))}});
  for (const auto& [key, what] : open) {
    const auto& [kind, comm] = key;
    const auto age_ns = static_cast<double>(what.second);
    group.rows.push_back({{std::string(name(kind)), source.communicator(comm)},
                          age_ns,
                          {what.first, seconds(age_ns)}});
  }
  out.groups.push_back(std::move(total));
  out.groups.push_back(std::move(group));
}

void add_phases(const Source& source, MetricSet& out) {
  Group group{"phases",
              Rest::drop,
              {"operation", "phase"},
              {{"peerscope_phase_duration_seconds", summary,
                "Where operations spend their time inside (level comprehensive), host clock."}},
              {}};
  for (const PhaseView& phase : source.snapshot.phases) {
    const auto in_seconds = [](double ns) { return ns < 0 ? -1.0 : ns / 1e9; };
    group.rows.push_back({{std::string(name(phase.kind)), phase.name},
                          phase.total_ns,
                          {Quantiles{phase.count, phase.total_ns / 1e9, in_seconds(phase.p50_ns),
                                     in_seconds(phase.p99_ns)}}});
  }
  out.groups.push_back(std::move(group));
}

}  // namespace peerscope::metrics
