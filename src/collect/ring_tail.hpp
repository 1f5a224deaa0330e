// Follows one ring with a cursor of its own. The writer does not know of it; what is overwritten first is counted exactly.
#pragma once

#include <cstdint>
#include <span>

#include "collect/segment_view.hpp"

namespace peerscope {

class RingTail {
 public:
  // Starts at the oldest record that is still there; what was overwritten before is `before()`, not lost.
  RingTail(const SegmentView& segment, std::uint32_t index);

  // Copies the next records, in order, to `out`. Returns how many; 0: nothing new (or the ring's block is corrupt).
  std::size_t read(const SegmentView& segment, std::span<Record> out);

  [[nodiscard]] std::uint64_t cursor() const {
    return cursor_;
  }  // records of this ring that are behind us
  [[nodiscard]] std::uint64_t lost() const { return lost_; }      // overwritten before we came
  [[nodiscard]] std::uint64_t before() const { return before_; }  // overwritten before we attached
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] std::uint64_t backlog(const SegmentView& segment) const;

 private:
  struct Extent {
    std::uint64_t head = 0;
    std::uint32_t blocks = 0;
  };
  struct Window {  // the block that holds the cursor
    const Slot* slots = nullptr;
    std::uint64_t capacity = 0;
    std::uint64_t begin = 0;  // its first record that may still be there
    std::uint64_t end = 0;    // one past its last record so far
    std::uint32_t block = 0;
  };
  static Extent extent_of(const RingHeader& ring);
  static std::uint64_t oldest_intact(const RingHeader& ring, const Window& window);
  void skip_to(std::uint64_t index);
  [[nodiscard]] Window find_window(const SegmentView& segment, const RingHeader& ring,
                                   const Extent& extent) const;

  std::uint32_t index_;
  std::uint64_t cursor_ = 0;
  std::uint64_t first_ = 0;  // the oldest record of the block in use when we attached
  std::uint64_t lost_ = 0;
  std::uint64_t before_ = 0;
  std::uint64_t delivered_ = 0;
};

}  // namespace peerscope
