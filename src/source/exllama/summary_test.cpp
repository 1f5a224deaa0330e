// Rows, means and sentences of what was seen.
#include "source/exllama/summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "source/exllama/fake_for_test.hpp"
#include "source/exllama/ops.hpp"

namespace peerscope::exllama {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Observed all_reduce(std::uint64_t bytes, int last, std::int64_t least_ns, std::int64_t most_ns) {
  Observed out;
  out.kind = Kind::all_reduce;
  out.bytes = bytes;
  out.last = last;
  out.late_least_ns = least_ns;
  out.late_most_ns = most_ns;
  return out;
}

TEST(Summary, RowsByKindAndSizeTheMostFrequentFirst) {
  Summary summary;
  summary.add(all_reduce(8192, -1, 0, 100));
  for (int i = 0; i < 5; ++i) summary.add(all_reduce(16384, i == 0 ? 0 : 1, 100, 300));
  Observed broadcast;
  broadcast.kind = Kind::broadcast;
  broadcast.most_bytes = 2048;
  summary.add(broadcast);
  ASSERT_THAT(summary.rows(), SizeIs(3));
  const Row& row = summary.rows()[0];
  EXPECT_EQ(row.bytes, 16384u);
  EXPECT_EQ(row.count, 5u);
  EXPECT_EQ(row.told, 5u);
  EXPECT_EQ(row.last[1], 4u);
  EXPECT_EQ(median_of(row.late_ns), 200);
  EXPECT_EQ(median_of(row.unsure_ns), 100);
  EXPECT_EQ(summary.rows()[1].told, 0u);
  EXPECT_EQ(median_of(summary.rows()[1].late_ns), -1);  // unknown, not 0
  EXPECT_EQ(size_in_words(row), "16 KB");
  EXPECT_EQ(size_in_words(summary.rows()[2]), "≤ 2 KB");
}

TEST(Summary, MeansHaveAnErrorAndWhatWasNeverMetHasABound) {
  ContextTotals totals;
  totals.samples = 1000;
  totals.sampled_ns = 1e9;
  totals.released = 100;
  Share share;
  share.ns = 4e8;
  share.samples = 400;
  share.seen = 64;
  EXPECT_DOUBLE_EQ(mean_of(share, totals).ns, 4e6);
  EXPECT_DOUBLE_EQ(mean_of(share, totals).error_ns, 4e6 / 8);
  EXPECT_DOUBLE_EQ(mean_of({}, totals).ns, 0);
  EXPECT_DOUBLE_EQ(mean_of({}, totals).error_ns, 3 * 1e6 / 100);
  EXPECT_EQ(mean_of(share, {}).ns, -1);
}

// A tracker that is fed by hand: 1 ms between samples.
class Fed {
 public:
  Fed() : tracker(newest(), [](const Observed&) {}) {
    sample_.jobs = {Job{}};  // the end of a pass, taken already
    sample_.popped = 1;
    sample_.state.barrier_epoch = sample_.state.ll_epoch = 1;
    look();
  }
  void begin(std::uint32_t devices) {
    sample_.jobs = {Job{8192, devices, 0}};
    ++sample_.popped;
  }
  void arrive(int device) { ++sample_.state.arrived[static_cast<std::size_t>(device)]; }
  void release() { ++sample_.state.released; }
  void look() {
    sample_.time = {now_ns, now_ns + 1000};
    tracker.add(sample_);
    sample_.first_job += sample_.jobs.size();
    sample_.jobs.clear();
    now_ns += 1'000'000;
  }
  // One in which `last` comes 1 ms after the others.
  void one(std::uint32_t devices, int last) {
    begin(devices);
    for (int i = 0; i < kMaxDevices; ++i) {
      if (i != last && (devices >> i & 1) != 0) arrive(i);
    }
    look();
    arrive(last);
    release();
    look();
  }
  State& state() { return sample_.state; }

  std::int64_t now_ns = 1'000'000'000;
  Tracker tracker;

 private:
  Sample sample_;
};

TEST(Findings, TheGpuThatIsAlwaysLastIsNamedWithMeanAndError) {
  Fed fed;
  for (int i = 0; i < 64; ++i) fed.one(0b1110, 2);
  const std::vector<Finding> found = findings(fed.tracker, "exllama x", fed.now_ns);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].kind, "straggler");
  EXPECT_EQ(found[0].subject.device, 2);
  EXPECT_EQ(found[0].subject.rank, 1);  // of GPUs 1, 2 and 3
  EXPECT_THAT(found[0].sentence, HasSubstr("GPU 2 comes last in 100 %"));
  EXPECT_THAT(found[0].sentence, HasSubstr("1.00 ms ±125 µs"));
  EXPECT_THAT(found[0].sentence, HasSubstr("50 % of the time"));
}

TEST(Findings, WhereGpusTakeTurnsNobodyIsNamed) {
  Fed fed;
  for (int i = 0; i < 90; ++i) fed.one(0b111, i % 3);
  EXPECT_THAT(findings(fed.tracker, "x", fed.now_ns), IsEmpty());
}

TEST(Findings, AFewAreNotEnough) {
  Fed fed;
  for (int i = 0; i < 20; ++i) fed.one(0b111, 1);
  EXPECT_THAT(findings(fed.tracker, "x", fed.now_ns), IsEmpty());
}

TEST(Findings, AHangIsCriticalFromASecondOnAndTellsWhoIsMissing) {
  Fed fed;
  fed.begin(0b111);
  fed.arrive(0);
  for (int i = 0; i < 900; ++i) fed.look();
  EXPECT_THAT(findings(fed.tracker, "x", fed.now_ns), IsEmpty());
  for (int i = 0; i < 600; ++i) fed.look();
  std::vector<Finding> found = findings(fed.tracker, "x", fed.now_ns);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].severity, Severity::critical);
  EXPECT_THAT(found[0].sentence, HasSubstr("GPU 0 has been in all_reduce 8 KB for 1.50 s"));
  EXPECT_THAT(found[0].sentence, HasSubstr("GPUs 1 and 2 are missing"));
  // Then the job itself gives up.
  fed.state().sync_timeout = 1;
  fed.look();
  found = findings(fed.tracker, "x", fed.now_ns);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("sync_timeout is set"));
  EXPECT_THAT(found[0].sentence, HasSubstr("GPUs 1 and 2 are missing"));
}

TEST(Findings, AllThereAndNoSumIsTheCpusFault) {
  Fed fed;
  fed.begin(0b11);
  fed.arrive(0);
  fed.arrive(1);
  for (int i = 0; i < 1600; ++i) fed.look();
  const std::vector<Finding> found = findings(fed.tracker, "x", fed.now_ns);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("the CPU process does not add up"));
}

TEST(Findings, InABarrierWhoTakesPartIsAnAssumption) {
  Fed fed;
  fed.one(0b111, 1);
  fed.state().barrier[0] = fed.state().barrier_epoch;
  for (int i = 0; i < 1600; ++i) fed.look();
  const std::vector<Finding> found = findings(fed.tracker, "x", fed.now_ns);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].sentence, HasSubstr("GPUs 1 and 2 are missing (if all take part)"));
  EXPECT_LT(found[0].confidence, 0.9);
}

}  // namespace
}  // namespace peerscope::exllama
