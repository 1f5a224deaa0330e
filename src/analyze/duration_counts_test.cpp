#include "analyze/duration_counts.hpp"

#include <gtest/gtest.h>

#include "analyze/aggregate.hpp"
#include "analyze/histogram.hpp"
#include "analyze/workload_for_test.hpp"

namespace peerscope {
namespace {

TEST(DurationCounts, CountWhatABoundHoldsToTheNanosecond) {
  for (std::size_t i = 0; i < kDurationBounds; ++i) {
    DurationCounts at, above;
    at.add(duration_bound_ns(i), 1);
    above.add(duration_bound_ns(i) + 1, 1);
    EXPECT_EQ(at.counts[i], 1) << i;
    EXPECT_EQ(above.counts[i + 1], 1) << i;
  }
}

TEST(DurationCounts, OfAHistogramAreThoseOfItsValues) {
  Histogram histogram;
  DurationCounts one_by_one, together;
  std::uint64_t value = 1;
  for (int i = 0; i < 20'000; ++i) {
    value = value * 6364136223846793005u + 1442695040888963407u;
    const std::uint64_t ns = value >> (24 + i % 40);
    histogram.add(ns);
    one_by_one.add(ns, 1);
  }
  together.add(histogram);
  EXPECT_EQ(together.counts, one_by_one.counts);
  EXPECT_EQ(together.sum_ns, one_by_one.sum_ns);
  EXPECT_EQ(together.count(), 20'000);
}

// A bucket past 2^32 is halved and stands for two from then on: rounded, but never lower than before.
TEST(DurationCounts, NeverFallWhenAHistogramScales) {
  Histogram histogram;
  std::uint64_t before = 0;
  for (int i = 0; i < 40; ++i) {
    histogram.add(5'000, UINT32_MAX / 7 + static_cast<std::uint32_t>(i));
    histogram.add(5'000'000, 1);
    DurationCounts counts;
    counts.add(histogram);
    EXPECT_GE(counts.count(), before) << i;
    before = counts.count();
  }
  EXPECT_GT(histogram.scale(), 0);
  EXPECT_NEAR(static_cast<double>(before), static_cast<double>(histogram.count()), 64.0);
}

TEST(Aggregator, CountsDurationsOfEachOperationAndAlgorithmOverAllSizes) {
  Aggregator aggregator;
  Workload workload({}, 1);
  workload.run(aggregator, 3'000'000'000);
  const auto aggregates = aggregator.snapshot(workload.now_ns());
  ASSERT_EQ(aggregates->durations.size(), 1);
  const DurationRow& row = aggregates->durations[0];
  EXPECT_EQ(row.kind, Kind::all_reduce);
  EXPECT_EQ(row.algorithm, Algorithm::ring);
  EXPECT_EQ(row.host.count(), aggregates->totals.operations);
  EXPECT_EQ(row.skew.count(), aggregates->totals.collectives);
  EXPECT_EQ(row.transfer.count(), aggregates->totals.collectives);
  EXPECT_EQ(row.device.count(), 0);
  // Each transfer takes 12 us.
  EXPECT_EQ(row.transfer.sum_ns, 12'000 * aggregates->totals.collectives);
  EXPECT_EQ(row.transfer.counts[4], aggregates->totals.collectives);
}

TEST(Aggregator, CountsDurationsThatFoundNoCellInTheOtherRow) {
  Aggregator aggregator({.max_cells = 2});
  std::vector<Op> ops;
  for (std::uint16_t rank = 0; rank < 8; ++rank) {
    ops.push_back({.begin_ns = 1'000,
                   .host_duration_ns = 3'000,
                   .bytes = 8,
                   .rank = rank,
                   .kind = Kind::send});
  }
  aggregator.add(ops);
  const auto aggregates = aggregator.snapshot(1'000'000);
  ASSERT_EQ(aggregates->durations.size(), 2);
  EXPECT_EQ(aggregates->durations[0].host.count(), 2);
  EXPECT_FALSE(aggregates->durations[0].other);
  EXPECT_EQ(aggregates->durations[1].host.count(), 6);
  EXPECT_TRUE(aggregates->durations[1].other);
}

}  // namespace
}  // namespace peerscope
