#include "store/slots.hpp"

#include <map>
#include <random>

#include <gtest/gtest.h>

#include "store/density.hpp"

namespace peerscope {
namespace {

Slot slot_of(std::uint32_t cell, std::size_t bucket, std::uint64_t count) {
  Slot slot;
  SlotCell one;
  one.cell = cell;
  one.count = count;
  append_bucket(slot.buckets, bucket, count);
  one.host_buckets = static_cast<std::uint16_t>(slot.buckets.size());
  slot.cells.push_back(one);
  return slot;
}

std::map<std::pair<std::uint32_t, std::size_t>, std::uint64_t> counts_of(const SlotView& view) {
  std::map<std::pair<std::uint32_t, std::size_t>, std::uint64_t> counts;
  for (const auto& slot : view.slots) {
    if (!slot) continue;
    for_each_cell(*slot, [&](const SlotCell& cell, auto host, auto, const TimeSums*) {
      for (const std::uint32_t each : host)
        counts[{cell.cell, PackedBucket::bucket(each)}] += PackedBucket::count(each);
    });
  }
  return counts;
}

TEST(Slots, DoublingKeepsEveryCount) {
  std::mt19937_64 random(5);
  SlotTable table(64, 1U << 30);
  std::map<std::pair<std::uint32_t, std::size_t>, std::uint64_t> expected;
  for (int i = 0; i < 3000; ++i) {
    // Forwards and backwards, negative, too.
    const auto ns = static_cast<std::int64_t>(random() % (1ULL << (20 + i / 200))) - (1 << 20);
    const auto cell = static_cast<std::uint32_t>(random() % 5);
    const std::size_t bucket = random() % kDurationBuckets;
    table.cover(ns, ns);
    table.add(table.view().number_of(ns), slot_of(cell, bucket, 3));
    expected[{cell, bucket}] += 3;
    ASSERT_LE(table.view().slots.size(), 64u);
  }
  EXPECT_EQ(counts_of(table.view()), expected);
}

TEST(Slots, ManyInOneBucketAreCountedAll) {
  const std::uint64_t many = 3ULL * PackedBucket::kMost + 5;
  SlotTable table(8, 1U << 30);
  table.cover(0, 0);
  table.add(0, slot_of(1, 200, many));
  table.add(0, slot_of(1, 200, many));
  EXPECT_EQ(counts_of(table.view()).at({1, 200}), 2 * many);
}

TEST(Slots, AreMadeLongerWhereMemoryIsShort) {
  constexpr std::size_t kBytes = 20'000;
  SlotTable table(4096, kBytes);
  table.cover(0, 4095LL << SlotView::kLeastShift);
  for (std::int64_t n = 0; n < 4096; ++n) {
    const std::int64_t ns = n << SlotView::kLeastShift;
    table.add(table.view().number_of(ns), slot_of(static_cast<std::uint32_t>(n % 3), 17, 1));
    table.keep_within_memory();
    ASSERT_LE(table.memory_bytes(), kBytes);
  }
  std::uint64_t count = 0;
  std::size_t bytes = 0;
  for (const auto& [key, each] : counts_of(table.view())) count += each;
  for (const auto& slot : table.view().slots) bytes += slot ? slot->memory_bytes() : 0;
  EXPECT_EQ(count, 4096u);
  EXPECT_EQ(bytes, table.memory_bytes());
}

TEST(Slots, TimesAtTheEndsOfTheClockHaveRoom) {
  SlotTable table(4096, 1U << 30);
  table.cover(INT64_MIN, INT64_MAX);
  EXPECT_LE(table.view().slots.size(), 4096u);
  table.add(table.view().number_of(INT64_MAX), slot_of(0, 1, 1));
  table.add(table.view().number_of(INT64_MIN), slot_of(0, 1, 1));
  EXPECT_EQ(counts_of(table.view()).at({0, 1}), 2u);
}

std::uint64_t count_of(const DensityView& view) {
  std::uint64_t count = 0;
  for (std::size_t lane = 0; lane < view.lanes.size(); ++lane) {
    view.for_each_bin(lane, view.base, view.base + view.bins - 1,
                      [&](std::int64_t, const DensityBin& bin) { count += bin.count; });
  }
  return count;
}

TEST(Density, KeepsEveryCountWithinItsMemory) {
  constexpr std::size_t kBytes = 64 * sizeof(DensityBlock);
  Density density(kBytes);
  std::mt19937_64 random(6);
  DensityBin one;
  one.count = 1;
  for (int i = 0; i < 20'000; ++i) {
    TimelineLane lane;
    lane.rank = static_cast<std::uint16_t>(random() % 20);
    const auto ns = static_cast<std::int64_t>(random() % (1ULL << (16 + i / 1000))) - 40'000;
    density.cover(ns, ns);
    density.add(density.lane(lane), density.view().number_of(ns), one);
    density.keep_within_memory();
    ASSERT_LE(density.memory_bytes(), kBytes);
  }
  EXPECT_EQ(count_of(density.view()), 20'000u);
}

TEST(Density, WhatIsPublishedDoesNotChange) {
  Density density(1U << 24);
  DensityBin one;
  one.count = 1;
  const std::uint32_t lane = density.lane({});
  density.cover(0, 1 << 20);
  density.add(lane, 3, one);
  const DensityView before = density.view();
  density.published();
  density.add(lane, 3, one);
  density.erase(0, 2);
  EXPECT_EQ(count_of(before), 1u);
  EXPECT_EQ(count_of(density.view()), 2u);
  density.erase(0, 600);
  EXPECT_EQ(count_of(density.view()), 0u);
  EXPECT_EQ(count_of(before), 1u);
}

}  // namespace
}  // namespace peerscope
