// Collects operations, a thread's beside each other, and turns them into an ops section.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "trace/cells.hpp"
#include "trace/column_codec.hpp"
#include "trace/op_lanes.hpp"

namespace peerscope {

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
  void add(std::span<const Op> ops) { lanes_.add(ops); }
  [[nodiscard]] std::uint32_t size() const { return lanes_.size(); }

  // Appends the section to `out` and begins anew. Not for an empty one. Returns what the index says
  // of it; offset is left 0.
  format::IndexEntry encode(const OpsContext& context, std::vector<std::uint8_t>& out);
  // What the last chunk knew about itself, until the next operation comes.
  [[nodiscard]] std::span<const Shape> last_shapes() const { return shapes_; }
  [[nodiscard]] const CellBuilder& last_cells() const { return cells_; }
  [[nodiscard]] std::span<const ChunkSeries> last_series() const { return series_; }

 private:
  // What the columns hold, of 32 bits where that is enough: nearly always, and twice as fast.
  template <class T>
  struct Numbers {
    Unfilled<T> begin, host, sequence, device_begin, device;
    Unfilled<std::uint32_t> shape;
    void resize(std::size_t n, bool with_device);
  };
  // The sequence numbers of a group, see number_groups.
  struct Group {
    std::uint64_t first = 0, next = 0;
    bool seen = false;
  };

  void choose_step();
  template <class T>
  bool number(Numbers<T>& out, format::OpsHead& head);
  template <class T>
  std::uint64_t number_times(const OpLane& lane, T* begin, T* host, format::OpsHead& head);
  template <class T>
  std::uint64_t number_operations(const OpLane& lane, const T* host, T* sequence,
                                  format::OpsHead& head);
  template <class T>
  std::uint64_t number_device_times(const OpLane& lane, T* device_begin, T* device);
  template <class T>
  void add_columns(Numbers<T>& numbers, format::OpsHead& head);
  void add_shapes();
  void add_cells(format::OpsHead& head);
  void add_bytes();
  void add_groups();
  void add_lanes();
  void add_blob(std::uint8_t id, std::span<const std::uint8_t> blob);

  ColumnWriter columns_;
  OpLanes lanes_;
  CellBuilder cells_;
  unsigned max_shift_, shift_ = 0;

  std::vector<Shape> shapes_;  // of this chunk, by number
  std::vector<std::uint32_t> group_of_;
  std::vector<Group> groups_;
  Numbers<std::uint32_t> narrow_;
  Numbers<std::uint64_t> wide_;
  std::vector<std::uint64_t> bytes_;
  std::vector<ChunkSeries> series_;
  std::vector<std::uint8_t> scratch_;
};

// The group that counts a shape's sequence numbers: process, thread, communicator, collective or
// not. Writes one number a shape; returns how many groups there are.
std::uint32_t number_groups(std::span<const Shape> shapes, std::vector<std::uint32_t>& groups);

}  // namespace peerscope
