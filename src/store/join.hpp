// Joins the ranks' records of collectives, in any order.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "store/chunk_columns.hpp"
#include "store/store.hpp"

namespace peerscope {

// Whether an operation takes part in something that is joined.
inline bool joins(const Op& op) {
  return op.comm != 0 && op.ranks >= 2 && op.rank < op.ranks && is_collective(op.kind);
}

class Join {
 public:
  struct Group {
    std::int64_t first_ns = INT64_MAX;
    std::uint64_t comm = 0, sequence = 0;
    std::uint16_t ranks = 0, seen = 0;
    std::uint32_t last_op = kNone;     // chain through before_
    std::uint32_t next_group = kNone;  // of the same key: a communicator may count from 0 again
    bool wanted = false;               // one of its records passes the filter
    [[nodiscard]] bool complete() const { return seen >= ranks; }
  };

  // The filter's times do not matter.
  explicit Join(OpFilter wanted) : wanted_(wanted) {
    wanted_.from_ns = INT64_MIN;
    wanted_.to_ns = INT64_MAX;
  }

  // All collective records of a chunk, with sequence numbers.
  void add(const ChunkColumns& columns);
  [[nodiscard]] const std::vector<Group>& groups() const { return groups_; }
  // The ranks' records, device times filled in; by arrival.
  [[nodiscard]] std::vector<Op> ops_of(const Group& group) const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Key {
    std::uint64_t comm, sequence, counted;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      const std::uint64_t mixed =
          (key.comm ^ key.counted << 56 ^ key.sequence * 0xC2B2AE3D27D4EB4Fu) * 0x9E3779B97F4A7C15u;
      return static_cast<std::size_t>(mixed ^ mixed >> 32);
    }
  };
  void add(const Op& op, bool wanted);
  [[nodiscard]] bool has(const Group& group, const Op& op) const;

  OpFilter wanted_;
  std::vector<Op> ops_;
  std::vector<std::uint32_t> before_;  // of each op: the one before it in its group
  std::vector<Group> groups_;
  std::unordered_map<Key, std::uint32_t, KeyHash> first_group_;
};

// What the ranks' records say of it. `ops` must not be empty.
CollectiveItem collective_of(std::vector<Op> ops);

}  // namespace peerscope
