// Counts one chunk's operations by slot and cell.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "store/cell_table.hpp"
#include "store/chunk_columns.hpp"
#include "store/slots.hpp"

namespace peerscope {

class ChunkCounter {
 public:
  // Operations that begin in [from_ns, to_ns], in slots of 2^shift ns. Calls `add(number, Slot)`.
  struct Task {
    const ChunkColumns& columns;
    unsigned shift;
    std::int64_t from_ns, to_ns;
  };
  template <class F>
  void count(const Task& task, CellTable& cells, F&& add) {
    find_cells(task, cells);
    // Where a chunk spans many slots, a stretch of them at a time.
    for (std::int64_t first = next_; first != kNone; first = next_) {
      count_from(task, first);
      make_slots(first);
      for (auto& [number, slot] : slots_) add(number, std::move(slot));
    }
  }
  // Of all that was counted so far.
  [[nodiscard]] std::uint64_t overflowed() const { return overflowed_; }

 private:
  static constexpr std::int64_t kNone = INT64_MAX;
  static constexpr std::uint32_t kSkipped = UINT32_MAX;
  static constexpr unsigned kBucketBits = 9;

  // One cell in one slot. Its buckets come from the keys.
  struct Place {
    std::uint32_t slot = 0, cell = 0;
    std::uint64_t count = 0, bytes = 0;
    TimeSums host, device;
  };
  struct Keys {
    std::vector<std::uint32_t> all;       // place << kBucketBits | bucket
    std::vector<std::uint32_t> first_of;  // of each place, where its keys begin
    void sort(std::size_t places, std::vector<std::uint32_t>& scratch);
    std::uint16_t append_buckets(std::uint32_t place, std::vector<std::uint32_t>& out) const;
  };
  struct ShapeFacts {
    Op op;
    std::uint64_t weight = 1;  // 0: brings device times only
  };

  void find_cells(const Task& task, CellTable& cells);
  std::uint32_t local_cell(std::uint32_t shape, std::uint8_t size_class, CellTable& cells);
  void count_from(const Task& task, std::int64_t first);
  void make_slots(std::int64_t first);

  std::uint64_t overflowed_ = 0;
  std::int64_t next_ = kNone;
  std::vector<ShapeFacts> shapes_;
  std::vector<std::uint32_t> local_of_;     // shape * kSizeClasses + class -> local cell
  std::vector<std::uint32_t> local_cells_;  // number in the table, by local number
  std::vector<std::uint32_t> local_of_cell_ =
      std::vector<std::uint32_t>(CellTable::kMostNumbers, kSkipped);  // the other way
  std::vector<std::uint32_t> local_;                                  // of each operation
  std::vector<std::uint32_t>
      place_of_;  // slot of the stretch * local cells + local cell -> place + 1
  std::vector<Place> places_;
  Keys host_, device_;
  std::vector<std::uint32_t> scratch_;
  std::vector<std::pair<std::int64_t, Slot>> slots_;
};

}  // namespace peerscope
