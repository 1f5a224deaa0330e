#include "collect/clock_map.hpp"

#include <gtest/gtest.h>

namespace peerscope {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// A counter of 2.5 GHz that read 1,000 at monotonic time 7 s; the system's clock is 100 s ahead.
ClockPair reading(std::uint64_t at_ns, std::uint64_t error_ns = 0) {
  return {1000 + (at_ns - 7 * kSecond) / 2 * 5, at_ns + error_ns, at_ns + 100 * kSecond, 50};
}

TEST(ClockMap, FitsALineThroughItsReadings) {
  ClockMap clock;
  clock.add(reading(10 * kSecond));
  EXPECT_FALSE(clock.ready());
  clock.add(reading(20 * kSecond));
  EXPECT_TRUE(clock.ready());
  EXPECT_DOUBLE_EQ(clock.ns_per_tick(), 0.4);
  EXPECT_NEAR(static_cast<double>(clock.to_ns(reading(15 * kSecond).ticks)), 15e9, 2);
  EXPECT_NEAR(static_cast<double>(clock.to_ns(reading(25 * kSecond).ticks)), 25e9, 2);
  EXPECT_EQ(clock.duration_ns(2500), 1000);
  EXPECT_EQ(clock.real_offset_ns(), static_cast<std::int64_t>(100 * kSecond));
  EXPECT_EQ(clock.uncertainty_ns(), 50u);
}

TEST(ClockMap, TakesReadingsInAnyOrderAndOnce) {
  ClockMap clock;
  for (const std::uint64_t second : {20, 10, 15, 20, 12}) clock.add(reading(second * kSecond));
  EXPECT_NEAR(static_cast<double>(clock.to_ns(reading(11 * kSecond).ticks)), 11e9, 2);
}

TEST(ClockMap, ForgetsReadingsOlderThanAMinute) {
  ClockMap clock;
  clock.add(reading(10 * kSecond, 5'000'000));  // 5 ms off
  for (std::uint64_t second = 20; second <= 100; second += 20) clock.add(reading(second * kSecond));
  EXPECT_NEAR(static_cast<double>(clock.to_ns(reading(150 * kSecond).ticks)), 150e9, 2);
}

TEST(ClockMap, LeavesOutReadingsThatWereInterrupted) {
  ClockMap clock;
  clock.add(reading(10 * kSecond));
  clock.add(reading(20 * kSecond));
  ClockPair late = reading(30 * kSecond, 900'000);
  late.uncertainty_ns = 1'000'000;
  clock.add(late);
  EXPECT_DOUBLE_EQ(clock.ns_per_tick(), 0.4);
}

TEST(ClockMap, TakesFromOthersOnlyWhatAgrees) {
  ClockMap clock;
  clock.add(reading(10 * kSecond));
  clock.add(reading(20 * kSecond));
  clock.offer(reading(21 * kSecond, 40 * kSecond));
  clock.offer({~std::uint64_t{0}, ~std::uint64_t{0}, ~std::uint64_t{0}, 0});
  clock.offer({0, 30 * kSecond, 0, 0});
  EXPECT_DOUBLE_EQ(clock.ns_per_tick(), 0.4);
  EXPECT_NEAR(static_cast<double>(clock.to_ns(reading(25 * kSecond).ticks)), 25e9, 2);
  clock.offer(reading(40 * kSecond, 1000));
  EXPECT_NEAR(static_cast<double>(clock.to_ns(reading(40 * kSecond).ticks)), 40e9 + 1000, 2);
}

}  // namespace
}  // namespace peerscope
