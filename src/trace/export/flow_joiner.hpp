// Collects where the ranks of a collective are drawn, so that an arrow can go through them in the
// order of their times.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <unordered_map>
#include <vector>

#include "model/op.hpp"

namespace peerscope {

// Equal on all ranks of a collective; never 0. Collectives are joined by communicator and sequence;
// NCCL's by kind, too, for it counts each kind by itself.
std::uint64_t flow_id(const Op& op);

// Equal on both sides of a message; never 0. 0: nobody can say which send a receive belongs to: only our
// own backends count the messages of a pair alike on both sides.
std::uint64_t message_flow_id(const Op& op);

struct FlowPoint {
  std::int64_t at_ns = 0;
  std::uint32_t pid = 0, tid = 0;
};

// Memory: at most kMostOpen collectives and kMostPoints points wait for their other ranks.
class FlowJoiner {
 public:
  using Emit = std::function<void(std::uint64_t id, const std::vector<FlowPoint>& in_order)>;
  explicit FlowJoiner(Emit emit) : emit_(std::move(emit)) {}

  void add(const Op& op, const FlowPoint& point);
  void finish();  // those that are not complete, too

 private:
  static constexpr std::size_t kMostOpen = 4096, kMostPoints = 1 << 18;
  void emit(std::uint64_t id);  // and forget; does nothing for what is gone

  Emit emit_;
  std::unordered_map<std::uint64_t, std::vector<FlowPoint>> open_;
  std::deque<std::uint64_t> order_;  // of first points; complete ones stay until they are in front
  std::size_t points_ = 0;
};

}  // namespace peerscope
