#include "analyze/sliding_window.hpp"

#include <map>
#include <random>

#include <gtest/gtest.h>

#include "analyze/sample.hpp"

namespace peerscope {
namespace {

struct Sum {
  std::int64_t value = 0;
  void clear() { value = 0; }
  void merge(const Sum& other) { value += other.value; }
};
using Sums = SlidingWindow<Sum>;

std::int64_t total(const Sums& sums, Window window) {
  std::int64_t value = 0;
  for (std::size_t ring = 0; ring <= static_cast<std::size_t>(window); ++ring) {
    sums.for_ring(ring, [&value](const Sum& sum) { value += sum.value; });
  }
  return value;
}

// Against the plain list of what was added when.
TEST(SlidingWindow, NeverLosesAndHoldsWhatItsWindowHolds) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    Sums sums;
    std::map<std::int64_t, std::int64_t> added;  // slot: value
    std::int64_t now = random() % 1'000, all = 0;
    for (int step = 0; step < 2'000; ++step) {
      now += random() % 100 < 95 ? random() % 2 : random() % 300;
      sums.advance(now);
      const std::int64_t slot = now - (random() % 10 == 0 ? random() % 800 : random() % 3);
      sums.at(slot, [](Sum& sum) { ++sum.value; });
      ++added[slot];
      ++all;
    }
    EXPECT_EQ(total(sums, Window::all), all);
    for (const Window window : {Window::second, Window::ten_seconds, Window::minute}) {
      std::int64_t want = 0;
      for (const auto& [slot, value] : added) {
        if (slot * kSlotNs >= Sums::begin_ns(window, now)) want += value;
      }
      EXPECT_EQ(total(sums, window), want) << name(window);
    }
  }
}

TEST(SlidingWindow, CoversAtLeastItsNameAndAtMostASlotMore) {
  for (std::int64_t slot = 1'000; slot < 1'300; ++slot) {
    const std::int64_t now_ns = slot * kSlotNs;
    const auto covers = [&](Window window) { return now_ns - Sums::begin_ns(window, slot); };
    EXPECT_GE(covers(Window::second), 1'000'000'000);
    EXPECT_LE(covers(Window::second) + kSlotNs, 1'125'000'000);
    EXPECT_GE(covers(Window::ten_seconds), 10'000'000'000);
    EXPECT_LE(covers(Window::ten_seconds) + kSlotNs, 12'500'000'000);
    EXPECT_GE(covers(Window::minute), 60'000'000'000);
    EXPECT_LE(covers(Window::minute) + kSlotNs, 75'000'000'000);
  }
}

TEST(SlidingWindow, ShowsSlotsInOrderAsTheyLeaveTheFirstRing) {
  Sums sums;
  std::vector<std::int64_t> left;
  for (std::int64_t slot = 100; slot < 200; slot += 3) {
    sums.advance(slot, [&left](std::int64_t number, const Sum& sum) {
      if (sum.value > 0) left.push_back(number);
    });
    sums.at(slot, [](Sum& sum) { ++sum.value; });
  }
  EXPECT_EQ(left.size(), 31u);
  EXPECT_TRUE(std::is_sorted(left.begin(), left.end()));
}

TEST(Sample, KeepsTheMedianOfALongStreamWithAPeriod) {
  Sample<32> sample;
  WeightedValues values;
  for (int i = 0; i < 100'000; ++i) sample.add(i % 2 == 0 ? -1'000 : 1'000);
  values.add(sample);
  EXPECT_EQ(sample.seen(), 100'000u);
  // A sample that met one phase only would give one value for all quantiles.
  EXPECT_EQ(values.quantile(0.1), -1'000.0);
  EXPECT_EQ(values.quantile(0.9), 1'000.0);
}

TEST(Sample, MergedWeighsBothByWhatTheyStandFor) {
  Sample<64> many, few, merged;
  std::mt19937 random(3);
  for (int i = 0; i < 8'000; ++i) many.add(static_cast<std::int64_t>(random() % 1'000));
  for (int i = 0; i < 1'000; ++i) few.add(5'000);
  merged.merge(few);
  merged.merge(many);
  WeightedValues values;
  values.add(merged);
  EXPECT_EQ(merged.seen(), 9'000u);
  EXPECT_LT(values.quantile(0.7), 1'000.0);
  EXPECT_NEAR(values.quantile(0.45), 500, 200);
  EXPECT_EQ(values.quantile(0.99), 5'000.0);
}

TEST(Sample, KeepsSignsAndSurvivesExtremes) {
  Sample<8> sample;
  sample.add(INT64_MIN);
  sample.add(INT64_MAX);
  sample.add(-5);
  WeightedValues values;
  EXPECT_EQ(values.quantile(0.5), 0.0);
  values.add(sample);
  EXPECT_EQ(values.quantile(0.5), -5.0);
}

}  // namespace
}  // namespace peerscope
