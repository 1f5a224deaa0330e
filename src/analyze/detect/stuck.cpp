#include "analyze/detect/stuck.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "analyze/history_point.hpp"
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

namespace {

// What is known of a kind and size since start, by whichever clock.
struct Past {
  std::uint64_t count = 0;
  double p999_ns = 0;
  std::int64_t last_ns = kUnknownNs;  // when one of them ended
};

Past past_of(const Snapshot& snapshot, const Op& op) {
  Past past;
  if (!snapshot.aggregates) return past;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    if (row.other || row.kind != op.kind || row.size_class != size_class(op.bytes)) continue;
    const OperationStats& all = row.windows.in(Window::all);
    for (const Distribution* times : {&all.host, &all.device}) {
      if (!times->known()) continue;
      past.p999_ns = std::max(past.p999_ns, times->p999_ns);
      past.count = std::max(past.count, times->count);
    }
    past.last_ns = std::max(past.last_ns, row.last_ns);
  }
  return past;
}

}  // namespace

bool hangs(const Snapshot& snapshot, const InFlight& entry, const DetectOptions& options) {
  const Past past = past_of(snapshot, entry.op);
  const double first_ns = std::max(static_cast<double>(options.hang.first_age_ns),
                                   options.hang.p999_ratio * past.p999_ns);
  const auto age_ns = static_cast<double>(entry.age_ns);
  // Whatever comes first may wait for a program to start, to load, to compile.
  if (past.count < options.hang.min_history || age_ns >= first_ns) return age_ns >= first_ns;
  const double limit_ns = std::max(static_cast<double>(options.hang.min_age_ns),
                                   options.hang.p999_ratio * past.p999_ns);
  // What is enqueued waits for its turn: as long as others of its kind end, the device goes on.
  const std::int64_t since_last_ns = snapshot.now_ns - past.last_ns;
  return age_ns >= limit_ns &&
         (!entry.enqueued || static_cast<double>(since_last_ns) >= limit_ns - kSlotNs);
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
