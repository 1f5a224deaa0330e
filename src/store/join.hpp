// Joins the ranks' records of collectives, in any order.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "analyze/flat_index.hpp"
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
    std::uint32_t last_row = kNone;    // chain through Row::before
    std::uint32_t next_group = kNone;  // of the same key: a communicator may count from 0 again
    bool wanted = false;               // one of its records passes the filter
    [[nodiscard]] bool complete() const { return seen >= ranks; }
  };

  // The filter's times do not matter.
  explicit Join(OpFilter wanted) : wanted_(wanted) {
    wanted_.from_ns = INT64_MIN;
    wanted_.to_ns = INT64_MAX;
  }

  // All collective records of a chunk, with sequence numbers. What the columns lie in outlives this.
  void add(const ChunkColumns& columns);
  [[nodiscard]] const std::vector<Group>& groups() const { return groups_; }
  // The ranks' records, device times filled in; by arrival.
  [[nodiscard]] std::vector<Op> ops_of(const Group& group) const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // Where a record lies: a page is made of a few out of a hundred thousand.
  struct Row {
    std::uint32_t chunk, at;
    std::uint32_t before;  // in its group
    std::uint16_t rank;
    bool device_only;
  };
  // What of a shape the join asks for.
  struct Part {
    std::uint64_t comm = 0;
    std::uint32_t number = 0;  // of what counts by itself
    std::uint16_t rank = 0, ranks = 0;
    bool joined = false, wanted = false, device_only = false;
  };
  [[nodiscard]] Part part_of(const Shape& shape);
  Group& group_of(const Part& part, std::uint64_t sequence);
  [[nodiscard]] bool has(const Group& group, const Part& part) const;
  [[nodiscard]] Op op_of(const Row& row) const { return chunks_[row.chunk].op(row.at); }

  OpFilter wanted_;
  std::vector<ChunkColumns> chunks_;
  std::vector<Row> rows_;
  std::vector<Group> groups_;
  // NCCL counts each kind of collective by itself.
  std::map<std::pair<std::uint64_t, int>, std::uint32_t> numbers_;  // communicator, kind or -1
  FlatIndex first_group_;                                           // (sequence, number)
};

// What the ranks' records say of it. `ops` must not be empty.
CollectiveItem collective_of(std::vector<Op> ops);

}  // namespace peerscope
