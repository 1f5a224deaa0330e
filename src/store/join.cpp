#include "store/join.hpp"

#include <algorithm>

namespace peerscope {

Join::Part Join::part_of(const Shape& shape) {
  const Op op = shape.op();
  Part part;
  part.joined = joins(op);
  if (!part.joined) return part;
  const int kind = op.backend == Backend::nccl ? static_cast<int>(op.kind) : -1;
  const auto next = static_cast<std::uint32_t>(numbers_.size());
  part.comm = op.comm;
  part.number = numbers_.emplace(std::pair(op.comm, kind), next).first->second;
  part.rank = op.rank;
  part.ranks = op.ranks;
  part.wanted = wanted_.passes(shape);
  part.device_only = op.device_only;
  return part;
}

void Join::add(const ChunkColumns& columns) {
  std::vector<Part> parts;
  for (const Shape& shape : columns.shapes) parts.push_back(part_of(shape));
  const auto chunk = static_cast<std::uint32_t>(chunks_.size());
  chunks_.push_back(columns);
  rows_.reserve(rows_.size() + columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Part& part = parts[columns.shape[i]];
    if (!part.joined) continue;
    Group& group = group_of(part, columns.sequence[i]);
    if (!part.device_only) {
      const std::uint64_t bytes = columns.bytes[i];
      group.wanted =
          group.wanted || (part.wanted && bytes >= wanted_.min_bytes && bytes <= wanted_.max_bytes);
      group.first_ns = std::min(group.first_ns, columns.begin[i]);
      ++group.seen;
    }
    const auto row = static_cast<std::uint32_t>(rows_.size());
    rows_.push_back(
        {chunk, static_cast<std::uint32_t>(i), group.last_row, part.rank, part.device_only});
    group.last_row = row;
  }
}

bool Join::has(const Group& group, const Part& part) const {
  for (std::uint32_t at = group.last_row; at != kNone; at = rows_[at].before) {
    if (rows_[at].rank == part.rank && rows_[at].device_only == part.device_only) return true;
  }
  return false;
}

Join::Group& Join::group_of(const Part& part, std::uint64_t sequence) {
  const FlatKey key{sequence, part.number};
  const auto next = static_cast<std::uint32_t>(groups_.size());
  std::uint32_t at = first_group_.find(key);
  if (at == FlatIndex::kAbsent) {
    first_group_.insert(key, next);
    at = next;
  }
  // A sequence that never rises is none: what finds no place among the first stands alone, or a page would take hours.
  constexpr int kMostSteps = 64;
  for (int steps = 0;
       at != next && ((!part.device_only && groups_[at].complete()) || has(groups_[at], part));
       ++steps) {
    if (groups_[at].next_group == kNone && steps < kMostSteps) groups_[at].next_group = next;
    at = steps < kMostSteps ? groups_[at].next_group : next;
  }
  if (at == next) {
    Group group;
    group.comm = part.comm;
    group.sequence = sequence;
    group.ranks = part.ranks;
    groups_.push_back(group);
  }
  return groups_[at];
}

std::vector<Op> Join::ops_of(const Group& group) const {
  std::vector<Op> ops;
  for (std::uint32_t at = group.last_row; at != kNone; at = rows_[at].before) {
    if (!rows_[at].device_only) ops.push_back(op_of(rows_[at]));
  }
  for (std::uint32_t at = group.last_row; at != kNone; at = rows_[at].before) {
    if (!rows_[at].device_only) continue;
    const Op times = op_of(rows_[at]);
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
