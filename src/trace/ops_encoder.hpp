// Collects operations, a thread's beside each other, and turns them into an ops section.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "trace/cells.hpp"
#include "trace/column_codec.hpp"
#include "trace/shape_table.hpp"

namespace peerscope {

// For vectors that are grown to be overwritten at once: growing does not fill with zeros.
template <class T>
struct UnfilledAllocator : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = UnfilledAllocator<U>;
  };
  template <class U>
  void construct(U* place) noexcept {
    ::new (static_cast<void*>(place)) U;
  }
  template <class U, class... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
  }
};
template <class T>
using Unfilled = std::vector<T, UnfilledAllocator<T>>;

// What the section says beside its operations.
struct OpsContext {
  std::uint64_t not_written_before = 0;
  std::uint64_t clock_mono_ns = 0, clock_real_ns = 0, clock_uncertainty_ns = 0;
};

class OpsEncoder {
 public:
  // Times are kept in steps of at most `time_step_ns`, a power of two, and of at most 1/256 of the
  // chunk's median duration: so short operations are kept to the nanosecond. 1: all are.
  OpsEncoder(int compression, std::uint32_t time_step_ns)
      : columns_(compression),
        max_shift_(static_cast<unsigned>(std::bit_width(time_step_ns)) - 1) {}

  // The caller keeps the sum under format::kMaxOperations.
  void add(std::span<const Op> ops);
  [[nodiscard]] std::uint32_t size() const { return size_; }

  // Appends the section to `out` and begins anew. Not for an empty one. Returns what the index says
  // of it; offset is left 0.
  format::IndexEntry encode(const OpsContext& context, std::vector<std::uint8_t>& out);
  // What the last chunk knew about itself, until the next operation comes.
  [[nodiscard]] std::span<const Shape> last_shapes() const { return shapes_; }
  [[nodiscard]] const CellBuilder& last_cells() const { return cells_; }
  [[nodiscard]] std::span<const ChunkSeries> last_series() const { return series_; }

 private:
  struct Lane {  // a thread's operations
    std::uint64_t key = 0;
    std::uint32_t last_shape = ShapeTable::kNone;
    Unfilled<std::uint64_t> begin, host, device_begin, device, bytes, sequence;
    Unfilled<std::uint32_t> shape;
  };
  using LaneColumn = Unfilled<std::uint64_t> Lane::*;

  Lane& lane_of(std::uint64_t key);
  void append(Lane& lane, std::span<const Op> ops);
  void begin_device_times();
  void gather(LaneColumn column, std::vector<std::uint64_t>& out) const;
  void gather_all();
  void number_shapes();
  void add_lanes();
  void add_shapes();
  void choose_step();
  void add_begins(format::OpsHead& head);
  void add_times();
  void add_sequences();
  void add_cells(format::OpsHead& head);
  void add_blob(std::uint8_t id, std::span<const std::uint8_t> blob);
  void reset();

  ColumnWriter columns_;
  ShapeTable table_;
  CellBuilder cells_;
  std::vector<Lane> lanes_;          // kept from chunk to chunk; those of this one are in used_
  std::vector<std::uint32_t> used_;  // in order of appearance
  std::size_t last_lane_ = 0;
  std::uint32_t size_ = 0;
  unsigned max_shift_, shift_ = 0;
  bool has_device_ = false;  // a device time is known in this chunk; else lanes keep none

  std::vector<Shape> shapes_;          // of this chunk, by number
  std::vector<std::uint32_t> number_;  // table id -> number in this chunk, kNone
  std::vector<std::uint64_t> shape_numbers_, values_, begins_, host_, device_begin_, device_,
      bytes_;
  std::vector<ChunkSeries> series_;
  std::vector<std::uint8_t> scratch_;
};

// The group that counts a shape's sequence numbers: process, thread, communicator, collective or
// not. Writes one number a shape; returns how many groups there are.
std::uint32_t number_groups(std::span<const Shape> shapes, std::vector<std::uint32_t>& groups);

}  // namespace peerscope
