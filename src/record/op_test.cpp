// Operations of one thread: what is counted, what is written, what is refused.
#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>

#include "record/recorder.hpp"
#include "record/session_for_test.hpp"

namespace peerscope {
namespace {

constexpr std::uint64_t kThreadStart = 1;  // each ring begins with a record that says whose it is

TEST(Operation, IsNeitherCountedNorWrittenAtLevelOff) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_OFF);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_ERROR, 100);
  EXPECT_EQ(session.stats().operations, 0u);
  EXPECT_EQ(session.stats().recorded, 0u);
  EXPECT_EQ(session.stats().threads, 0u);
}

TEST(Operation, IsAlwaysCountedAndOnceInSixtyFourWrittenAtLevelBasic) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_BASIC);
  record(session, operation(PSCOPE_KIND_SEND, session.comm(1), 10), PSCOPE_STATUS_OK, 6400);
  EXPECT_EQ(session.stats().operations, 6400u);
  EXPECT_EQ(session.stats().bytes, 64'000u);
  EXPECT_EQ(session.stats().recorded, 100u + kThreadStart);
}

TEST(Operation, IsAlwaysWrittenAtLevelDetailed) {
  const RuntimeDir dir;
  const TestSession session(dir);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 1000);
  EXPECT_EQ(session.stats().recorded, 1000u + kThreadStart);
  EXPECT_EQ(session.stats().dropped, 0u);
}

TEST(Operation, CountsErrorsAtEveryLevel) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_BASIC);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_TIMEOUT, 130);
  pscope_set_level(session, PSCOPE_LEVEL_COMPREHENSIVE);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_ERROR, 10);
  EXPECT_EQ(session.stats().errors, 140u);
}

TEST(Operation, LevelAndFilterOfTheWrongKindAreIgnored) {
  const RuntimeDir dir;
  const TestSession session(dir);
  pscope_set_level(session, 7);
  pscope_set_level(session, -1);
  EXPECT_EQ(pscope_get_level(session), PSCOPE_LEVEL_DETAILED);
}

TEST(Filter, LetsOnlyTheChosenKindsBytesAndDevicesPassAndCountsAll) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t here = session.comm(1, 0, 2, 3);
  const std::uint16_t there = session.comm(2, 0, 2, 4);
  record(session, operation(PSCOPE_KIND_SEND));
  const std::uint64_t before = session.stats().recorded;
  const pscope_filter filter{1u << PSCOPE_KIND_SEND, 0, 100, 200, 1u << 3};
  EXPECT_EQ(pscope_set_filter(session, &filter), 0);
  record(session, operation(PSCOPE_KIND_SEND, here, 100));   // passes
  record(session, operation(PSCOPE_KIND_SEND, here, 200));   // passes
  record(session, operation(PSCOPE_KIND_SEND, 0, 150));      // passes: on no device
  record(session, operation(PSCOPE_KIND_SEND, there, 150));  // another device
  record(session, operation(PSCOPE_KIND_SEND, here, 99));
  record(session, operation(PSCOPE_KIND_SEND, here, 201));
  record(session, operation(PSCOPE_KIND_RECV, here, 150));
  EXPECT_EQ(session.stats().recorded - before, 3u);
  EXPECT_EQ(session.stats().operations, 8u);
  pscope_set_filter(session, nullptr);
  record(session, operation(PSCOPE_KIND_RECV, there, 1));
  EXPECT_EQ(session.stats().recorded - before, 4u);
}

TEST(Nesting, HoldsSixtyFourOpenOperationsAndDropsTheNextOne) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  std::vector<pscope_token> open;
  for (int i = 0; i < 64; ++i) open.push_back(pscope_op_begin(session, &op));
  EXPECT_EQ(session.stats().dropped, 0u);
  const pscope_token one_more = pscope_op_begin(session, &op);
  EXPECT_EQ(session.stats().dropped, 1u);
  pscope_op_end(session, one_more, PSCOPE_STATUS_OK);
  for (; !open.empty(); open.pop_back()) pscope_op_end(session, open.back(), PSCOPE_STATUS_OK);
  EXPECT_EQ(session.stats().recorded, 64u + kThreadStart);
  EXPECT_EQ(session.stats().operations, 65u);
  record(session, operation(PSCOPE_KIND_SEND));  // there is room again
  EXPECT_EQ(session.stats().recorded, 65u + kThreadStart);
}

TEST(Governor, HoldsPhasesAndCallSitesWithinTheirShareOfTheThreadsTime) {
  const RuntimeDir dir;
  pscope_options options = PSCOPE_OPTIONS_INIT;
  options.runtime_dir = dir.path().c_str();
  options.level = PSCOPE_LEVEL_COMPREHENSIVE;
  pscope_session* session = pscope_open(&options, nullptr);
  const std::uint16_t phase = pscope_name(session, "phase");
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  constexpr std::uint64_t kOperations = 100'000;
  const std::uint64_t before_ns = clock_ns(CLOCK_MONOTONIC);
  for (std::uint64_t i = 0; i < kOperations; ++i) {
    const pscope_token token = pscope_op_begin(session, &op);
    for (int k = 0; k < 3; ++k) pscope_op_phase(session, token, phase);
    pscope_op_end(session, token, PSCOPE_STATUS_OK);
  }
  const auto elapsed_ns = static_cast<double>(clock_ns(CLOCK_MONOTONIC) - before_ns);
  pscope_stats stats{};
  pscope_get_stats(session, &stats);
  const auto details = static_cast<double>(stats.recorded - kOperations - kThreadStart);
  const double cost_ns =
      static_cast<double>(as_recorder(session)->segment.header().pair_cost_ps.load()) / 2000.0;
  EXPECT_GT(details, 100.0);
  EXPECT_EQ(stats.operations, kOperations);
  // 1 % of the time, the burst of 2 us, and one operation's worth of debt.
  EXPECT_LT(details * cost_ns, 0.011 * elapsed_ns + 3'000);
  pscope_close(session);
}

TEST(Token, IsSpentByItsFirstEnd) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_COMPREHENSIVE);
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  const pscope_token token = pscope_op_begin(session, &op);
  pscope_op_end(session, token, PSCOPE_STATUS_OK);
  const std::uint64_t recorded = session.stats().recorded;
  pscope_op_end(session, token, PSCOPE_STATUS_ERROR);
  pscope_op_phase(session, token, 1);
  pscope_op_complete(session, token, PSCOPE_STATUS_ERROR);
  const pscope_token next = pscope_op_begin(session, &op);  // the same slot, another operation
  pscope_op_end(session, token, PSCOPE_STATUS_ERROR);
  pscope_op_phase(session, token, 1);
  EXPECT_EQ(session.stats().recorded, recorded);
  EXPECT_EQ(session.stats().errors, 0u);
  pscope_op_end(session, next, PSCOPE_STATUS_OK);
  EXPECT_GT(session.stats().recorded, recorded);
}

TEST(Token, OfAnAsynchronousOperationIsSpentByOneEndAndOneCompletion) {
  const RuntimeDir dir;
  const TestSession session(dir);
  pscope_op op = operation(PSCOPE_KIND_SEND);
  op.async = 1;
  const pscope_token token = pscope_op_begin(session, &op);
  pscope_op_end(session, token, PSCOPE_STATUS_OK);
  pscope_op_end(session, token, PSCOPE_STATUS_ERROR);
  EXPECT_EQ(session.stats().recorded, 1u + kThreadStart);
  pscope_op_complete(session, token, PSCOPE_STATUS_ERROR);
  pscope_op_complete(session, token, PSCOPE_STATUS_ERROR);
  pscope_op_end(session, token, PSCOPE_STATUS_ERROR);
  EXPECT_EQ(session.stats().recorded, 2u + kThreadStart);
  EXPECT_EQ(session.stats().errors, 1u);
}

TEST(Token, ThatWasNeverGivenIsIgnored) {
  const RuntimeDir dir;
  const TestSession session(dir);
  record(session, operation(PSCOPE_KIND_SEND));
  const std::uint64_t recorded = session.stats().recorded;
  std::uint64_t token = 0x9E3779B97F4A7C15;
  for (int i = 0; i < 100'000; ++i, token = token * 6364136223846793005u + 1) {
    pscope_op_phase(session, token, 1);
    pscope_op_end(session, token, PSCOPE_STATUS_OK);
    pscope_op_complete(session, token, PSCOPE_STATUS_OK);
  }
  EXPECT_EQ(session.stats().recorded, recorded);
}

TEST(Operation, BegunAtOneLevelMayEndAtAnother) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  const pscope_token timed = pscope_op_begin(session, &op);
  pscope_set_level(session, PSCOPE_LEVEL_OFF);
  const pscope_token none = pscope_op_begin(session, &op);
  pscope_op_end(session, timed, PSCOPE_STATUS_OK);
  pscope_set_level(session, PSCOPE_LEVEL_COMPREHENSIVE);
  pscope_op_phase(session, timed, 1);
  pscope_op_end(session, none, PSCOPE_STATUS_OK);
  EXPECT_EQ(none, 0u);
  EXPECT_EQ(session.stats().recorded, 1u + kThreadStart);
}

TEST(Level, ChangesUnderLoadWithoutLosingACount) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_BASIC);
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    const pscope_filter filter{1u << PSCOPE_KIND_RECV, 0, 0, 0, 0};
    for (int i = 0; !stop.load(); ++i) {
      pscope_set_level(session, PSCOPE_LEVEL_BASIC + i % 3);
      pscope_set_filter(session, i % 2 == 0 ? &filter : nullptr);
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  });
  constexpr int kOperations = 200'000;
  record(session, operation(PSCOPE_KIND_SEND, session.comm(1), 3), PSCOPE_STATUS_OK, kOperations);
  stop = true;
  changer.join();
  EXPECT_EQ(session.stats().operations, std::uint64_t{kOperations});
  EXPECT_EQ(session.stats().bytes, 3u * std::uint64_t{kOperations});
  EXPECT_EQ(session.stats().dropped, 0u);
}

TEST(Level, OffTakesEffectAtOnceInARunningThread) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::atomic<std::uint64_t> made{0};
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    while (!stop.load()) {
      record(session, operation(PSCOPE_KIND_SEND));
      made.fetch_add(1);
    }
  });
  while (made.load() < 1000) std::this_thread::yield();
  pscope_set_level(session, PSCOPE_LEVEL_OFF);
  for (const std::uint64_t from = made.load(); made.load() < from + 2;) std::this_thread::yield();
  const std::uint64_t counted = session.stats().operations;
  for (const std::uint64_t from = made.load(); made.load() < from + 1000;)
    std::this_thread::yield();
  EXPECT_EQ(session.stats().operations, counted);
  stop = true;
  worker.join();
}

// ---- signal handlers
// ---------------------------------------------------------------------------------------------------

std::atomic<pscope_session*> g_session{nullptr};
std::atomic<std::uint64_t> g_inner{0};

void record_in_handler(int) {
  pscope_session* session = g_session.load();
  pscope_op op = operation(PSCOPE_KIND_SIGNAL);
  op.sequence = 1;
  record(session, op);
  g_inner.fetch_add(1);
}

// Sends SIGUSR1 to the calling thread, as fast as it goes, until destroyed.
class SignalStorm {
 public:
  explicit SignalStorm(pscope_session* session) : target_(pthread_self()) {
    g_session = session;
    g_inner = 0;
    struct sigaction action{};
    action.sa_handler = record_in_handler;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, &before_);
    sender_ = std::thread([this] {
      while (!stop_.load()) {
        pthread_kill(target_, SIGUSR1);
        std::this_thread::yield();
      }
    });
  }
  ~SignalStorm() { end(); }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;
  void end() {
    if (!sender_.joinable()) return;
    stop_ = true;
    sender_.join();
    sigaction(SIGUSR1, &before_, nullptr);
  }

 private:
  pthread_t target_;
  struct sigaction before_{};
  std::atomic<bool> stop_{false};
  std::thread sender_;
};

TEST(SignalHandler, MayRecordWhileItsThreadRecordsAndWhatItCostsIsCounted) {
  const RuntimeDir dir;
  const TestSession session(dir);
  record(session, operation(PSCOPE_KIND_SEND));
  std::uint64_t made = 1;
  SignalStorm storm(session);
  for (; made < 400'000 || (g_inner.load() < 100 && made < 20'000'000); ++made) {
    record(session, operation(PSCOPE_KIND_SEND));
  }
  storm.end();
  const pscope_stats stats = session.stats();
  const std::uint64_t inner = g_inner.load();
  EXPECT_GE(inner, 100u);
  EXPECT_EQ(stats.operations, made + inner);
  EXPECT_EQ(stats.recorded - kThreadStart + stats.dropped, made + inner);
  EXPECT_LE(stats.dropped, inner);  // never one of the thread's own
  const RingHeader& ring = *as_recorder(session)->writers[0].ring;
  EXPECT_EQ(ring.kinds[PSCOPE_KIND_SEND].operations.load(), made);
  for (const InFlightSlot& slot : ring.in_flight) EXPECT_EQ(slot.w0.load(), 0u);
}

TEST(SignalHandler, MayInterruptTheFirstOperationOfItsThread) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::uint64_t made = 0;
  std::uint64_t inner = 0;
  for (int round = 0; round < 50; ++round) {
    std::thread worker([&] {
      SignalStorm storm(session);
      const std::uint64_t from = g_inner.load();
      for (int i = 0; i < 20; ++i, ++made) record(session, operation(PSCOPE_KIND_SEND));
      while (g_inner.load() == from) std::this_thread::yield();
      storm.end();
      inner += g_inner.load();
    });
    worker.join();
  }
  const pscope_stats stats = session.stats();
  std::uint64_t starts = 0;
  for (std::uint32_t i = 0; as_recorder(session)->writers[i].ring != nullptr; ++i) {
    starts += as_recorder(session)->writers[i].ring->owners.load();
  }
  EXPECT_EQ(stats.recorded - starts + stats.dropped, made + inner);
  EXPECT_EQ(starts, 50u);  // one ring a thread, also where the handler came first
}

}  // namespace
}  // namespace peerscope
