#include <cmath>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "record/recorder.hpp"
#include "record/session_for_test.hpp"

namespace peerscope {
namespace {

TEST(Names, EqualTextGivesTheSameId) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t first = pscope_name(session, "gather");
  EXPECT_NE(first, 0);
  EXPECT_EQ(pscope_name(session, "gather"), first);
  EXPECT_NE(pscope_name(session, "gathe"), first);
  EXPECT_EQ(pscope_name(session, nullptr), 0);
}

TEST(Names, AreRefusedWhenTheTableIsFullAndOldOnesHold) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t first = pscope_name(session, "first");
  std::uint32_t given = 1;
  for (std::uint32_t i = 0; i < kMaxNames + 10; ++i) {
    given += pscope_name(session, std::to_string(i).c_str()) != 0 ? 1 : 0;
  }
  EXPECT_EQ(given, kMaxNames - 1);
  EXPECT_EQ(pscope_name(session, "first"), first);
  EXPECT_EQ(pscope_name(session, "one too many"), 0);
}

TEST(Names, AreRefusedWhenTheirBytesAreFull) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::uint32_t given = 0;
  for (int i = 0; i < 400; ++i) {
    given += pscope_name(session, (std::to_string(1000 + i) + std::string(300, 'x')).c_str()) != 0
                 ? 1
                 : 0;
  }
  EXPECT_EQ(given, kNameBytes / 255);  // a name is cut at 255 bytes
}

TEST(Communicators, EqualDescriptionGivesTheSameIdAndAnotherRankAnother) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t rank0 = session.comm(9, 0);
  EXPECT_EQ(session.comm(9, 0), rank0);
  EXPECT_NE(session.comm(9, 1), rank0);
  EXPECT_EQ(pscope_comm_register(session, nullptr), 0);
}

TEST(Communicators, AreRefusedWhenTheTableIsFull) {
  const RuntimeDir dir;
  const TestSession session(dir);
  for (std::uint32_t i = 1; i < kMaxComms; ++i) ASSERT_EQ(session.comm(i), i);
  EXPECT_EQ(session.comm(kMaxComms), 0);
  EXPECT_EQ(session.comm(5), 5);
}

TEST(Streams, EqualHandleAndDeviceGiveTheSameIdUntilTheTableIsFull) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t first = pscope_stream_register(session, 0xABC, 1, "compute");
  EXPECT_EQ(pscope_stream_register(session, 0xABC, 1, "compute"), first);
  EXPECT_NE(pscope_stream_register(session, 0xABC, 2, "compute"), first);
  for (std::uint32_t i = 3; i < kMaxStreams; ++i)
    ASSERT_NE(pscope_stream_register(session, i, 0, nullptr), 0);
  EXPECT_EQ(pscope_stream_register(session, 0xDEF, 1, "late"), 0);
}

TEST(Metrics, EqualNamesGiveTheSameIdWithinTheirType) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_metric counter = pscope_counter(session, "requests", "1");
  EXPECT_NE(counter, 0u);
  EXPECT_EQ(pscope_counter(session, "requests", "1"), counter);
  EXPECT_NE(pscope_gauge(session, "requests", "1"), counter);
  EXPECT_EQ(pscope_counter(session, nullptr, "1"), 0u);
}

TEST(Metrics, AreRefusedWhenTheTableIsFull) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::uint32_t histograms = 0;
  for (std::uint32_t i = 0; i < kMaxHistograms + 5; ++i) {
    histograms += pscope_histogram(session, ("h" + std::to_string(i)).c_str(), "ns") != 0 ? 1 : 0;
  }
  EXPECT_EQ(histograms, kMaxHistograms);
  std::uint32_t counters = 0;
  for (std::uint32_t i = 0; i < kMaxMetrics; ++i) {
    counters += pscope_counter(session, ("c" + std::to_string(i)).c_str(), "1") != 0 ? 1 : 0;
  }
  EXPECT_EQ(counters + histograms, kMaxMetrics - 1);
}

TEST(Metrics, OfAnotherTypeOrNoneAreLeftAlone) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_metric counter = pscope_counter(session, "requests", "1");
  pscope_gauge_set(session, counter, 3.5);
  pscope_histogram_observe(session, counter, 3);
  pscope_counter_add(session, 0, 1);
  pscope_counter_add(session, 77, 1);
  pscope_counter_add(session, UINT32_MAX, 1);
  EXPECT_EQ(as_recorder(session)->segment.tables().metrics[counter].value.load(), 0u);
}

TEST(Metrics, CountExactlyFromFourThreads) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const pscope_metric counter = pscope_counter(session, "requests", "1");
      for (int n = 0; n < 50'000; ++n) pscope_counter_add(session, counter, 2);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const pscope_metric counter = pscope_counter(session, "requests", "1");
  EXPECT_EQ(as_recorder(session)->segment.tables().metrics[counter].value.load(), 400'000u);
}

TEST(Registration, FromManyThreadsGivesEachTextOneId) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::vector<std::vector<std::uint16_t>> ids(4);
  std::vector<std::thread> threads;
  for (std::vector<std::uint16_t>& own : ids) {
    threads.emplace_back([&session, &own] {
      for (int n = 0; n < 200; ++n) own.push_back(pscope_name(session, std::to_string(n).c_str()));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<std::uint16_t>& own : ids) EXPECT_EQ(own, ids[0]);
  EXPECT_EQ(as_recorder(session)->segment.header().name_count.load(), 200u);
}

TEST(DeviceClock, KeepsItsFirstAndItsLatestReading) {
  const RuntimeDir dir;
  const TestSession session(dir);
  pscope_device_clock(session, 3, 1000, 500, 510);
  pscope_device_clock(session, 3, 2000, 1500, 1520);
  pscope_device_clock(session, 3, 9999, 2000, 1999);  // before lies after: no reading
  pscope_device_clock(session, kMaxDeviceClocks, 1, 1, 1);
  const DeviceClockEntry& clock = as_recorder(session)->segment.tables().device_clocks[3];
  EXPECT_EQ(clock.samples.load(), 2u);
  EXPECT_EQ(clock.first_device_ns.load(), 1000u);
  EXPECT_EQ(clock.first_host_ns.load(), 505u);
  EXPECT_EQ(clock.last_device_ns.load(), 2000u);
  EXPECT_EQ(clock.last_host_ns.load(), 1510u);
  EXPECT_EQ(clock.uncertainty_ns.load(), 20u);
}

}  // namespace
}  // namespace peerscope
