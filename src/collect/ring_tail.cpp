#include "collect/ring_tail.hpp"

#include <algorithm>

namespace peerscope {
namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;

Record copy(const Slot& slot) {
  return {slot.w0.load(kRelaxed), slot.w1.load(kRelaxed), slot.w2.load(kRelaxed),
          slot.w3.load(kRelaxed)};
}
}  // namespace

RingTail::RingTail(const SegmentView& segment, std::uint32_t index) : index_(index) {
  const RingHeader* ring = segment.ring(index);
  if (ring == nullptr) return;
  const Extent extent = extent_of(*ring);
  if (extent.blocks == 0) return;
  // Older blocks stay as they are: only records of the block in use can be lost from now on.
  cursor_ = ring->blocks[extent.blocks - 1].base.load(kRelaxed);
  first_ = find_window(segment, *ring, extent).begin;
  cursor_ = 0;
  skip_to(find_window(segment, *ring, extent).begin);
}

// Passes over records that are gone: before we attached, or because we came too late.
void RingTail::skip_to(std::uint64_t index) {
  if (index <= cursor_) return;
  const std::uint64_t early = first_ > cursor_ ? std::min(index, first_) - cursor_ : 0;
  before_ += early;
  lost_ += index - cursor_ - early;
  cursor_ = index;
}

// The head, and the number of blocks that existed when it was read. A block is published before any record in it, so a
// count that did not change around the head belongs to it.
RingTail::Extent RingTail::extent_of(const RingHeader& ring) {
  Extent extent;
  std::uint32_t again = ring.block_count.load(std::memory_order_acquire);
  do {
    extent.blocks = again;
    extent.head =
        ring.head.load(std::memory_order_acquire);  // pairs with the writer's release of a record
    again = ring.block_count.load(std::memory_order_acquire);
  } while (again != extent.blocks);
  extent.blocks = std::min(extent.blocks, kMaxBlocks);
  return extent;
}

// Blocks are few (at most kMaxBlocks) and a cursor is nearly always in the last one: look from there.
RingTail::Window RingTail::find_window(const SegmentView& segment, const RingHeader& ring,
                                       const Extent& extent) const {
  std::uint64_t end = extent.head;
  for (std::uint32_t i = extent.blocks; i-- > 0;) {
    const RingBlock& block = ring.blocks[i];
    const std::uint64_t base = block.base.load(kRelaxed);
    if (base > end) return {};  // corrupt
    if (base > cursor_ && i > 0) {
      end = base;
      continue;
    }
    const std::uint64_t log2_capacity = block.log2_capacity.load(kRelaxed);
    Window window;
    window.slots = segment.block(block.offset.load(kRelaxed), log2_capacity);
    if (window.slots == nullptr) return {};
    window.capacity = std::uint64_t{1} << log2_capacity;
    window.end = end;
    window.block = i;
    // In the block in use the slot of `head` may be half written, and its old record is record head - capacity.
    const std::uint64_t keep = i + 1 == extent.blocks ? window.capacity - 1 : window.capacity;
    window.begin = std::max(base, end > keep ? end - keep : 0);
    return window;
  }
  return {};
}

// The oldest record of the block that cannot have been overwritten by now.
std::uint64_t RingTail::oldest_intact(const RingHeader& ring, const Window& window) {
  const Extent now = extent_of(ring);
  if (now.blocks > window.block + 1) {  // the writer has left the block: it stays as it is
    const std::uint64_t end = ring.blocks[window.block + 1].base.load(kRelaxed);
    return end > window.capacity ? end - window.capacity : 0;
  }
  return now.head >= window.capacity ? now.head - window.capacity + 1 : 0;
}

std::size_t RingTail::read(const SegmentView& segment, std::span<Record> out) {
  const RingHeader* ring = segment.ring(index_);
  if (ring == nullptr) return 0;
  // A second try is needed only where the writer laps us while we copy.
  for (int tries = 0; tries < 8; ++tries) {
    const Extent extent = extent_of(*ring);
    if (extent.head <= cursor_) return 0;
    const Window window = find_window(segment, *ring, extent);
    if (window.slots == nullptr) return 0;
    skip_to(window.begin);
    const std::size_t wanted = std::min<std::uint64_t>(out.size(), window.end - cursor_);
    for (std::size_t i = 0; i < wanted; ++i)
      out[i] = copy(window.slots[(cursor_ + i) & (window.capacity - 1)]);
    // Pairs with the writer's release fence: if any word above was of a later record, the head read next is past it.
    std::atomic_thread_fence(std::memory_order_acquire);
    const std::uint64_t oldest = oldest_intact(*ring, window);
    const std::size_t torn =
        oldest > cursor_ ? std::min<std::uint64_t>(wanted, oldest - cursor_) : 0;
    cursor_ += wanted;
    lost_ += torn;
    delivered_ += wanted - torn;
    if (torn == 0) return wanted;
    std::copy(out.begin() + static_cast<std::ptrdiff_t>(torn),
              out.begin() + static_cast<std::ptrdiff_t>(wanted), out.begin());
    if (torn < wanted) return wanted - torn;
  }
  return 0;
}

std::uint64_t RingTail::backlog(const SegmentView& segment) const {
  const RingHeader* ring = segment.ring(index_);
  const std::uint64_t head = ring != nullptr ? ring->head.load(kRelaxed) : 0;
  return head > cursor_ ? head - cursor_ : 0;
}

}  // namespace peerscope
