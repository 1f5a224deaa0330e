// A chunk's operations as they come: a thread's beside each other, their shapes numbered.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

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

// A thread's operations by columns, equally long. Times are in two's complement.
struct OpLane {
  std::uint64_t key = 0;
  SeenShape* last_shape = nullptr;
  Unfilled<std::uint64_t> begin, host, bytes, sequence;
  Unfilled<std::uint64_t> device_begin, device;  // empty where the chunk has no device times
  Unfilled<std::uint16_t> shape;                 // number in this chunk

  [[nodiscard]] std::size_t size() const { return begin.size(); }
};

class OpLanes {
 public:
  // At most 65,536 operations until clear().
  void add(std::span<const Op> ops);
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool has_device() const { return has_device_; }
  // Whether all times are small enough that they can be rounded.
  [[nodiscard]] bool near() const { return time_bits_ >> 60 == 0; }

  [[nodiscard]] std::size_t lanes() const { return used_.size(); }  // in order of appearance
  [[nodiscard]] const OpLane& lane(std::size_t i) const { return all_[used_[i]]; }

  // The chunk's shapes, which are numbered anew: in order of appearance, or sorted where there are
  // many, so that their bytes repeat.
  void number_shapes(std::vector<Shape>& shapes);
  void clear();

 private:
  OpLane& lane_of(std::uint64_t key);
  void append(OpLane& lane, std::span<const Op> ops);
  void append_device_times(OpLane& lane, std::span<const Op> ops);
  void append_shapes(OpLane& lane, std::span<const Op> ops);

  std::vector<OpLane> all_;          // kept from chunk to chunk; those of this one are in used_
  std::vector<std::uint32_t> used_;  // in order of appearance
  std::size_t last_lane_ = 0;
  ShapeTable table_;
  std::vector<SeenShape*> numbered_;  // those of this chunk, by number
  std::uint64_t time_bits_ = 0;
  std::uint32_t size_ = 0;
  bool has_device_ = false;  // a device time is known in this chunk
};

}  // namespace peerscope
