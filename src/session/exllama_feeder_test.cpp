// Sampled collectives in a session: what views and detectors get of them.
#include "session/exllama_feeder.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "record/ticks.hpp"
#include "session/monitor.hpp"
#include "source/exllama/fake_for_test.hpp"
#include "source/exllama/ops.hpp"

namespace peerscope {
namespace {

using exllama::FakeContext;
using exllama::nap_us;
using exllama::newest;
using exllama::TestDir;
using testing::HasSubstr;

constexpr int kCount = 200;
constexpr std::uint32_t kDevices = 0b1101;  // ranks 0, 1, 2

// GPU 2 comes 3 ms late; after `count` it does not come at all.
[[noreturn]] void job(FakeContext& context, int go, int count) {
  char byte = 0;
  if (read(go, &byte, 1) < 0) _exit(1);
  for (int i = 0;; ++i) {
    context.push(8192, kDevices);
    context.pop();
    context.arrive(0);
    context.arrive(3);
    if (i == count) {
      for (;;) pause();
    }
    nap_us(3000);
    context.arrive(2);
    context.release();
    context.end_pass();
  }
}

std::shared_ptr<const Snapshot> watch(const std::vector<std::string>& sessions, double seconds) {
  const TestDir dir;
  FakeContext context(dir.path(), newest());
  context.end_pass();
  int go[2];
  EXPECT_EQ(pipe(go), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(go[1]);
    job(context, go[0], kCount);
  }
  close(go[0]);
  MonitorOptions options;
  options.collect.dirs = {dir.path()};
  options.feeders = {exllama_feeder({.dir = dir.path(), .sessions = sessions, .rate_hz = 4000})};
  Monitor monitor(options);
  const auto now_ns = [] { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); };
  const std::int64_t deadline_ns = now_ns() + 3'000'000'000;
  while (sessions.empty() && !options.feeders[0]->live() && now_ns() < deadline_ns) nap_us(1000);
  close(go[1]);
  const std::int64_t end_ns = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
  while (now_ns() < end_ns) {
    monitor.poll();
    nap_us(5000);
  }
  monitor.poll();
  const auto snapshot = monitor.snapshot();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return snapshot;
}

TEST(ExllamaFeeder, OperationsRanksAndTheHangAreThoseOfAnySource) {
  const auto snapshot = watch({}, 0.0031 * kCount + 2.5);
  ASSERT_TRUE(snapshot->aggregates);
  ASSERT_EQ(snapshot->aggregates->operations.size(), 1u);
  const OperationRow& row = snapshot->aggregates->operations[0];
  EXPECT_EQ(row.kind, Kind::all_reduce);
  EXPECT_EQ(row.windows.in(Window::all).count, std::uint64_t{kCount} * 3);
  EXPECT_EQ(row.windows.in(Window::all).bytes, std::uint64_t{kCount} * 3 * 8192);
  EXPECT_FALSE(row.windows.in(Window::all).host.known());  // nobody measured how long each took
  // Arrivals are told apart by samples that are a tenth of them, so they are joined.
  std::uint64_t last_of_rank_1 = 0, joined = 0;
  for (const RankRow& rank : snapshot->aggregates->ranks) {
    if (rank.comm == 0) continue;  // the first few, before that is known
    joined = rank.windows.in(Window::all).collectives;
    if (rank.rank == 1)
      last_of_rank_1 = static_cast<std::uint64_t>(
          std::lround(rank.windows.in(Window::all).last_share() * static_cast<double>(joined)));
  }
  EXPECT_GT(joined, kCount / 2u);
  EXPECT_GT(last_of_rank_1 * 10, joined * 9);  // a stalled sampler may miss some
  // GPUs 0 and 3 are ranks 0 and 2.
  ASSERT_EQ(snapshot->in_flight.size(), 2u);
  EXPECT_EQ(snapshot->in_flight[0].op.device, 0);
  EXPECT_EQ(snapshot->in_flight[1].op.device, 3);
  EXPECT_EQ(snapshot->in_flight[1].op.rank, 2);
  EXPECT_GT(snapshot->in_flight[0].age_ns, 1'000'000'000);
  ASSERT_FALSE(snapshot->findings.empty());
  EXPECT_EQ(snapshot->findings[0].kind, "hang");
  EXPECT_EQ(snapshot->findings[0].subject.rank, 1);
  EXPECT_THAT(snapshot->findings[0].sentence,
              HasSubstr("Ranks 0 and 2 have been in all_reduce 8 KB"));
  EXPECT_THAT(snapshot->findings[0].sentence, HasSubstr("rank 1 has not arrived"));
  EXPECT_THAT(snapshot->findings[0].subject.communicator, HasSubstr("exllama 01234567"));
}

TEST(ExllamaFeeder, LeavesOutWhatBelongsToAnotherSession) {
  const auto snapshot = watch({"another"}, 1.2);
  EXPECT_EQ(snapshot->aggregates->totals.operations, 0u);
  EXPECT_TRUE(snapshot->in_flight.empty());
}

TEST(ExllamaOps, TwoArrivalsInOneSampleAreNotJoined) {
  exllama::Observed observed;
  observed.kind = Kind::all_reduce;
  observed.bytes = 8192;
  observed.devices = observed.all_devices = kDevices;
  observed.release = {1000, 2000, 7};
  for (const std::size_t device : {0, 2, 3}) observed.arrival[device] = {1000, 2000, 7};
  std::vector<Op> ops;
  exllama::append_ops(observed, 5, 1, false, ops);
  ASSERT_EQ(ops.size(), 3u);
  EXPECT_EQ(ops[0].comm, 0u);
  EXPECT_EQ(ops[1].rank, 1);
  EXPECT_EQ(ops[1].device, 2);
  EXPECT_EQ(ops[1].host_duration_ns, kUnknownNs);
  EXPECT_EQ(ops[1].backend, Backend::exllama);
  observed.bytes = exllama::kUnknownBytes;  // no place for that in an operation
  exllama::append_ops(observed, 5, 1, false, ops);
  EXPECT_EQ(ops.size(), 3u);
}

}  // namespace
}  // namespace peerscope
