#include "analyze/detect/stuck.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "model/size_class.hpp"

namespace peerscope {
namespace {

const ProcessView* process_of(const Snapshot& snapshot, std::uint32_t pid) {
  for (const ProcessView& process : snapshot.processes) {
    if (process.pid == pid) return &process;
  }
  return nullptr;
}

}  // namespace

bool is_dead(const Snapshot& snapshot, std::uint32_t pid) {
  const ProcessView* process = process_of(snapshot, pid);
  return process != nullptr && process->state == ProcessState::dead;
}

bool is_stopped(const Snapshot& snapshot, std::uint32_t pid) {
  const ProcessView* process = process_of(snapshot, pid);
  return process != nullptr && process->state == ProcessState::live && process->stopped;
}

double hang_limit_ns(const Snapshot& snapshot, const Op& op, const DetectOptions& options) {
  auto limit = static_cast<double>(options.hang.min_age_ns);
  std::uint64_t known = 0;
  if (snapshot.aggregates) {
    for (const OperationRow& row : snapshot.aggregates->operations) {
      if (row.other || row.kind != op.kind) continue;
      if (row.size_class != size_class(op.bytes)) continue;
      const Distribution& host = row.windows.in(Window::all).host;
      if (!host.known()) continue;
      limit = std::max(limit, options.hang.p999_ratio * host.p999_ns);
      known += host.count;
    }
  }
  // Whatever comes first may wait for a program to start, to load, to compile.
  if (known < options.hang.min_history)
    limit = std::max(limit, static_cast<double>(options.hang.first_age_ns));
  return limit;
}

int ranks_of_communicator(const Snapshot& snapshot, const Op& op) {
  if (op.ranks != 0 || !snapshot.aggregates) return op.ranks;
  for (const CommunicatorRow& comm : snapshot.aggregates->communicators) {
    if (comm.id == op.comm) return comm.ranks;
  }
  return 0;
}

std::vector<const InFlight*> together(const Snapshot& snapshot, const Op& op) {
  std::vector<const InFlight*> group;
  for (const InFlight& entry : snapshot.in_flight) {
    if (entry.op.comm == op.comm && entry.op.sequence == op.sequence && entry.op.kind == op.kind)
      group.push_back(&entry);
  }
  return group;
}

std::vector<int> culprits(const Snapshot& snapshot, std::uint64_t comm) {
  std::set<int> waiting, awaited, gone;
  std::map<std::pair<std::uint64_t, Kind>, std::set<int>> present;  // by sequence and kind
  for (const InFlight& entry : snapshot.in_flight) {
    if (entry.op.comm == comm) present[{entry.op.sequence, entry.op.kind}].insert(entry.op.rank);
  }
  for (const InFlight& entry : snapshot.in_flight) {
    const Op& op = entry.op;
    if (op.comm != comm || op.rank == kNoRank || op.kind == Kind::compute) continue;
    if (is_dead(snapshot, entry.pid) || is_stopped(snapshot, entry.pid)) {
      gone.insert(op.rank);
      continue;
    }
    waiting.insert(op.rank);
    if (!is_collective(op.kind)) {
      if (op.peer != kNoPeer) awaited.insert(op.peer);
      continue;
    }
    // A rank that has left an operation with a root is not awaited in it: all that one sees is who is not in it.
    const std::set<int>& here = present[{op.sequence, op.kind}];
    const int ranks = ranks_of_communicator(snapshot, op);
    for (int rank = 0; rank < ranks; ++rank) {
      if (here.count(rank) == 0) awaited.insert(rank);
    }
  }
  if (!gone.empty()) return {gone.begin(), gone.end()};
  std::vector<int> out;
  for (const int rank : awaited) {
    if (waiting.count(rank) == 0) out.push_back(rank);
  }
  return out;
}

}  // namespace peerscope
