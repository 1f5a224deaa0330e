// From a Snapshot to a MetricSet: one file a subject.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "metrics/family.hpp"
#include "metrics/openmetrics.hpp"

namespace peerscope::metrics {

struct Source {
  const Snapshot& snapshot;
  const MetricsOptions& options;
  const ServerFigures& server;
  std::unordered_map<std::uint64_t, std::string> communicators;  // names, no two alike
  [[nodiscard]] std::string communicator(std::uint64_t id) const;
};

using Collect = void (*)(const Source& source, MetricSet& out);

void add_operations(const Source& source, MetricSet& out);  // operations.cpp
void add_durations(const Source& source, MetricSet& out);
void add_bandwidths(const Source& source, MetricSet& out);
void add_failures(const Source& source, MetricSet& out);
void add_totals(const Source& source, MetricSet& out);
void add_communicators(const Source& source, MetricSet& out);  // ranks.cpp
void add_ranks(const Source& source, MetricSet& out);
void add_pairs(const Source& source, MetricSet& out);
void add_device_traffic(const Source& source, MetricSet& out);
void add_findings(const Source& source, MetricSet& out);  // state.cpp
void add_in_flight(const Source& source, MetricSet& out);
void add_phases(const Source& source, MetricSet& out);
void add_sessions(const Source& source, MetricSet& out);  // processes.cpp
void add_processes(const Source& source, MetricSet& out);
void add_own_figures(const Source& source, MetricSet& out);
void add_server(const Source& source, MetricSet& out);
void add_machine(const Source& source, MetricSet& out);       // machine.cpp
void add_user_metrics(const Source& source, MetricSet& out);  // user.cpp
void add_pools(const Source& source, MetricSet& out);
void add_nccl_names(const Source& source, MetricSet& out);  // nccl_names.cpp
void add_dcgm_names(const Source& source, MetricSet& out);  // dcgm_names.cpp

// All of it, bounded. limit.cpp
MetricSet collect(const Snapshot& snapshot, const MetricsOptions& options,
                  const ServerFigures& server, SeriesChoice* choice);
// Rows with equal labels become one; those without room go to "other". Adds how many series were left out.
void limit(MetricSet& set, std::size_t max_series, SeriesChoice* choice);

// "" for none: such a label is left out.
std::string number(std::uint16_t id, std::uint16_t none);
std::string number(const std::optional<int>& id);
// Empty where the time or rate is unknown.
Value seconds(double ns);
Value seconds_since_start(double ns);  // a sum: 0 is known
Value rate(double bytes_per_s);
Value ratio(double share);
template <class T>
Value maybe(const std::optional<T>& value) {
  if (!value) return {};
  return static_cast<double>(*value);
}

}  // namespace peerscope::metrics
