// Readers and writers at once: nothing is lost unseen, and a reader costs the writer nothing.
#include "collect/ring_tail.hpp"

#include <algorithm>
#include <thread>

#include <gtest/gtest.h>

#include "collect/collector_for_test.hpp"
#include "record/recorder.hpp"

namespace peerscope {
namespace {

void expect_all_accounted_for(const ProcessStatus& status) {
  EXPECT_EQ(status.delivered + status.lost + status.before, status.recorded);
}

// Sequences rise by one but for gaps, and the gaps are what was counted as lost.
void expect_in_order(const Keeper& keeper, const ProcessStatus& status) {
  std::uint64_t missing = keeper.ops.empty() ? 0 : keeper.ops.front().sequence;
  for (std::size_t i = 1; i < keeper.ops.size(); ++i) {
    ASSERT_GT(keeper.ops[i].sequence, keeper.ops[i - 1].sequence);
    missing += keeper.ops[i].sequence - keeper.ops[i - 1].sequence - 1;
  }
  const std::uint64_t thread_start_missed = status.delivered == keeper.ops.size() ? 1 : 0;
  EXPECT_EQ(missing + thread_start_missed, status.lost + status.before);
}

// One pass of begin and end, in ns: the best of many.
double cost_of_pair(pscope_session* session) {
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  std::uint64_t best = UINT64_MAX;
  for (int round = 0; round < 100; ++round) {
    const std::uint64_t before = clock_ns(CLOCK_MONOTONIC);
    record(session, op, PSCOPE_STATUS_OK, 500);
    best = std::min(best, clock_ns(CLOCK_MONOTONIC) - before);
  }
  return static_cast<double>(best) / 500;
}

TEST(RingTail, TwoReadersBothGetEverything) {
  const RuntimeDir dir;
  const TestSession session(dir);
  Reader first(dir);
  Reader second(dir);
  for (int round = 0; round < 50; ++round) {
    record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 1000);
    first.poll_all();
    if (round % 2 == 1) second.poll_all();
  }
  for (Reader* reader : {&first, &second}) {
    EXPECT_EQ(reader->keeper.ops.size(), 50'000u);
    EXPECT_EQ(reader->status().lost, 0u);
    expect_in_order(reader->keeper, reader->status());
  }
}

TEST(RingTail, ReaderThatStopsCountsExactlyWhatItMissed) {
  const RuntimeDir dir;
  const TestSession session(dir);
  Reader reader(dir);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 100);
  reader.poll_all();
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 200'000);
  reader.poll_all();
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 100);
  reader.poll_all();
  const ProcessStatus status = reader.status();
  EXPECT_EQ(status.recorded, 200'201u);
  EXPECT_GT(status.lost, 100'000u);
  EXPECT_EQ(status.before, 0u);
  expect_all_accounted_for(status);
  expect_in_order(reader.keeper, status);
}

TEST(RingTail, ReaderThatComesLateDoesNotCallLostWhatWasGoneBefore) {
  const RuntimeDir dir;
  const TestSession session(dir);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 200'000);
  Reader reader(dir);
  reader.poll_all();
  const ProcessStatus status = reader.status();
  EXPECT_EQ(status.lost, 0u);
  EXPECT_GT(status.before, 100'000u);
  EXPECT_GE(status.delivered, 32'000u);
  expect_all_accounted_for(status);
  expect_in_order(reader.keeper, status);
}

TEST(RingTail, ReaderRacingAFastWriterDeliversNoTornRecord) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t n = 0; !stop.load(); ++n) {
      pscope_op op = operation(PSCOPE_KIND_SEND, 0, n * 3);
      op.sequence = n;
      op.stream = n & 0xFFF;
      op.peer = n & 0xFFFF;
      record(session, op);
    }
  });
  Reader reader(dir);
  const std::uint64_t until = clock_ns(CLOCK_MONOTONIC) + 500'000'000;
  std::uint64_t checked = 0;
  while (clock_ns(CLOCK_MONOTONIC) < until) {
    reader.collector.poll();
    for (const Op& op : reader.keeper.ops) {
      const bool whole = op.bytes == op.sequence * 3 && op.stream == (op.sequence & 0xFFF) &&
                         op.peer == (op.sequence & 0xFFFF) && op.kind == Kind::send;
      ASSERT_TRUE(whole) << op.sequence << ' ' << op.bytes;
    }
    checked += reader.keeper.ops.size();
    reader.keeper.ops.clear();
  }
  stop = true;
  writer.join();
  reader.poll_all();
  expect_all_accounted_for(reader.status());
  EXPECT_GT(checked, 0u);
}

TEST(RingTail, WriterPaysNothingForReaders) {
  const RuntimeDir dir;
  const TestSession session(dir);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 100'000);
  const double alone = cost_of_pair(session);
  Reader stopped(dir);
  stopped.collector.poll();
  Reader another(dir);
  double watched = cost_of_pair(session);
  for (int again = 0; again < 5 && watched > 2 * alone; ++again) watched = cost_of_pair(session);
  EXPECT_LE(watched, 2 * alone);
}

// A million operations in a second from one thread, and a reader that polls when it says that it
// will.
std::uint64_t lost_at_a_million_a_second(std::uint64_t operations) {
  const RuntimeDir dir;
  const TestSession session(dir);
  Reader reader(dir);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    const std::uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    const pscope_op op = operation(PSCOPE_KIND_SEND);
    for (std::uint64_t made = 0; made < operations;) {
      const std::uint64_t due = (clock_ns(CLOCK_MONOTONIC) - begin) / 1000;
      for (const std::uint64_t end = std::min({due, made + 100, operations}); made < end; ++made) {
        record(session, op);
      }
      if (made >= due) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    done = true;
  });
  while (!done.load()) {
    reader.collector.poll();
    std::this_thread::sleep_for(std::chrono::nanoseconds(reader.collector.next_poll_ns()));
  }
  writer.join();
  reader.poll_all();
  expect_all_accounted_for(reader.status());
  EXPECT_EQ(reader.keeper.ops.size() + reader.status().lost, operations);
  return reader.status().lost;
}

TEST(RingGrowth, LosesNothingAtAMillionOperationsASecond) {
  if (kThreadSanitizer || kAddressSanitizer) {
    GTEST_SKIP() << "with a sanitizer, a reader decodes fewer than a million records a second";
  }
  // The reader may be kept off the processor for longer than the ring lasts: then it counts, and we
  // try again.
  std::uint64_t lost = 1;
  for (int again = 0; again < 8 && lost != 0; ++again) lost = lost_at_a_million_a_second(500'000);
  EXPECT_EQ(lost, 0u);
}

// Rings of this session grow at the end of each lap, however slow the machine is.
void make_every_lap_fast(pscope_session* session) {
  as_recorder(session)->slow_lap_ticks = UINT64_MAX;
}

TEST(RingGrowth, ReaderOffersTheBlockThatTheWriterWants) {
  const RuntimeDir dir;
  const TestSession session(dir);
  make_every_lap_fast(session);
  Reader reader(dir);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 1);
  RingHeader& ring = *as_recorder(session)->writers[0].ring;
  for (int i = 0; i < 40; ++i) {  // to the spare block, and through it
    record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 1000);
    reader.collector.poll();
  }
  ASSERT_EQ(ring.block_count.load(), 2u);
  const unsigned wanted = kSpareLog2 + kGrowthLog2;
  ASSERT_EQ(ring.wanted_log2.load() & ~kGrowthClaimed, wanted);
  for (int i = 0; i < 100 && ring.offer.load() == 0; ++i) reader.collector.poll();
  ASSERT_EQ(ring.offer.load() & 0xFF, wanted);
  for (int i = 0; i < 70; ++i) {
    record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 1000);
    reader.collector.poll();
  }
  EXPECT_EQ(ring.block_count.load(), 3u);
  EXPECT_EQ(ring.blocks[2].log2_capacity.load(), wanted);
  EXPECT_EQ(ring.offer.load(), 0u);
  reader.poll_all();
  EXPECT_EQ(reader.status().lost, 0u);
  EXPECT_EQ(reader.keeper.ops.size(), 110'001u);
  expect_in_order(reader.keeper, reader.status());
}

TEST(RingGrowth, OnlyOneOfTwoReadersMakesTheBlock) {
  const RuntimeDir dir;
  const TestSession session(dir);
  make_every_lap_fast(session);
  Reader first(dir);
  Reader second(dir);
  for (int i = 0; i < 40; ++i) {
    record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 1000);
    first.collector.poll();
    second.collector.poll();
  }
  SegmentHeader& header = as_recorder(session)->segment.header();
  for (int i = 0; i < 50; ++i) {
    first.collector.poll();
    second.collector.poll();
  }
  const std::uint64_t used = header.used.load();
  EXPECT_EQ(as_recorder(session)->writers[0].ring->offer.load() >> 8,
            used / kPageBytes - block_bytes(kSpareLog2 + kGrowthLog2) / kPageBytes);
}

TEST(RingGrowth, WriterIgnoresOffersThatLeadNowhere) {
  const RuntimeDir dir;
  const TestSession session(dir);
  make_every_lap_fast(session);
  record(session, operation(PSCOPE_KIND_SEND));
  Recorder& recorder = *as_recorder(session);
  for (Word& spare : recorder.spare_blocks) spare.store(0);  // so that nothing else is taken
  RingHeader& ring = *recorder.writers[0].ring;
  const std::uint64_t pages = recorder.segment.bytes / kPageBytes;
  const std::uint64_t hole = recorder.segment.header().used.load() / kPageBytes;
  const std::uint64_t first = kRingsOffset / kPageBytes;
  for (const std::uint64_t offer :
       {UINT64_MAX, pages << 8 | 15, (pages - 1) << 8 | 15, std::uint64_t{0} << 8 | 15,
        hole << 8 | 15, first << 8 | 3, first << 8 | 20, first << 8 | 63, first << 8 | 255,
        ((std::uint64_t{1} << 52) + first) << 8 | 10}) {
    ring.offer.store(offer);
    record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 4096);
    ASSERT_EQ(ring.block_count.load(), 1u) << std::hex << offer;
  }
  Reader reader(dir);
  reader.poll_all();
  expect_all_accounted_for(reader.status());
  expect_in_order(reader.keeper, reader.status());
}

TEST(RingGrowth, KeepsAtMostAsManyBlocksAsTheDirectoryHolds) {
  const RuntimeDir dir;
  const TestSession session(dir);
  make_every_lap_fast(session);
  record(session, operation(PSCOPE_KIND_SEND));
  Recorder& recorder = *as_recorder(session);
  for (Word& spare : recorder.spare_blocks) spare.store(0);
  RingHeader& ring = *recorder.writers[0].ring;
  for (int i = 0; i < 12; ++i) {
    const std::uint64_t offset = allocate(recorder.segment, block_bytes(kSmallRingLog2));
    ASSERT_NE(offset, 0u);
    ring.offer.store(offset / kPageBytes << 8 | kSmallRingLog2);
    record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 4096);
  }
  EXPECT_EQ(ring.block_count.load(), kMaxBlocks);
  Reader reader(dir);
  reader.poll_all();
  expect_all_accounted_for(reader.status());
  expect_in_order(reader.keeper, reader.status());
}

TEST(RingTail, ShortThreadsLoseNothingToAReaderThatFollows) {
  const RuntimeDir dir;
  const TestSession session(dir);
  Reader reader(dir);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 50; ++i) {
      threads.emplace_back(
          [&] { record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 20); });
    }
    for (std::thread& thread : threads) thread.join();
    if (round % 3 == 0) reader.poll_all();  // at most 3,150 records in any one ring meanwhile
  }
  reader.poll_all();
  const ProcessStatus status = reader.status();
  EXPECT_EQ(reader.keeper.ops.size(), 20'000u);
  EXPECT_EQ(status.lost, 0u);
  EXPECT_EQ(status.recorded, 21'000u);
  EXPECT_LE(status.segment_bytes, 10u << 20);
}

TEST(RingTail, ShortThreadsInOneRingAreAllAccountedForWithoutAReader) {
  const RuntimeDir dir;
  const TestSession session(dir);
  for (int i = 0; i < 1000; ++i) {
    std::thread([&] { record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 60); }).join();
  }
  Reader reader(dir);
  reader.poll_all();
  const ProcessStatus status = reader.status();
  EXPECT_EQ(status.operations, 60'000u);
  EXPECT_EQ(status.recorded + status.dropped, 61'000u);
  EXPECT_EQ(status.threads, 0u);
  expect_all_accounted_for(status);
}

}  // namespace
}  // namespace peerscope
