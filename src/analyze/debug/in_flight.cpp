#include "analyze/debug/in_flight.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "analyze/debug/disagreement.hpp"
#include "analyze/detect/words.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

ProcessState state_of(const Snapshot& snapshot, const InFlight& entry) {
  if (entry.op.process < snapshot.processes.size())
    return snapshot.processes[entry.op.process].state;
  for (const ProcessView& process : snapshot.processes) {
    if (process.pid == entry.pid) return process.state;
  }
  return ProcessState::live;
}

int ranks_of(const Snapshot& snapshot, const Op& op) {
  if (op.ranks != 0 || !snapshot.aggregates) return op.ranks;
  for (const CommunicatorRow& comm : snapshot.aggregates->communicators) {
    if (comm.id == op.comm) return comm.ranks;
  }
  return 0;
}

void find_mismatch(InFlightGroup& group) {
  std::vector<Op> ops;
  for (const Entered& e : group.entered) ops.push_back(e.entry.op);
  const CallComparison disagreement = compare_calls(ops);
  group.op = disagreement.usual;
  group.mismatch = disagreement.clause;
  for (Entered& e : group.entered) {
    e.odd = std::find(disagreement.odd.begin(), disagreement.odd.end(), e.entry.op.rank) !=
            disagreement.odd.end();
  }
}

void find_missing(const Snapshot& snapshot, InFlightGroup& group) {
  if (!is_collective(group.op.kind) || group.op.comm == 0) return;
  const int ranks = ranks_of(snapshot, group.op);
  for (int rank = 0; rank < ranks; ++rank) {
    const auto is_rank = [rank](const Entered& e) { return e.entry.op.rank == rank; };
    if (std::any_of(group.entered.begin(), group.entered.end(), is_rank)) continue;
    Absent absent;
    absent.rank = rank;
    for (const InFlight& entry : snapshot.in_flight) {
      if (entry.op.comm == group.op.comm && entry.op.rank == rank &&
          (!absent.instead || entry.age_ns > absent.instead->age_ns))
        absent.instead = entry;
    }
    group.missing.push_back(std::move(absent));
  }
}

void find_normal(const Snapshot& snapshot, InFlightGroup& group) {
  if (!snapshot.aggregates) return;
  std::uint64_t best = 0;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    if (row.other || row.kind != group.op.kind || row.size_class != size_class(group.op.bytes))
      continue;
    const OperationStats& all = row.windows.in(Window::all);
    const Distribution& times = all.host.known() ? all.host : all.device;
    if (!times.known() || times.count <= best) continue;
    best = times.count;
    group.normal_p50_ns = times.p50_ns;
    group.normal_p999_ns = times.p999_ns;
  }
}

bool is_about(const Finding& finding, const InFlightGroup& group) {
  if (finding.kind != "hang" || finding.subject.communicator != group.communicator) return false;
  const auto sequence = std::find_if(finding.evidence.begin(), finding.evidence.end(),
                                     [](const auto& figure) { return figure.first == "sequence"; });
  if (sequence == finding.evidence.end() ||
      sequence->second != static_cast<double>(group.op.sequence))
    return false;
  return std::any_of(group.entered.begin(), group.entered.end(), [&](const Entered& e) {
    if (finding.subject.operation != name(e.entry.op.kind)) return false;
    return is_collective(e.entry.op.kind) || !finding.subject.rank ||
           *finding.subject.rank == e.entry.op.rank;
  });
}

}  // namespace

std::vector<int> InFlightGroup::odd_ranks() const {
  std::vector<int> ranks;
  for (const Entered& e : entered) {
    if (e.odd) ranks.push_back(e.entry.op.rank);
  }
  return ranks;
}

bool InFlightGroup::dead() const {
  return std::any_of(entered.begin(), entered.end(),
                     [](const Entered& e) { return e.state == ProcessState::dead; });
}

std::vector<InFlightGroup> in_flight_groups(const Snapshot& snapshot) {
  // NCCL counts each kind by itself: there another kind of equal number is another collective.
  std::map<std::tuple<std::uint64_t, std::uint64_t, Kind, std::size_t>, InFlightGroup> groups;
  for (std::size_t i = 0; i < snapshot.in_flight.size(); ++i) {
    const InFlight& entry = snapshot.in_flight[i];
    const Op& op = entry.op;
    const bool together = is_collective(op.kind) && op.comm != 0;
    const bool by_kind = !together || op.backend == Backend::nccl;
    InFlightGroup& group =
        groups[{op.comm, op.sequence, by_kind ? op.kind : Kind::other, together ? 0 : i + 1}];
    if (group.entered.empty()) group.op = op;
    group.entered.push_back({entry, state_of(snapshot, entry), false});
    group.age_ns = std::max(group.age_ns, entry.age_ns);
  }
  std::vector<InFlightGroup> all;
  for (auto& [key, group] : groups) {
    std::stable_sort(
        group.entered.begin(), group.entered.end(),
        [](const Entered& a, const Entered& b) { return a.entry.op.rank < b.entry.op.rank; });
    group.communicator = communicator_name(snapshot, group.op.comm);
    if (is_collective(group.op.kind)) find_mismatch(group);
    find_missing(snapshot, group);
    find_normal(snapshot, group);
    for (const Finding& finding : snapshot.findings) {
      if (!group.hang && is_about(finding, group)) group.hang = finding;
    }
    all.push_back(std::move(group));
  }
  std::stable_sort(all.begin(), all.end(), [](const InFlightGroup& a, const InFlightGroup& b) {
    return std::pair(a.hang.has_value(), a.age_ns) > std::pair(b.hang.has_value(), b.age_ns);
  });
  return all;
}

}  // namespace peerscope
