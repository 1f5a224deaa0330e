#include "trace/export/flow_joiner.hpp"

#include <algorithm>

namespace peerscope {

std::uint64_t flow_id(const Op& op) {
  const std::uint64_t kind = op.backend == Backend::nccl ? static_cast<std::uint64_t>(op.kind) : 0;
  const std::uint64_t id = op.comm * 0x9E37'79B9'7F4A'7C15u ^ op.sequence * 0xC2B2'AE3D'27D4'EB4Fu ^
                           kind * 0x1656'67B1'9E37'79F9u;
  return id == 0 ? 1 : id;
}

std::uint64_t message_flow_id(const Op& op) {
  const bool sends = op.kind == Kind::send;
  if ((!sends && op.kind != Kind::recv) || op.comm == 0 || op.rank == kNoRank || op.peer == kNoPeer)
    return 0;
  if (op.backend != Backend::host && op.backend != Backend::cuda && op.backend != Backend::sim)
    return 0;
  const std::uint64_t from = sends ? op.rank : op.peer, to = sends ? op.peer : op.rank;
  const std::uint64_t id = (op.comm * 0x9E37'79B9'7F4A'7C15u ^
                            op.sequence * 0xC2B2'AE3D'27D4'EB4Fu ^ (from << 17 | to << 1 | 1)) *
                           0xD6E8'FEB8'6659'FD93u;
  return id == 0 ? 1 : id;
}

void FlowJoiner::add(const Op& op, const FlowPoint& point) {
  const std::uint64_t id = flow_id(op);
  std::vector<FlowPoint>& points = open_[id];
  if (points.empty()) order_.push_back(id);
  points.push_back(point);
  ++points_;
  if (op.ranks > 0 && points.size() >= op.ranks) emit(id);
  while (!order_.empty() &&
         (order_.size() > kMostOpen || points_ > kMostPoints || !open_.contains(order_.front()))) {
    emit(order_.front());
    order_.pop_front();
  }
}

void FlowJoiner::finish() {
  for (const std::uint64_t id : order_) emit(id);
  order_.clear();
}

void FlowJoiner::emit(std::uint64_t id) {
  const auto at = open_.find(id);
  if (at == open_.end()) return;
  std::vector<FlowPoint> points = std::move(at->second);
  open_.erase(at);
  points_ -= points.size();
  if (points.size() < 2) return;
  std::stable_sort(points.begin(), points.end(),
                   [](const FlowPoint& a, const FlowPoint& b) { return a.at_ns < b.at_ns; });
  emit_(id, points);
}

}  // namespace peerscope
