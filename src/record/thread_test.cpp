// Many threads: rings are reused, memory is bounded, operations cross threads, and children get
// segments of their own.
#include <atomic>
#include <barrier>
#include <functional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "record/recorder.hpp"
#include "record/session_for_test.hpp"

namespace peerscope {
namespace {

SegmentHeader& header_of(pscope_session* session) { return as_recorder(session)->segment.header(); }

void run_threads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

TEST(Thread, LeavesItsRingToTheNext) {
  const RuntimeDir dir;
  const TestSession session(dir);
  for (int round = 0; round < 20; ++round) {
    std::barrier together(50);
    run_threads(50, [&](int) {
      record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 10);
      together.arrive_and_wait();
    });
  }
  EXPECT_EQ(session.stats().operations, 10'000u);
  EXPECT_EQ(session.stats().recorded, 11'000u);  // and who began
  EXPECT_EQ(session.stats().dropped, 0u);
  EXPECT_EQ(session.stats().threads, 0u);
  EXPECT_LE(header_of(session).ring_count.load(), 50u);
}

TEST(Thread, AThousandAtOnceFitIntoTheDefaultSegment) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::barrier together(1000);
  run_threads(1000, [&](int) {
    record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 3);
    together.arrive_and_wait();
  });
  EXPECT_EQ(session.stats().operations, 3000u);
  EXPECT_EQ(session.stats().dropped, 0u);
  EXPECT_EQ(header_of(session).ring_count.load(), 1000u);
  struct stat status{};
  ASSERT_EQ(stat(pscope_segment_path(session), &status), 0);
  EXPECT_LE(status.st_blocks * 512, 64 << 20);
  EXPECT_LE(header_of(session).used.load(), 64u << 20);
}

TEST(Thread, WithoutARingIsCountedAndGoesOn) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_DETAILED, 1 << 20);
  std::barrier together(40);
  run_threads(40, [&](int) {
    record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 10);
    together.arrive_and_wait();
  });
  const pscope_stats stats = session.stats();
  EXPECT_EQ(stats.recorded - header_of(session).ring_count.load() + stats.dropped, 400u);
  EXPECT_GT(stats.dropped, 0u);
}

TEST(Thread, MayEndWhatAnotherBegan) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  for (int round = 0; round < 200; ++round) {  // more than there are slots
    const pscope_token token = pscope_op_begin(session, &op);
    std::thread([&] { pscope_op_end(session, token, PSCOPE_STATUS_ERROR); }).join();
    pscope_op_end(session, token, PSCOPE_STATUS_ERROR);  // spent
  }
  EXPECT_EQ(session.stats().operations, 200u);
  EXPECT_EQ(session.stats().errors, 200u);
  EXPECT_EQ(session.stats().recorded, 200u + 1 + 200);  // operations, our start, theirs
  EXPECT_EQ(session.stats().dropped, 0u);
}

TEST(Thread, MayEndAnOperationOfAThreadThatIsGone) {
  const RuntimeDir dir;
  const TestSession session(dir);
  pscope_token token = 0;
  std::thread([&] {
    const pscope_op op = operation(PSCOPE_KIND_SEND);
    token = pscope_op_begin(session, &op);
  }).join();
  record(session, operation(PSCOPE_KIND_RECV), PSCOPE_STATUS_OK, 100);  // now owns that ring
  pscope_op_end(session, token, PSCOPE_STATUS_OK);
  EXPECT_EQ(session.stats().recorded, 2u + 100 + 1);
}

TEST(Async, CompletionsByAnotherThreadMakeRoomForEver) {
  const RuntimeDir dir;
  const TestSession session(dir);
  pscope_op op = operation(PSCOPE_KIND_SEND);
  op.async = 1;
  for (int round = 0; round < 20; ++round) {
    std::vector<pscope_token> tokens;
    for (int i = 0; i < 32; ++i) {
      tokens.push_back(pscope_op_begin(session, &op));
      pscope_op_end(session, tokens.back(), PSCOPE_STATUS_OK);
    }
    std::thread([&] {
      for (const pscope_token token : tokens) pscope_op_complete(session, token, PSCOPE_STATUS_OK);
    }).join();
  }
  // Each operation: its end, and its completion. And 21 threads that began.
  EXPECT_EQ(session.stats().recorded, 20u * 64 + 21);
}

TEST(Async, MoreThanThereIsRoomForAreStillRecorded) {
  const RuntimeDir dir;
  const TestSession session(dir);
  pscope_op op = operation(PSCOPE_KIND_SEND);
  op.async = 1;
  std::vector<pscope_token> tokens;
  for (int i = 0; i < 500; ++i) {
    tokens.push_back(pscope_op_begin(session, &op));
    pscope_op_end(session, tokens.back(), PSCOPE_STATUS_OK);
  }
  EXPECT_EQ(session.stats().recorded, 500u + 1);
  EXPECT_EQ(session.stats().dropped, 0u);
  for (const pscope_token token : tokens) pscope_op_complete(session, token, PSCOPE_STATUS_OK);
  const std::uint64_t completed = session.stats().recorded - 501;
  EXPECT_GE(completed, 40u);
  EXPECT_LE(completed, 64u);
}

TEST(Thread, MayEndWhileTheSessionCloses) {
  const RuntimeDir dir;
  for (int round = 0; round < 20; ++round) {
    TestSession session(dir, PSCOPE_LEVEL_DETAILED, 1 << 20);
    std::atomic<int> ready{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        record(session, operation(PSCOPE_KIND_SEND));
        ready.fetch_add(1);
        while (!go.load()) std::this_thread::yield();
      });
    }
    while (ready.load() < 4) std::this_thread::yield();
    go = true;
    session.close();
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(Fork, ChildThatNeverRecordsLeavesNoSegment) {
  const RuntimeDir dir;
  const TestSession session(dir);
  record(session, operation(PSCOPE_KIND_SEND));
  EXPECT_EQ(run_in_child([&] {
              pscope_set_level(session, PSCOPE_LEVEL_BASIC);
              const int level = pscope_get_level(session);
              pscope_close(session);
              return level == PSCOPE_LEVEL_BASIC ? 0 : 1;
            }),
            0);
  EXPECT_EQ(dir.segments(), 1u);
  EXPECT_EQ(pscope_get_level(session), PSCOPE_LEVEL_DETAILED);  // the child's wish was its own
  EXPECT_EQ(header_of(session).state.load(), static_cast<std::uint32_t>(SegmentState::live));
}

TEST(Fork, IdsOfTheParentHoldInTheChildAndInItsChild) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t comm = session.comm(77, 1);
  const std::uint16_t name = pscope_name(session, "reduce");
  const pscope_metric counter = pscope_counter(session, "tokens", "1");
  pscope_counter_add(session, counter, 5);
  const auto check = [&] {
    pscope_counter_add(session, counter, 1);
    const bool same = session.comm(77, 1) == comm && pscope_name(session, "reduce") == name &&
                      pscope_counter(session, "tokens", "1") == counter;
    const bool fresh = as_recorder(session)->segment.tables().metrics[counter].value.load() == 1;
    record(session, operation(PSCOPE_KIND_SEND, comm));
    const bool alone = session.stats().operations == 1;
    return (same ? 0 : 1) + (fresh ? 0 : 2) + (alone ? 0 : 4);
  };
  EXPECT_EQ(run_in_child([&] {
              const int own = check();
              return own != 0 ? own : 8 * run_in_child(check);
            }),
            0);
  EXPECT_EQ(dir.segments(), 3u);
  EXPECT_EQ(session.stats().operations, 0u);
}

TEST(Fork, WhileOtherThreadsRecordHarmsNeitherSide) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> made{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      std::uint64_t own = 0;
      for (; !stop.load(); ++own) {
        record(session, operation(PSCOPE_KIND_SEND));
        pscope_name(session, own % 2 == 0 ? "a" : "b");  // the lock is held at some of the forks
      }
      made.fetch_add(own);
    });
  }
  for (int round = 0; round < 10; ++round) {
    EXPECT_EQ(run_in_child([&] {
                record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 100);
                return session.stats().recorded == 101 ? 0 : 1;
              }),
              0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(session.stats().operations, made.load());
  EXPECT_EQ(session.stats().recorded, made.load() + 3);
  EXPECT_EQ(dir.segments(), 11u);
}

TEST(Fork, OperationOpenAtTheForkIsTheParentsAlone) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  const pscope_token token = pscope_op_begin(session, &op);
  EXPECT_EQ(run_in_child([&] {
              pscope_op_end(session, token, PSCOPE_STATUS_OK);
              return session.stats().recorded == 1 ? 0 : 1;  // the thread's start only
            }),
            0);
  pscope_op_end(session, token, PSCOPE_STATUS_OK);
  EXPECT_EQ(session.stats().recorded, 2u);
}

TEST(Fork, ThreadsOfTheChildShareItsOneNewSegment) {
  if (kThreadSanitizer)
    GTEST_SKIP() << "TSan allows no new threads after a fork of a threaded process";
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_metric counter = pscope_counter(session, "tokens", "1");
  EXPECT_EQ(
      run_in_child([&] {
        run_threads(8, [&](int) {
          pscope_counter_add(session, counter, 1);
          record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 100);
        });
        const bool all = session.stats().operations == 800;
        return all && as_recorder(session)->segment.tables().metrics[counter].value.load() == 8 ? 0
                                                                                                : 1;
      }),
      0);
  EXPECT_EQ(dir.segments(), 2u);
}

}  // namespace
}  // namespace peerscope
