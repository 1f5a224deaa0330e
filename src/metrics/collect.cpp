#include "metrics/collect.hpp"

#include <unordered_set>

#include <fmt/format.h>

namespace peerscope::metrics {
namespace {

// The table of subjects. Their order is that of the text.
constexpr Collect kSubjects[] = {
    add_sessions,   add_totals,    add_own_figures,  add_findings,       add_in_flight,
    add_operations, add_durations, add_bandwidths,   add_failures,       add_communicators,
    add_ranks,      add_pairs,     add_processes,    add_device_traffic, add_machine,
    add_phases,     add_pools,     add_user_metrics, add_server,         add_nccl_names,
    add_dcgm_names,
};

// A split communicator often bears its parent's name.
std::unordered_map<std::uint64_t, std::string> communicator_names(const Snapshot& snapshot) {
  std::unordered_map<std::uint64_t, std::string> names;
  std::unordered_set<std::string> taken;
  for (const CommView& comm : snapshot.communicators) {
    if (comm.name.empty() || names.contains(comm.id)) continue;
    const bool first = taken.insert(comm.name).second;
    names.emplace(comm.id, first ? comm.name : fmt::format("{} ({:x})", comm.name, comm.id));
  }
  return names;
}

}  // namespace

std::string Source::communicator(std::uint64_t id) const {
  const auto found = communicators.find(id);
  if (found != communicators.end()) return found->second;
  return id == 0 ? std::string() : fmt::format("{:x}", id);
}

std::string number(std::uint16_t id, std::uint16_t none) {
  return id == none ? std::string() : std::to_string(id);
}
std::string number(const std::optional<int>& id) { return id ? std::to_string(*id) : ""; }

Value seconds(double ns) {
  if (ns < 0) return {};
  return ns / 1e9;
}
Value seconds_since_start(double ns) { return ns / 1e9; }
Value rate(double bytes_per_s) {
  if (bytes_per_s < 0) return {};
  return bytes_per_s;
}
Value ratio(double share) {
  if (share < 0) return {};
  return share;
}

MetricSet collect(const Snapshot& snapshot, const MetricsOptions& options,
                  const ServerFigures& server, SeriesChoice* choice) {
  const Source source{snapshot, options, server, communicator_names(snapshot)};
  MetricSet set;
  for (const Collect add : kSubjects) add(source, set);
  limit(set, options.max_series, choice);
  return set;
}

}  // namespace peerscope::metrics
