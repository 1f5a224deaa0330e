#include "store/join.hpp"

#include <algorithm>

namespace peerscope {

void Join::add(const ChunkColumns& columns) {
  std::vector<std::uint8_t> joined, wanted;
  for (const Shape& shape : columns.shapes) {
    joined.push_back(joins(shape.op()) ? 1 : 0);
    wanted.push_back(wanted_.passes(shape) ? 1 : 0);
  }
  const std::size_t room = ops_.size() + columns.size();
  first_group_.reserve(room);
  groups_.reserve(room);
  ops_.reserve(room);
  before_.reserve(room);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::uint32_t shape = columns.shape[i];
    const std::uint64_t bytes = columns.bytes[i];
    if (joined[shape] != 0)
      add(columns.op(i),
          wanted[shape] != 0 && bytes >= wanted_.min_bytes && bytes <= wanted_.max_bytes);
  }
}

bool Join::has(const Group& group, const Op& op) const {
  for (std::uint32_t at = group.last_op; at != kNone; at = before_[at]) {
    if (ops_[at].rank == op.rank && ops_[at].device_only == op.device_only) return true;
  }
  return false;
}

void Join::add(const Op& op, bool wanted) {
  // NCCL counts each kind of collective by itself.
  const Key key{op.comm, op.sequence,
                op.backend == Backend::nccl ? static_cast<std::uint64_t>(op.kind) + 1 : 0};
  const auto next = static_cast<std::uint32_t>(groups_.size());
  std::uint32_t at = first_group_.emplace(key, next).first->second;
  // A sequence that never rises is none: what finds no place among the first stands alone, or a page would take hours.
  constexpr int kMostSteps = 64;
  for (int steps = 0;
       at != next && ((!op.device_only && groups_[at].complete()) || has(groups_[at], op));
       ++steps) {
    if (groups_[at].next_group == kNone && steps < kMostSteps) groups_[at].next_group = next;
    at = steps < kMostSteps ? groups_[at].next_group : next;
  }
  if (at == next) {
    Group group;
    group.comm = op.comm;
    group.sequence = op.sequence;
    group.ranks = op.ranks;
    groups_.push_back(group);
  }
  Group& group = groups_[at];
  group.wanted = group.wanted || (wanted && !op.device_only);
  if (!op.device_only) {
    group.first_ns = std::min(group.first_ns, op.begin_ns);
    ++group.seen;
  }
  before_.push_back(group.last_op);
  group.last_op = static_cast<std::uint32_t>(ops_.size());
  ops_.push_back(op);
}

std::vector<Op> Join::ops_of(const Group& group) const {
  std::vector<Op> ops;
  for (std::uint32_t at = group.last_op; at != kNone; at = before_[at]) {
    if (!ops_[at].device_only) ops.push_back(ops_[at]);
  }
  for (std::uint32_t at = group.last_op; at != kNone; at = before_[at]) {
    const Op& times = ops_[at];
    if (!times.device_only) continue;
    for (Op& op : ops) {
      if (op.rank != times.rank || op.device_duration_ns >= 0) continue;
      op.device_begin_ns = times.device_begin_ns;
      op.device_duration_ns = times.device_duration_ns;
    }
  }
  std::sort(ops.begin(), ops.end(), [](const Op& a, const Op& b) {
    return a.begin_ns != b.begin_ns ? a.begin_ns < b.begin_ns : a.rank < b.rank;
  });
  return ops;
}

namespace {

// The shortest of the ranks' times on their devices is the transfer, what the longest has more is its wait.
void split_device_times(CollectiveItem& item) {
  if (item.seen < item.ranks || has_root(item.kind)) return;
  std::int64_t least = INT64_MAX, most = 0;
  for (const Op& op : item.ops) {
    if (op.device_duration_ns < 0) return;
    least = std::min(least, op.device_duration_ns);
    most = std::max(most, op.device_duration_ns);
  }
  item.device_transfer_ns = least;
  item.device_wait_ns = most - least;
}

}  // namespace

CollectiveItem collective_of(std::vector<Op> ops) {
  CollectiveItem item;
  const Op& first = ops.front();
  const Op& last = ops.back();
  item.comm = first.comm;
  item.sequence = first.sequence;
  item.bytes = first.bytes;
  item.kind = first.kind;
  item.algorithm = first.algorithm;
  item.ranks = first.ranks;
  item.seen = static_cast<std::uint16_t>(ops.size());
  item.first_ns = first.begin_ns;
  item.last_ns = last.begin_ns;
  item.last_rank = last.rank;
  bool ended = true;
  for (const Op& op : ops) {
    item.async = item.async || op.async;
    item.error = item.error || op.status != OpStatus::ok;
    ended = ended && op.host_duration_ns >= 0;
    item.end_ns = std::max(item.end_ns, end_of(op.begin_ns, op.host_duration_ns));
  }
  if (!ended) item.end_ns = kUnknownNs;
  item.ops = std::move(ops);
  split_device_times(item);
  return item;
}

}  // namespace peerscope
