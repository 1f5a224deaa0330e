// Slots of time, and what each cell counted in them. A slot never changes once it is made: whoever reads the index
// keeps it, and what is added makes a new one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/duration_bucket.hpp"
#include "model/op.hpp"

namespace peerscope {

// Known durations. Not weighted.
struct TimeSums {
  std::uint64_t sum_ns = 0, min_ns = UINT64_MAX, max_ns = 0;
  void add(std::uint64_t ns) {
    sum_ns += ns;
    min_ns = ns < min_ns ? ns : min_ns;
    max_ns = ns > max_ns ? ns : max_ns;
  }
  void merge(const TimeSums& other) {
    sum_ns += other.sum_ns;
    min_ns = other.min_ns < min_ns ? other.min_ns : min_ns;
    max_ns = other.max_ns > max_ns ? other.max_ns : max_ns;
  }
};

struct SlotCell {
  std::uint32_t cell = 0;                              // CellTable
  std::uint16_t host_buckets = 0, device_buckets = 0;  // so many of Slot::buckets are its own
  std::uint64_t count = 0, bytes = 0;                  // weighted
  TimeSums host;
};

// A bucket of durations and its count in 32 bits. What is more takes another such.
struct PackedBucket {
  static constexpr unsigned kCountBits = 23;
  static constexpr std::uint32_t kMost = (1U << kCountBits) - 1;
  static constexpr std::uint32_t pack(std::size_t bucket, std::uint32_t count) {
    return static_cast<std::uint32_t>(bucket << kCountBits) | count;
  }
  static constexpr std::size_t bucket(std::uint32_t packed) { return packed >> kCountBits; }
  static constexpr std::uint32_t count(std::uint32_t packed) { return packed & kMost; }
};
static_assert(kDurationBuckets <= 1U << (32 - PackedBucket::kCountBits));

struct Slot {
  std::vector<SlotCell> cells;         // ascending by cell
  std::vector<TimeSums> device;        // of the cells that have device buckets, in their order
  std::vector<std::uint32_t> buckets;  // of each cell the host's, then the device's; ascending
  [[nodiscard]] std::size_t memory_bytes() const;
};

Slot merge(const Slot& a, const Slot& b);
void append_bucket(std::vector<std::uint32_t>& buckets, std::size_t bucket, std::uint64_t count);

// Calls with (cell, its host buckets, its device buckets, its device times or null).
template <class F>
void for_each_cell(const Slot& slot, F&& f) {
  const std::uint32_t* at = slot.buckets.data();
  const TimeSums* device = slot.device.data();
  for (const SlotCell& cell : slot.cells) {
    const std::span<const std::uint32_t> host_part(at, cell.host_buckets);
    const std::span<const std::uint32_t> device_part(at + cell.host_buckets, cell.device_buckets);
    at += cell.host_buckets + cell.device_buckets;
    f(cell, host_part, device_part, cell.device_buckets > 0 ? device++ : nullptr);
  }
}

// All slots of a trace. Their length is a power of two and doubles when there would be too many, or too much in them.
struct SlotView {
  static constexpr unsigned kLeastShift = 16;  // 66 us

  unsigned shift = kLeastShift;
  std::int64_t base = 0;                           // number of the first
  std::vector<std::shared_ptr<const Slot>> slots;  // null: empty

  [[nodiscard]] std::int64_t slot_ns() const { return std::int64_t{1} << shift; }
  [[nodiscard]] std::int64_t number_of(std::int64_t ns) const { return ns >> shift; }
  [[nodiscard]] std::int64_t end() const { return base + static_cast<std::int64_t>(slots.size()); }
  [[nodiscard]] const Slot* at(std::int64_t number) const {
    return number < base || number >= end() ? nullptr
                                            : slots[static_cast<std::size_t>(number - base)].get();
  }
};

class SlotTable {
 public:
  SlotTable(std::size_t most_slots, std::size_t most_bytes)
      : most_slots_(most_slots), most_bytes_(most_bytes) {}

  // Makes room for begins in [first, last]: may double the slots' length.
  void cover(std::int64_t first_ns, std::int64_t last_ns);
  // `slots` must be of the present length, and covered.
  void add(std::int64_t number, Slot slot);
  void keep_within_memory();
  // Empties the slots with these numbers; the first ones are given up.
  void erase(std::int64_t first, std::int64_t last);

  [[nodiscard]] const SlotView& view() const { return view_; }
  [[nodiscard]] std::size_t memory_bytes() const { return bytes_; }

 private:
  void twice_as_long();

  std::size_t most_slots_, most_bytes_, bytes_ = 0;
  SlotView view_;
};

}  // namespace peerscope
