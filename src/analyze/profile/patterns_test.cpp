// Iterations, phases and overlap, against streams that are known.
#include <cmath>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/profile/overlap.hpp"
#include "analyze/profile/period.hpp"
#include "analyze/profile/phases.hpp"
#include "analyze/profile/stream_for_test.hpp"

namespace peerscope {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Periodicity period_of(const std::vector<Op>& ops) {
  StreamKeeper keeper;
  for (const Op& op : ops) keeper.add(op);
  return keeper.period();
}

TEST(Period, IsTheTokenOfADecodingRun) {
  Dice dice(1);
  const Periodicity period = period_of(decoding(dice, 1000, 60, 160));
  ASSERT_TRUE(period.found) << period.why_not;
  EXPECT_EQ(period.period_ops, 161u);
  EXPECT_GT(period.confidence, 0.9);
  EXPECT_NEAR(period.period_ns, 161 * 31'200.0, 161 * 1'000.0);
  EXPECT_EQ(period.iterations, 60u);
}

TEST(Period, IsTheLongOneNotTheAlternationWithin) {
  std::vector<Op> ops;
  for (int token = 0; token < 40; ++token) {
    for (int i = 0; i < 30; ++i)
      ops.push_back(op_at(static_cast<std::int64_t>(ops.size()) * 1000, Kind::all_reduce,
                          i % 2 == 0 ? 1024 : 65536, 100));
    ops.push_back(op_at(static_cast<std::int64_t>(ops.size()) * 1000, Kind::broadcast, 8, 100));
  }
  EXPECT_EQ(period_of(ops).period_ops, 31u);
}

TEST(Period, SurvivesOperationsThatWereLost) {
  Dice dice(2);
  std::vector<Op> ops = decoding(dice, 1000, 200, 16), kept;
  for (const Op& op : ops) {
    if (dice.below(1000) != 0) kept.push_back(op);
  }
  const Periodicity period = period_of(kept);
  ASSERT_TRUE(period.found) << period.why_not;
  EXPECT_EQ(period.period_ops, 17u);
}

TEST(Period, OfOperationsThatAreAlikeIsInTheirGaps) {
  Dice dice(3);
  std::vector<Op> ops;
  std::int64_t at_ns = 1000;
  for (int i = 0; i < 600; ++i) {
    ops.push_back(op_at(at_ns, Kind::all_reduce, 1024, 1000));
    at_ns += i % 12 == 11 ? dice.duration(500'000) : dice.duration(20'000);
  }
  const Periodicity period = period_of(ops);
  ASSERT_TRUE(period.found) << period.why_not;
  EXPECT_EQ(period.period_ops, 12u);
  EXPECT_THAT(period.basis, HasSubstr("gaps"));
}

TEST(Period, IsNotFoundWhereThereIsNone) {
  Dice dice(4);
  std::vector<Op> random, poisson, still, few;
  std::int64_t at_ns = 1000;
  for (int i = 0; i < 3000; ++i) {
    random.push_back(op_at(i * 1000, Kind::send, std::uint64_t{1} << dice.below(12), 100));
    poisson.push_back(op_at(at_ns, Kind::all_reduce, 1024, 100));
    at_ns += 1000 + static_cast<std::int64_t>(
                        -std::log((static_cast<double>(dice.below(1'000'000)) + 1) / 1e6) * 50'000);
    still.push_back(op_at(5, Kind::all_reduce, 1024, 100));
  }
  few.assign(10, op_at(5, Kind::all_reduce, 1024, 100));
  for (const auto& ops : {random, poisson, still, few, std::vector<Op>{}}) {
    const Periodicity period = period_of(ops);
    EXPECT_FALSE(period.found) << period.period_ops << " " << period.basis;
    EXPECT_FALSE(period.why_not.empty());
    EXPECT_EQ(period.period_ns, kUnknown);
  }
}

PhaseReport phases_of(const std::vector<Op>& ops) {
  TimeSlices slices;
  for (const Op& op : ops) slices.add(op);
  return find_phases(slices.slices(), slices.width_ns());
}

void append(std::vector<Op>& ops, const std::vector<Op>& more) {
  ops.insert(ops.end(), more.begin(), more.end());
}

TEST(Phases, TellPrefillFromDecode) {
  Dice dice(5);
  std::vector<Op> ops;
  for (std::int64_t second = 0; second < 4; ++second) {
    append(ops, decoding(dice, second * 1'000'000'000, 4, 40, 8 << 20, 1'000'000));
    append(ops, decoding(dice, second * 1'000'000'000 + 200'000'000, 400, 60));
  }
  const PhaseReport report = phases_of(ops);
  std::map<std::string, PhaseKind> kinds;
  for (const PhaseKind& kind : report.kinds) kinds[kind.label] = kind;
  EXPECT_THAT(kinds, SizeIs(3)) << "prefill, decode, and nothing in between";
  EXPECT_EQ(kinds["prefill-like"].stretches, 4u);
  EXPECT_EQ(kinds["decode-like"].stretches, 4u);
  EXPECT_NEAR(static_cast<double>(kinds["prefill-like"].operations), 4 * 4 * 41, 40);
  EXPECT_NEAR(static_cast<double>(kinds["decode-like"].span_ns), 4 * 0.8e9, 0.3e9);
  EXPECT_EQ(kinds["idle"].operations, 0u);
}

TEST(Phases, AreOneWhereNothingChanges) {
  Dice dice(6);
  const PhaseReport report = phases_of(decoding(dice, 5'000'000'000, 800, 40));
  EXPECT_THAT(report.kinds, SizeIs(1));
  EXPECT_THAT(report.stretches, SizeIs(1));
}

TEST(Phases, SeePauses) {
  Dice dice(7);
  std::vector<Op> ops = decoding(dice, 0, 300, 40);
  append(ops, decoding(dice, 3'000'000'000, 300, 40));
  const PhaseReport report = phases_of(ops);
  ASSERT_THAT(report.stretches, SizeIs(3));
  EXPECT_EQ(report.kinds[report.stretches[1].kind].label, "idle");
  EXPECT_EQ(report.stretches[0].kind, report.stretches[2].kind);
}

TEST(Phases, TakeWhateverComes) {
  EXPECT_TRUE(phases_of({}).kinds.empty());
  EXPECT_THAT(phases_of({op_at(5, Kind::send, 0, 1)}).stretches, SizeIs(1));
  std::vector<Op> wide{op_at(0, Kind::send, 8, 1), op_at(INT64_MAX / 4, Kind::send, 8, 1)};
  const PhaseReport report = phases_of(wide);
  EXPECT_LE(report.slices.size(), TimeSlices::kMost);
  std::uint64_t operations = 0;
  for (const PhaseKind& kind : report.kinds) operations += kind.operations;
  EXPECT_EQ(operations, 2u);
}

Op on_device(Kind kind, std::int64_t begin_ns, std::int64_t ns, std::uint16_t device = 0) {
  Op op = op_at(begin_ns, kind, 1024, kUnknownNs);
  op.device = device;
  op.device_begin_ns = begin_ns;
  op.device_duration_ns = ns;
  op.async = true;
  return op;
}

OverlapStats overlap_of(const std::vector<Op>& ops) {
  OverlapMeter meter;
  for (const Op& op : ops) meter.add(op);
  return meter.stats();
}

TEST(Overlap, IsWhatComputationCovers) {
  const OverlapStats stats =
      overlap_of({on_device(Kind::all_reduce, 100, 100), on_device(Kind::compute, 150, 100),
                  on_device(Kind::all_reduce, 300, 50), on_device(Kind::compute, 300, 50, 1)});
  EXPECT_EQ(stats.clock, Clock::device);
  EXPECT_EQ(stats.communication_ns, 150);
  EXPECT_EQ(stats.exposed_ns, 100) << "the other device's computation covers nothing";
  EXPECT_NEAR(stats.exposed_share(), 2.0 / 3, 1e-9);
}

TEST(Overlap, CountsConcurrentCommunicationOnce) {
  const OverlapStats stats =
      overlap_of({on_device(Kind::all_reduce, 0, 100), on_device(Kind::send, 50, 100),
                  on_device(Kind::compute, 1000, 1)});
  EXPECT_EQ(stats.communication_ns, 150);
  EXPECT_EQ(stats.concurrent_ns, 50);
}

TEST(Overlap, IsUnknownWithAReason) {
  const OverlapStats no_compute = overlap_of({on_device(Kind::all_reduce, 0, 100)});
  EXPECT_EQ(no_compute.exposed_share(), kUnknown);
  EXPECT_THAT(no_compute.why_unknown, HasSubstr("no device times of computation"));
  Op enqueued = op_at(0, Kind::all_reduce, 8, 100);
  enqueued.async = true;
  EXPECT_THAT(overlap_of({enqueued}).why_unknown, HasSubstr("asynchronous"));
  EXPECT_EQ(overlap_of({}).concurrent_share(), kUnknown);
}

TEST(Overlap, OfSynchronousCallsIsNone) {
  Op compute = op_at(200, Kind::compute, 0, 100);
  const OverlapStats stats = overlap_of({op_at(0, Kind::all_reduce, 8, 100), compute});
  EXPECT_EQ(stats.clock, Clock::host);
  EXPECT_EQ(stats.exposed_share(), 1.0);
}

TEST(Overlap, IsExactOverManyIntervalsThatComeNearlyInOrder) {
  Dice dice(8);
  OverlapMeter meter;
  constexpr int kMany = 50'000;
  for (int i = 0; i < kMany; i += 4) {  // fours come in reverse
    for (int j = 3; j >= 0; --j) {
      meter.add(on_device(Kind::all_reduce, (i + j) * 100, 60));
      meter.add(on_device(Kind::compute, (i + j) * 100 + 40, 40));
    }
  }
  const OverlapStats stats = meter.stats();
  EXPECT_EQ(stats.late, 0u);
  EXPECT_EQ(stats.communication_ns, kMany * 60.0);
  EXPECT_EQ(stats.exposed_ns, kMany * 40.0);
}

}  // namespace
}  // namespace peerscope
