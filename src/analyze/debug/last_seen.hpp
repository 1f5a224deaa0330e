// The last operations that each rank of each communicator has ended: what is known of a rank that does
// not come. Memory: at most kMostComms communicators of kMostRanks ranks.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "model/op.hpp"

namespace peerscope {

class LastSeen {
 public:
  static constexpr std::size_t kMostComms = 64, kMostRanks = 1024;
  struct Last {
    Op any, collective;  // `rank` is kNoRank: it has ended none
  };

  void add(const Op& op) {
    if (op.comm == 0 || op.rank >= kMostRanks || op.device_only) return;
    std::vector<Last>* ranks = op.comm == last_id_ ? last_ : find(op.comm);
    if (ranks == nullptr) return;
    if (ranks->size() <= op.rank) ranks->resize(op.rank + std::size_t{1});
    Last& known = (*ranks)[op.rank];
    take(known.any, op);
    if (is_collective(op.kind)) take(known.collective, op);
  }

  // Null: it has ended none.
  [[nodiscard]] const Op* of(std::uint64_t comm, int rank) const {
    const auto found = comms_.find(comm);
    if (found == comms_.end() || static_cast<std::size_t>(rank) >= found->second.size())
      return nullptr;
    const Op& op = found->second[static_cast<std::size_t>(rank)].any;
    return op.rank == kNoRank ? nullptr : &op;
  }
  // By communicator, then rank.
  [[nodiscard]] const std::map<std::uint64_t, std::vector<Last>>& all() const { return comms_; }

 private:
  static void take(Op& known, const Op& op) {
    if (known.rank == kNoRank || op.begin_ns >= known.begin_ns) known = op;
  }
  std::vector<Last>* find(std::uint64_t comm) {
    const auto found = comms_.find(comm);
    if (found == comms_.end() && comms_.size() >= kMostComms) return nullptr;
    last_id_ = comm;
    last_ = found == comms_.end() ? &comms_[comm] : &found->second;
    return last_;
  }

  std::map<std::uint64_t, std::vector<Last>> comms_;
  std::uint64_t last_id_ = 0;
  std::vector<Last>* last_ = nullptr;
};

}  // namespace peerscope
