// Processes that fork, end, are killed, or only seem to be there.
#include <algorithm>
#include <fstream>
#include <set>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "collect/collector_for_test.hpp"
#include "record/recorder.hpp"

namespace peerscope {
namespace {

TEST(Process, ForkedChildAndParentLoseNothing) {
  constexpr int kOperations = 20'000;
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t comm = session.comm(5, 1);
  Reader reader(dir);
  const pid_t child = start_child([&] {
    record(session, operation(PSCOPE_KIND_SEND, comm), PSCOPE_STATUS_OK, kOperations);
    return 0;
  });
  for (int i = 0; i < kOperations / 500; ++i) {
    record(session, operation(PSCOPE_KIND_RECV, comm), PSCOPE_STATUS_OK, 500);
    reader.collector.poll();
  }
  EXPECT_EQ(wait_for(child), 0);
  reader.poll_all();
  ASSERT_EQ(reader.collector.process_count(), 2u);
  const std::vector<ProcessStatus> all = reader.collector.processes();
  for (const ProcessStatus& status : all) {
    EXPECT_EQ(status.lost + status.before + status.dropped, 0u);
    EXPECT_EQ(reader.keeper.ops_of(status.index), std::uint64_t{kOperations});
    EXPECT_EQ(status.operations, std::uint64_t{kOperations});
    EXPECT_EQ(status.state, status.pid == static_cast<std::uint32_t>(child) ? ProcessState::dead
                                                                            : ProcessState::live);
  }
  for (const Op& op : reader.keeper.ops) {
    ASSERT_EQ(op.comm, 5u);
    ASSERT_EQ(op.rank, 1);
    ASSERT_EQ(op.kind,
              all[op.process].pid == static_cast<std::uint32_t>(child) ? Kind::send : Kind::recv);
  }
}

// A child that records `count` operations, begins one more, and is killed in it.
pid_t killed_in_an_operation(const RuntimeDir& dir, int count) {
  int ready[2];
  if (pipe(ready) != 0) return -1;
  const pid_t child = start_child([&] {
    const TestSession session(dir);
    const std::uint16_t comm = session.comm(0xAB, 3, 8);
    record(session, operation(PSCOPE_KIND_ALL_REDUCE, comm), PSCOPE_STATUS_OK, count);
    const pscope_op op = operation(PSCOPE_KIND_ALL_REDUCE, comm, 7777);
    pscope_op_begin(session, &op);
    if (::write(ready[1], "x", 1) != 1) return 1;
    for (;;) pause();
  });
  char byte = 0;
  if (::read(ready[0], &byte, 1) != 1) return -1;
  kill(child, SIGKILL);
  wait_for(child);
  close(ready[0]);
  close(ready[1]);
  return child;
}

TEST(Process, KilledInAnOperationLeavesAllRecordsAndTheOpenOne) {
  const RuntimeDir dir;
  const auto before = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  const pid_t child = killed_in_an_operation(dir, 1000);
  ASSERT_GT(child, 0);
  const auto after = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  Reader reader(dir);
  reader.poll_all();
  EXPECT_EQ(reader.keeper.ops.size(), 1000u);
  EXPECT_EQ(reader.status().state, ProcessState::dead);
  EXPECT_FALSE(reader.collector.any_live());
  const std::vector<InFlight> open = reader.collector.in_flight(after + 3'600'000'000'000);
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].op.rank, 3);
  EXPECT_EQ(open[0].op.sequence, 1000u);
  EXPECT_EQ(open[0].op.bytes, 7777u);
  EXPECT_EQ(open[0].pid, static_cast<std::uint32_t>(child));
  EXPECT_GE(open[0].op.begin_ns, before - 1'000'000);
  EXPECT_LE(open[0].op.begin_ns, after + 1'000'000);
  EXPECT_LT(open[0].age_ns, 3'600'000'000'000);  // it ages no more
}

TEST(Process, KilledAtAnyMomentLeavesOnlyWholeRecords) {
  const RuntimeDir dir;
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(start_child([&] {
      const TestSession session(dir, PSCOPE_LEVEL_DETAILED, 4 << 20);
      for (std::uint64_t n = 0;; ++n) {
        pscope_op op = operation(PSCOPE_KIND_SEND, 0, n + 1);
        op.sequence = n;
        record(session, op);
      }
      return 0;
    }));
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + i));
    kill(children.back(), SIGKILL);
  }
  for (const pid_t child : children) EXPECT_EQ(wait_for(child), 128 + SIGKILL);
  Reader reader(dir);
  reader.poll_all();
  for (const Op& op : reader.keeper.ops) ASSERT_EQ(op.bytes, op.sequence + 1);
  for (const ProcessStatus& status : reader.collector.processes()) {
    EXPECT_EQ(status.delivered + status.lost + status.before, status.recorded);
    EXPECT_EQ(status.state, ProcessState::dead);
  }
}

TEST(Process, ThatHasClosedIsEndedAndCanBeLeftOut) {
  const RuntimeDir dir;
  TestSession session(dir);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 10);
  session.close();
  Reader reader(dir);
  reader.poll_all();
  EXPECT_EQ(reader.status().state, ProcessState::ended);
  EXPECT_EQ(reader.keeper.ops.size(), 10u);
  EXPECT_EQ(reader.collector.set_level(Level::basic), 0);
  Reader live(CollectorOptions{.dirs = {dir.path()}, .sessions = {}, .only_live = true});
  EXPECT_EQ(live.collector.process_count(), 0u);
}

// A copy of a live session's segment, changed.
void copy_changed(const RuntimeDir& dir, pscope_session* session, void (*change)(SegmentHeader&)) {
  const std::string path = dir.path() + "/copy.seg";
  std::filesystem::copy_file(pscope_segment_path(session), path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  alignas(SegmentHeader) char bytes[sizeof(SegmentHeader)];
  file.read(bytes, sizeof bytes);
  change(*reinterpret_cast<SegmentHeader*>(bytes));
  file.seekp(0);
  file.write(bytes, sizeof bytes);
}

TEST(Process, IsDeadThoughAnotherHasItsPid) {
  const RuntimeDir source;
  const TestSession session(source, PSCOPE_LEVEL_DETAILED, 1 << 20);
  const RuntimeDir dir;
  copy_changed(dir, session, [](SegmentHeader& header) { header.start_time += 1; });
  Reader reader(dir);
  ASSERT_EQ(reader.collector.process_count(), 1u);
  EXPECT_EQ(reader.status().state, ProcessState::dead);
}

TEST(Process, OfAnEarlierBootIsDeadAndDoesNotTouchTheClock) {
  const RuntimeDir source;
  const TestSession session(source, PSCOPE_LEVEL_DETAILED, 1 << 20);
  const RuntimeDir dir;
  copy_changed(dir, session, [](SegmentHeader& header) {
    header.boot_id ^= 1;
    for (Calibration& calibration : header.calibrations) {
      calibration.mono_ns.store(calibration.mono_ns.load() + 3'000'000'000);
    }
  });
  Reader reader(dir);
  EXPECT_EQ(reader.status().state, ProcessState::dead);
  const ClockPair now = read_clock_pair(ClockSource::tsc);
  EXPECT_NEAR(static_cast<double>(reader.collector.clock().to_ns(now.ticks)),
              static_cast<double>(now.mono_ns), 1e6);
}

TEST(Process, CalibrationsFromACorruptSegmentDoNotBendTheClock) {
  const RuntimeDir source;
  const TestSession session(source, PSCOPE_LEVEL_DETAILED, 1 << 20);
  const RuntimeDir dir;
  copy_changed(dir, session, [](SegmentHeader& header) {
    header.calibration_count.store(kMaxCalibrations);
    std::uint64_t noise = 0x9E3779B97F4A7C15;
    for (Calibration& calibration : header.calibrations) {
      calibration.mono_ns.store(noise);
      calibration.real_ns.store(noise * 3);
      calibration.ticks.store(noise = noise * 6364136223846793005u + 1);
    }
  });
  Reader reader(dir);
  const ClockPair now = read_clock_pair(ClockSource::tsc);
  EXPECT_NEAR(static_cast<double>(reader.collector.clock().to_ns(now.ticks)),
              static_cast<double>(now.mono_ns), 1e6);
}

TEST(Process, ChangesLevelOfOneThatRecordsWithoutLosingACount) {
  const RuntimeDir dir;
  const pid_t child = start_child([&] {
    const TestSession session(dir);
    const std::uint64_t until = clock_ns(CLOCK_MONOTONIC) + 200'000'000;
    std::uint64_t made = 0;
    const pscope_op op = operation(PSCOPE_KIND_SEND, session.comm(1));
    for (; clock_ns(CLOCK_MONOTONIC) < until; made += 10) record(session, op, PSCOPE_STATUS_OK, 10);
    return session.stats().operations == made && session.stats().dropped == 0 ? 0 : 1;
  });
  Reader reader(dir);
  siginfo_t info{};
  std::uint64_t reached = 0;
  for (int i = 0; info.si_pid == 0; ++i) {
    reader.collector.poll();
    reached += static_cast<std::uint64_t>(
        reader.collector.set_level(i % 2 == 0 ? Level::basic : Level::comprehensive));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT | WNOHANG);
  }
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_GT(reached, 0u);
  std::set<std::uint32_t> weights;
  for (const Op& op : reader.keeper.ops) weights.insert(op.weight);
  EXPECT_EQ(weights, (std::set<std::uint32_t>{1, 64}));
}

}  // namespace
}  // namespace peerscope
