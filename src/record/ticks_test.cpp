#include "record/ticks.hpp"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "record/recorder.hpp"
#include "record/session_for_test.hpp"

namespace peerscope {
namespace {

TEST(Clock, CanBeForcedToTheKernels) {
  setenv("PEERSCOPE_CLOCK", "monotonic", 1);
  EXPECT_EQ(choose_clock_source(), ClockSource::monotonic);
  unsetenv("PEERSCOPE_CLOCK");
}

TEST(Clock, MonotonicTicksAreNanoseconds) {
  const ClockPair pair = read_clock_pair(ClockSource::monotonic);
  EXPECT_EQ(pair.ticks, pair.mono_ns);
  EXPECT_LE(pair.mono_ns, clock_ns(CLOCK_MONOTONIC));
}

TEST(Clock, NeverRunsBackwardsOnOneThread) {
  for (const ClockSource source : {ClockSource::tsc, ClockSource::monotonic}) {
    std::uint64_t last = ticks_now(source);
    for (int i = 0; i < 10'000; ++i) {
      const std::uint64_t now = ticks_now(source);
      ASSERT_GE(now, last);
      last = now;
    }
  }
}

TEST(Calibration, IsDueOnceASecondAndKeepsTheLatestReadings) {
  SegmentHeader header{};
  EXPECT_TRUE(calibration_is_due(header, 5));
  for (std::uint64_t i = 1; i <= kMaxCalibrations + 3; ++i) {
    add_calibration(header, {i, i * 1'000'000'000, 0, 0});
  }
  EXPECT_EQ(header.calibration_count.load(), kMaxCalibrations + 3);
  EXPECT_EQ(header.calibrations[2].ticks.load(), kMaxCalibrations + 3);
  const std::uint64_t last_ns = (kMaxCalibrations + 3) * 1'000'000'000ull;
  EXPECT_FALSE(calibration_is_due(header, last_ns + 999'999'999));
  EXPECT_TRUE(calibration_is_due(header, last_ns + 1'000'000'001));
}

std::uint32_t lock_taken_now() {
  return static_cast<std::uint32_t>(clock_ns(CLOCK_MONOTONIC) >> 30) + 1;
}

TEST(Calibration, IsLeftOutWhileAnotherIsBeingWritten) {
  SegmentHeader header{};
  header.calibration_lock.store(lock_taken_now());
  add_calibration(header, {1, 1, 1, 1});
  EXPECT_EQ(header.calibration_count.load(), 0u);
}

TEST(Calibration, GoesOnAfterOneWhoWasKilledInTheMiddleOfIt) {
  SegmentHeader header{};
  header.calibration_lock.store(lock_taken_now() - 4);
  add_calibration(header, {1, 1, 1, 1});
  EXPECT_EQ(header.calibration_count.load(), 1u);
  EXPECT_EQ(header.calibration_lock.load(), 0u);
}

TEST(ProcessStartTime, TellsAProcessFromNone) {
  EXPECT_NE(process_start_time(static_cast<std::uint32_t>(getpid())), 0u);
  EXPECT_EQ(process_start_time(0x7FFFFFFF), 0u);
  const pid_t child = start_child([] { return 0; });
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(process_start_time(static_cast<std::uint32_t>(child)), 0u);  // ended, not yet reaped
  EXPECT_EQ(wait_for(child), 0);
}

}  // namespace
}  // namespace peerscope
