#include "analyze/debug/collective_trace.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "analyze/debug/disagreement.hpp"

namespace peerscope {
namespace {

RankTrace* rank_in(CollectiveTrace& trace, std::uint16_t rank) {
  const auto found = std::find_if(trace.ranks.begin(), trace.ranks.end(),
                                  [rank](const RankTrace& r) { return r.op.rank == rank; });
  return found == trace.ranks.end() ? nullptr : &*found;
}

void add_device(RankTrace& rank, const Op& op) {
  if (op.device_duration_ns >= 0 && op.device_begin_ns != kUnknownNs)
    rank.device.push_back({op.device_begin_ns, op.device_duration_ns, op.channel, op.stream});
}

void add_times(CollectiveTrace& trace) {
  trace.first_ns = INT64_MAX;
  trace.last_ns = INT64_MIN;
  for (const RankTrace& rank : trace.ranks) {
    trace.first_ns = std::min(trace.first_ns, rank.op.begin_ns);
    trace.last_ns = std::max(trace.last_ns, rank.op.begin_ns);
    if (rank.host_ns >= 0) trace.end_ns = std::max(trace.end_ns, rank.op.begin_ns + rank.host_ns);
  }
  for (RankTrace& rank : trace.ranks) {
    rank.late_ns = rank.op.begin_ns - trace.first_ns;
    if (rank.host_ns >= 0 && !rank.op.async)
      rank.wait_ns = std::clamp<std::int64_t>(trace.last_ns - rank.op.begin_ns, 0, rank.host_ns);
  }
}

// A rank's time on its device: from its first channel's begin to its last one's end.
void split_by_device(CollectiveTrace& trace) {
  std::int64_t least = INT64_MAX, most = 0;
  for (const RankTrace& rank : trace.ranks) {
    if (rank.device.empty()) return;
    std::int64_t begin_ns = INT64_MAX, end_ns = INT64_MIN;
    for (const DeviceSpan& span : rank.device) {
      begin_ns = std::min(begin_ns, span.begin_ns);
      end_ns = std::max(end_ns, span.begin_ns + span.duration_ns);
    }
    least = std::min(least, end_ns - begin_ns);
    most = std::max(most, end_ns - begin_ns);
  }
  if (!trace.missing.empty() || has_root(trace.op.kind)) return;
  trace.device_transfer_ns = least;
  trace.device_wait_ns = most - least;
}

// Both sides of a message count it alike on our own backends. Elsewhere one cannot tell which belong
// together: each side stands alone.
bool counts_by_pair(Backend backend) {
  return backend == Backend::host || backend == Backend::cuda || backend == Backend::sim;
}

void add_transfers(CollectiveTrace& trace, const std::vector<Op>& ops) {
  std::map<std::tuple<int, int, std::uint64_t, int>, Transfer> messages;
  int alone = 0;
  for (const Op& op : ops) {
    if (!is_message(op.kind) || op.comm != trace.op.comm || op.peer == kNoPeer || op.device_only)
      continue;
    const std::int64_t end_ns = op.begin_ns + std::max<std::int64_t>(op.host_duration_ns, 0);
    if (end_ns < trace.first_ns || op.begin_ns > std::max(trace.end_ns, trace.last_ns)) continue;
    const bool sends = op.kind == Kind::send;
    const int from = sends ? op.rank : op.peer;
    const int to = sends ? op.peer : op.rank;
    Transfer& t = messages[{from, to, op.sequence, counts_by_pair(op.backend) ? 0 : ++alone}];
    t.from = from;
    t.to = to;
    t.bytes = std::max(t.bytes, op.bytes);
    t.sequence = op.sequence;
    (sends ? t.send_begin_ns : t.recv_begin_ns) = op.begin_ns;
    if (op.host_duration_ns >= 0) (sends ? t.send_end_ns : t.recv_end_ns) = end_ns;
  }
  for (const auto& [key, message] : messages) trace.transfers.push_back(message);
  const auto begin = [](const Transfer& t) {
    return t.send_begin_ns != kUnknownNs ? t.send_begin_ns : t.recv_begin_ns;
  };
  std::stable_sort(trace.transfers.begin(), trace.transfers.end(),
                   [&](const Transfer& a, const Transfer& b) { return begin(a) < begin(b); });
}

void add_spans(CollectiveTrace& trace, const std::vector<PhaseSpan>& phases,
               const std::vector<CompletionSpan>& completions) {
  const auto belongs = [&](const auto& span) {
    return span.comm == trace.op.comm && span.sequence == trace.op.sequence;
  };
  for (const PhaseSpan& phase : phases) {
    RankTrace* rank = belongs(phase) ? rank_in(trace, phase.rank) : nullptr;
    if (rank != nullptr && phase.kind == rank->op.kind) rank->phases.push_back(phase);
  }
  for (const CompletionSpan& done : completions) {
    RankTrace* rank = belongs(done) ? rank_in(trace, done.rank) : nullptr;
    if (rank != nullptr && done.kind == rank->op.kind) rank->complete_ns = done.at_ns;
  }
  for (RankTrace& rank : trace.ranks) {
    std::stable_sort(rank.phases.begin(), rank.phases.end(),
                     [](const auto& a, const auto& b) { return a.begin_ns < b.begin_ns; });
  }
}

}  // namespace

bool is_part_of(const Op& op, const Op& which) {
  return op.comm == which.comm && op.sequence == which.sequence && is_collective(op.kind) &&
         (op.backend != Backend::nccl || op.kind == which.kind);
}

CollectiveTrace trace_collective(const Op& which, const std::vector<Op>& ops,
                                 const std::vector<PhaseSpan>& phases,
                                 const std::vector<CompletionSpan>& completions) {
  CollectiveTrace trace;
  trace.op = which;
  for (const Op& op : ops) {
    if (!is_part_of(op, which) || op.device_only || rank_in(trace, op.rank) != nullptr) continue;
    RankTrace rank;
    rank.op = op;
    rank.host_ns = op.host_duration_ns;
    trace.ranks.push_back(std::move(rank));
  }
  if (trace.ranks.empty()) return trace;
  for (const Op& op : ops) {
    if (!is_part_of(op, which)) continue;
    if (RankTrace* rank = rank_in(trace, op.rank)) add_device(*rank, op);
  }
  std::stable_sort(trace.ranks.begin(), trace.ranks.end(), [](const auto& a, const auto& b) {
    return std::pair(a.op.begin_ns, a.op.rank) < std::pair(b.op.begin_ns, b.op.rank);
  });
  std::vector<Op> calls;
  for (const RankTrace& rank : trace.ranks) calls.push_back(rank.op);
  const CallComparison disagreement = compare_calls(calls);
  trace.op = disagreement.usual;
  trace.mismatch = disagreement.clause;
  for (RankTrace& rank : trace.ranks) {
    rank.odd = std::find(disagreement.odd.begin(), disagreement.odd.end(), rank.op.rank) !=
               disagreement.odd.end();
  }
  for (std::uint16_t rank = 0; rank < trace.op.ranks; ++rank) {
    if (rank_in(trace, rank) == nullptr) trace.missing.push_back(rank);
  }
  add_times(trace);
  split_by_device(trace);
  add_spans(trace, phases, completions);
  add_transfers(trace, ops);
  return trace;
}

}  // namespace peerscope
