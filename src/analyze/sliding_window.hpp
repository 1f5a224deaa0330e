// Sums over the last second, ten seconds, minute and since start, in bounded memory: a ring of
// short slots whose oldest is merged into a ring of longer ones, and so on; what leaves the last
// ring is merged into `rest`.
//
// Nothing is in two places, so a window is the rings up to its own: 1 s is the first ring, "since
// start" is everything.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "analyze/aggregates.hpp"

namespace peerscope {

// The number of the slot that holds time `ns`; times before 0 can only be wrong and count as older
// than everything.
constexpr std::int64_t slot_of(std::int64_t ns) { return ns < 0 ? INT64_MIN / 2 : ns / kSlotNs; }

// Slot: clear(), merge(const Slot&). Rest: merge(const Slot&).
template <class Slot, class Rest = Slot>
class SlidingWindow {
 public:
  static constexpr std::size_t kRings = 3;
  static constexpr std::size_t kFine = 9;    // 9 x 0.125 s: at least 1 s before the current slot
  static constexpr std::size_t kCoarse = 5;  // 5 x 2.5 s and 5 x 15 s, likewise

  // Moves the newest slot to `slot`. Slots that leave the first ring are shown to on_leave(number,
  // slot) first, the oldest first.
  template <class OnLeave>
  void advance(std::int64_t slot, OnLeave on_leave) {
    if (slot <= newest_) return;
    const std::int64_t before = newest_ == kNone ? slot : newest_;
    newest_ = slot;
    if (slot >= 0) newest_index_ = index(0, slot);
    for (std::size_t ring = kRings; ring-- > 0;) {
      const std::int64_t size = static_cast<std::int64_t>(kSizes[ring]);
      const std::int64_t old = before / kUnit[ring];
      const std::int64_t until = std::min(old, slot / kUnit[ring] - size);
      for (std::int64_t number = std::max<std::int64_t>(0, old - size + 1); number <= until;
           ++number) {
        Slot& leaving = at_number(ring, number);
        if (ring == 0) on_leave(number, leaving);
        visit(ring + 1, number * kUnit[ring], [&](auto& target) { target.merge(leaving); });
        leaving.clear();
      }
    }
  }
  void advance(std::int64_t slot) {
    advance(slot, [](std::int64_t, const Slot&) {});
  }

  // Calls use(slot or rest) with the place of slot number `slot`. What is newer than the newest
  // counts as newest.
  template <class Use>
  void at(std::int64_t slot, Use use) {
    if (slot >= newest_ && newest_ >= 0) [[likely]]
      return use(slots_[newest_index_]);
    visit(0, std::min(slot, newest_), use);
  }

  [[nodiscard]] Rest& rest() { return rest_; }
  [[nodiscard]] const Rest& rest() const { return rest_; }

  // The slot of the first ring with that number; null if it has left.
  [[nodiscard]] const Slot* fine(std::int64_t slot) const {
    return slot <= newest_ && holds(0, slot) ? &slots_[index(0, slot)] : nullptr;
  }
  [[nodiscard]] std::int64_t newest() const { return newest_; }

  // Calls use(slot) for all slots of one ring; ring kRings is the rest.
  template <class Use>
  void for_ring(std::size_t ring, Use use) const {
    if (ring == kRings) return use(rest_);
    for (std::size_t i = 0; i < kSizes[ring]; ++i) use(slots_[kOffsets[ring] + i]);
  }

  // Begin of the stretch that a window covers.
  [[nodiscard]] static std::int64_t begin_ns(Window window, std::int64_t newest) {
    const auto ring = static_cast<std::size_t>(window);
    if (ring >= kRings) return 0;
    const std::int64_t first = newest / kUnit[ring] - static_cast<std::int64_t>(kSizes[ring]) + 1;
    return std::max<std::int64_t>(0, first * kUnit[ring] * kSlotNs);
  }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;
  static constexpr std::array<std::int64_t, kRings> kUnit{1, 20, 120};  // fine slots in a slot
  static constexpr std::array<std::size_t, kRings> kSizes{kFine, kCoarse, kCoarse};
  static constexpr std::array<std::size_t, kRings> kOffsets{0, kFine, kFine + kCoarse};

  [[nodiscard]] bool holds(std::size_t ring, std::int64_t slot) const {
    return slot >= 0 &&
           slot / kUnit[ring] > newest_ / kUnit[ring] - static_cast<std::int64_t>(kSizes[ring]);
  }
  static std::size_t index(std::size_t ring, std::int64_t number) {
    return kOffsets[ring] + static_cast<std::size_t>(number) % kSizes[ring];
  }
  Slot& at_number(std::size_t ring, std::int64_t number) { return slots_[index(ring, number)]; }

  template <class Use>
  void visit(std::size_t ring, std::int64_t slot, Use use) {
    for (; ring < kRings; ++ring) {
      if (holds(ring, slot)) return use(at_number(ring, slot / kUnit[ring]));
    }
    use(rest_);
  }

  std::int64_t newest_ = kNone;
  std::size_t newest_index_ = 0;
  std::array<Slot, kFine + 2 * kCoarse> slots_{};
  Rest rest_{};
};

}  // namespace peerscope
