// What samples say of collectives: counts, sizes, who was last, and within which bounds.
#include "source/exllama/tracker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "source/exllama/fake_for_test.hpp"
#include "source/exllama/sampler.hpp"

namespace peerscope::exllama {
namespace {

// A context, and looks at it at times that the test makes up: each takes 1 µs.
class Watched {
 public:
  explicit Watched(const Layout& layout) : context(dir_.path(), layout) {
    // Something, so that the layout is decided.
    for (int i = 0; i < 8; ++i) context.all_reduce(4096, 0b111);
    context.end_pass();
    Result<ContextFile> file = ContextFile::open(look_at(context.path()));
    if (file) file_ = std::make_unique<ContextFile>(std::move(*file));
    look(0);
  }
  void look(std::int64_t at_ns) {
    Sample sample;
    ASSERT_EQ(file_->read(sample), Read::ok) << file_->error().message;
    if (!tracker) {
      tracker = std::make_unique<Tracker>(*file_->layout(),
                                          [this](const Observed& o) { seen.push_back(o); });
    }
    sample.time = {at_ns, at_ns + 1000};
    tracker->add(sample);
  }
  [[nodiscard]] std::vector<Observed> of(Kind kind) const {
    std::vector<Observed> some;
    for (const Observed& o : seen) {
      if (o.kind == kind) some.push_back(o);
    }
    return some;
  }

 private:
  TestDir dir_;

 public:
  FakeContext context;
  std::unique_ptr<Tracker> tracker;
  std::vector<Observed> seen;

 private:
  std::unique_ptr<ContextFile> file_;
};

class EachLayout : public testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static const Layout& layout() { return layout_of(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Tracker, EachLayout,
                         testing::Values("v0.0.6", "v0.0.30", "v0.0.41", "v1.4.1", "fork"));

TEST_P(EachLayout, CountsAllReducesAndTheirSizesThoughNoneIsSeenOpen) {
  Watched watched(layout());
  for (int i = 0; i < 500; ++i) watched.context.all_reduce(8192, 0b111);
  for (int i = 0; i < 20; ++i) watched.context.all_reduce(16384, 0b111);
  watched.context.end_pass();
  watched.look(1'000'000);
  ASSERT_EQ(watched.seen.size(), 520u);
  EXPECT_EQ(watched.tracker->totals().released, 520u);
  EXPECT_EQ(watched.tracker->totals().passes, 1u);
  EXPECT_EQ(watched.tracker->totals().lost, 0u);
  EXPECT_EQ(watched.seen[0].bytes, 8192u);
  EXPECT_EQ(watched.seen[519].bytes, 16384u);
  EXPECT_EQ(watched.seen[519].sequence, 519u);
  EXPECT_EQ(watched.seen[0].devices, 0b111u);
  // Nobody knows who came when, but that it was between the samples.
  EXPECT_EQ(watched.seen[0].last, -1);
  EXPECT_EQ(watched.seen[0].late_least_ns, 0);
}

TEST_P(EachLayout, NamesWhoComesLastAndBoundsHowLate) {
  Watched watched(layout());
  watched.context.push(8192, 0b111);
  watched.context.pop();
  watched.look(10'000);
  watched.context.arrive(0);
  watched.look(20'000);
  watched.context.arrive(2, false);  // nothing to add: arrives all the same
  watched.look(30'000);
  watched.look(40'000);
  ASSERT_EQ(watched.tracker->waiting().size(), 1u);
  EXPECT_EQ(watched.tracker->waiting()[0].there, 0b101u);
  EXPECT_EQ(watched.tracker->waiting()[0].missing, 0b010u);
  EXPECT_EQ(watched.tracker->waiting()[0].bytes, 8192u);
  EXPECT_EQ(watched.tracker->waiting()[0].since_ns, 21'000);
  watched.context.arrive(1);
  watched.look(50'000);
  EXPECT_TRUE(watched.seen.empty());
  watched.context.release();
  watched.look(60'000);
  ASSERT_EQ(watched.seen.size(), 1u);
  const Observed& o = watched.seen[0];
  EXPECT_TRUE(o.timed());
  EXPECT_EQ(o.last, 1);
  EXPECT_EQ(o.arrival[0].after_ns, 10'000);
  EXPECT_EQ(o.arrival[0].by_ns, 21'000);
  EXPECT_EQ(o.arrival[1].after_ns, 40'000);
  EXPECT_EQ(o.arrival[1].by_ns, 51'000);
  EXPECT_EQ(o.late_least_ns, 40'000 - 21'000);
  EXPECT_EQ(o.late_most_ns, 51'000 - 10'000);
  EXPECT_EQ(o.release.after_ns, 50'000);
  EXPECT_EQ(o.release.by_ns, 61'000);
  // In states: 10 µs steps in which device 1 alone was missing, and one in which the CPU was at it.
  const ContextTotals& totals = watched.tracker->totals();
  EXPECT_EQ(totals.last[1].ns, 20'000);
  EXPECT_EQ(totals.last[1].seen, 1u);
  EXPECT_EQ(totals.waited_for[1].ns, 30'000);
  EXPECT_EQ(totals.waited_for[2].ns, 10'000);
  EXPECT_EQ(totals.summing.ns, 10'000);
  EXPECT_TRUE(watched.tracker->waiting().empty());
}

TEST(Tracker, SkewWithinOneSampleIsUnknownAndBoundedByItsLength) {
  Watched watched(newest());
  watched.context.push(8192, 0b111);
  watched.context.pop();
  watched.look(10'000);
  watched.context.arrive(0);
  watched.context.arrive(1);
  watched.context.arrive(2);
  watched.look(20'000);
  watched.context.release();
  watched.look(30'000);
  ASSERT_EQ(watched.seen.size(), 1u);
  EXPECT_TRUE(watched.seen[0].timed());
  EXPECT_EQ(watched.seen[0].last, -1);
  EXPECT_EQ(watched.seen[0].late_least_ns, 0);
  EXPECT_EQ(watched.seen[0].late_most_ns, 11'000);
}

TEST_P(EachLayout, FollowsAllReducesOfManyChunks) {
  Watched watched(layout());
  const std::uint64_t bytes = layout().chunk_bytes * 3 + 16;  // 4 chunks
  watched.context.push(bytes, 0b11);
  watched.context.push(8192, 0b11);
  watched.context.pop();
  const std::uint32_t begun = watched.context.get(layout().stage_cpu);
  for (std::uint32_t chunk = 0; chunk < 4; ++chunk) {
    const auto at_ns = static_cast<std::int64_t>(chunk + 1) * 100'000;
    const auto send = [&](int device) {
      for (int block = 0; layout().stage_device_mb != 0 && block < 4; ++block)
        watched.context.arrive_block(device, block, begun + chunk + 1);
      // Striped ones set the device's own flag at the end only.
      if (layout().stage_device_mb == 0) watched.context.arrive(device);
      for (std::uint32_t i = 0; layout().stage_device_mb != 0 && chunk == 3 && i < 4; ++i)
        watched.context.arrive(device);
    };
    send(1);
    watched.look(at_ns);
    send(0);
    watched.look(at_ns + 50'000);
    watched.context.release();
  }
  EXPECT_TRUE(watched.seen.empty());
  watched.look(500'000);
  ASSERT_EQ(watched.seen.size(), 1u);
  EXPECT_EQ(watched.seen[0].bytes, bytes);
  EXPECT_EQ(watched.seen[0].last, 0);
  EXPECT_EQ(watched.seen[0].arrival[1].by_ns, 101'000);  // its first chunk
  EXPECT_EQ(watched.seen[0].arrival[0].by_ns, 151'000);
  watched.context.pop();
  watched.context.arrive(0);
  watched.look(510'000);
  watched.context.arrive(1);
  watched.look(520'000);
  watched.context.release();
  watched.look(530'000);
  ASSERT_EQ(watched.seen.size(), 2u);
  EXPECT_EQ(watched.seen[1].last, 1);
}

TEST(Tracker, AttachedWithinAPassItFindsItsPlaceByItself) {
  const TestDir dir;
  FakeContext context(dir.path(), newest());
  const std::uint64_t large = newest().chunk_bytes * 4;
  context.push(large, 0b11);
  context.pop();
  for (int i = 0; i < 2; ++i) {  // two of four chunks
    for (int device = 0; device < 2; ++device) context.arrive(device);
    context.release();
  }
  Result<ContextFile> file = ContextFile::open(look_at(context.path()));
  ASSERT_TRUE(file) << file.error().message;
  std::vector<Observed> seen;
  std::unique_ptr<Tracker> tracker;
  std::int64_t now_ns = 0;
  const auto look = [&] {
    Sample sample;
    ASSERT_EQ(file->read(sample), Read::ok) << file->error().message;
    if (!tracker)
      tracker =
          std::make_unique<Tracker>(*file->layout(), [&](const Observed& o) { seen.push_back(o); });
    sample.time = {now_ns += 10'000, now_ns + 1000};
    tracker->add(sample);
  };
  look();
  EXPECT_FALSE(tracker->synced());
  for (int i = 0; i < 2; ++i) {
    for (int device = 0; device < 2; ++device) context.arrive(device);
    context.release();
    look();
  }
  // Begun before: not counted. Those after it are.
  context.all_reduce(4096, 0b11);
  context.end_pass();
  look();
  EXPECT_TRUE(tracker->synced());
  context.push(8192, 0b11);
  context.pop();
  context.arrive(1);
  look();
  context.arrive(0);
  look();
  context.release();
  look();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].bytes, 4096u);
  EXPECT_EQ(seen[1].bytes, 8192u);
  EXPECT_EQ(seen[1].last, 0);
}

TEST(Tracker, GoesAroundTheRingAndAroundTheStageCounter) {
  Watched watched(newest());
  // The stage counters have 31 bits.
  const std::uint32_t near_the_end = kStageMask - 2;
  watched.context.set(newest().stage_cpu, near_the_end);
  for (std::size_t i = 0; i < 3; ++i)
    watched.context.set(newest().stage_device + i * 64, near_the_end);
  watched.look(1000);  // a jump: what was known of stages is forgotten
  watched.context.end_pass();
  watched.look(5000);
  const std::size_t before = watched.seen.size();
  for (int i = 0; i < 5000; ++i) {
    watched.context.all_reduce(4096, 0b111);
    if (i % 1000 == 999) watched.look(10'000 + i * 1000);
  }
  EXPECT_EQ(watched.seen.size() - before, 5000u);
  EXPECT_EQ(watched.tracker->totals().lost, 0u);
  EXPECT_LT(watched.context.get(newest().stage_cpu), 6000u);
}

TEST(Tracker, BarriersAndBroadcastsByEpoch) {
  Watched watched(newest());
  FakeContext& context = watched.context;
  context.enter_barrier(0);
  watched.look(10'000);
  context.enter_barrier(2);
  watched.look(20'000);
  context.enter_barrier(1);
  context.leave_barrier();
  watched.look(30'000);
  ASSERT_EQ(watched.of(Kind::barrier).size(), 1u);
  EXPECT_EQ(watched.of(Kind::barrier)[0].devices, 0u);  // the first was open when we came
  const auto barrier = [&](std::int64_t at_ns) {
    context.enter_barrier(2);
    watched.look(at_ns);
    context.enter_barrier(0);
    watched.look(at_ns + 10'000);
    context.enter_barrier(1);
    context.leave_barrier();
    watched.look(at_ns + 20'000);
  };
  barrier(100'000);
  ASSERT_EQ(watched.of(Kind::barrier).size(), 2u);
  const Observed second = watched.of(Kind::barrier)[1];
  EXPECT_EQ(second.devices, 0b111u);
  EXPECT_EQ(second.last, 1);
  EXPECT_EQ(second.arrival[2].by_ns, 101'000);
  // One with stages of a broadcast before it: 3 of 16 KB were seen.
  context.broadcast_stage(0, 3);
  context.broadcast_stage(1, 1);
  watched.look(200'000);
  barrier(210'000);
  ASSERT_EQ(watched.of(Kind::broadcast).size(), 1u);
  EXPECT_EQ(watched.of(Kind::broadcast)[0].bytes, kUnknownBytes);
  EXPECT_EQ(watched.of(Kind::broadcast)[0].least_bytes, 2u * 16384 + 1);
  for (int i = 0; i < 2; ++i) context.broadcast_stage(i, 0);
  watched.look(290'000);  // cleared by the sender afterwards
  context.enter_barrier(0);
  context.leave_barrier();
  watched.look(295'000);
  // A gather, and several barriers between two samples.
  context.gather_produced(1, 2);
  watched.look(300'000);
  context.gather_produced(1, 0);
  context.leave_barrier();
  watched.look(310'000);
  EXPECT_EQ(watched.of(Kind::gather).size(), 1u);
  const std::size_t before = watched.of(Kind::barrier).size();
  for (int i = 0; i < 7; ++i) context.leave_barrier();
  watched.look(320'000);
  EXPECT_EQ(watched.of(Kind::barrier).size(), before + 7);
  // Small broadcasts have a counter of their own.
  for (int i = 0; i < 3; ++i) context.acknowledge_ll(i);
  context.leave_ll();
  watched.look(330'000);
  ASSERT_EQ(watched.of(Kind::broadcast).size(), 2u);
  EXPECT_EQ(watched.of(Kind::broadcast)[1].most_bytes, 2048u);
}

TEST(Tracker, AHangNamesWhoIsMissingSinceWhenAndTheTimeOut) {
  Watched watched(newest());
  watched.context.push(8192, 0b111);
  watched.context.pop();
  watched.context.arrive(0);
  watched.context.arrive(1);
  for (int i = 1; i <= 50; ++i) watched.look(i * 1'000'000'000LL);
  ASSERT_EQ(watched.tracker->waiting().size(), 1u);
  EXPECT_EQ(watched.tracker->waiting()[0].kind, Kind::all_reduce);
  EXPECT_EQ(watched.tracker->waiting()[0].missing, 0b100u);
  EXPECT_EQ(watched.tracker->waiting()[0].since_ns, 1'000'001'000);
  EXPECT_FALSE(watched.tracker->totals().timeout);
  watched.context.time_out();
  watched.look(60'000'000'000LL);
  EXPECT_TRUE(watched.tracker->totals().timeout);
  EXPECT_EQ(watched.tracker->totals().timeout_ns, 60'000'001'000);
}

TEST(Tracker, CountersThatGoBackAreNoReasonToCountWhatNeverWas) {
  Watched watched(newest());
  for (int i = 0; i < 10; ++i) watched.context.all_reduce(4096, 0b111);
  watched.context.end_pass();
  watched.look(10'000);
  EXPECT_EQ(watched.seen.size(), 10u);
  watched.context.set(newest().stage_cpu, 3);
  watched.context.set(4, 0);
  watched.look(20'000);
  EXPECT_GE(watched.tracker->totals().inconsistent, 1u);
  EXPECT_EQ(watched.seen.size(), 10u);
}

// A job in a process of its own: 3 ranks, one all-reduce each 2 ms, rank 1 comes 800 µs late.
[[noreturn]] void run_job(FakeContext& context, int count) {
  for (int i = 0; i < count; ++i) {
    context.push(8192, 0b111);
    context.pop();
    context.arrive(0);
    context.arrive(2);
    nap_us(800);
    context.arrive(1);
    context.release();
    if (i % 10 == 9) context.end_pass();
    nap_us(1200);
  }
  _exit(0);
}

TEST(Sampler, SeesTheLateRankOfARunningProcessWithinItsResolution) {
  constexpr int kCount = 300;
  const TestDir dir;
  FakeContext context(dir.path(), newest());
  context.end_pass();
  Result<ContextFile> file = ContextFile::open(look_at(context.path()));
  ASSERT_TRUE(file) << file.error().message;
  std::vector<Observed> seen;
  Sampler sampler(std::move(*file), {.rate_hz = 5000, .cpu_budget = 1},
                  [&](const Observed& o) { seen.push_back(o); });
  ASSERT_TRUE(sampler.look());
  const pid_t child = fork();
  if (child == 0) run_job(context, kCount);
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    ASSERT_TRUE(sampler.look()) << sampler.error().message;
    sampler.sleep(1'000'000'000);
  }
  ASSERT_TRUE(sampler.look());
  ASSERT_EQ(seen.size(), std::size_t{kCount});
  int resolved = 0;
  for (const Observed& o : seen) {
    EXPECT_EQ(o.bytes, 8192u);
    EXPECT_LE(o.late_least_ns, o.late_most_ns);
    if (o.last < 0) continue;
    // Where anybody is named it is rank 1: it never came before the others. It came 800 µs after
    // them, or later where the machine was busy; so the upper bound is never below.
    EXPECT_EQ(o.last, 1);
    EXPECT_GE(o.late_most_ns, 800'000);
    ++resolved;
  }
  EXPECT_GT(resolved, kCount / 2);
  const ContextTotals& totals = sampler.tracker()->totals();
  EXPECT_EQ(totals.released, std::uint64_t{kCount});
  EXPECT_EQ(totals.last[0].samples + totals.last[2].samples, 0u);
  // The mean by states: 800 µs and what the machine adds; a fifth of sampling error below.
  EXPECT_GT(totals.last[1].ns / kCount, 640'000);
  EXPECT_GT(sampler.cost().spacing_p50_ns, 100'000);
  EXPECT_GT(sampler.cost().cpu_s, 0);
}

}  // namespace
}  // namespace peerscope::exllama
