#include "analyze/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace peerscope {
namespace {

// As Histogram::quantile defines it: the smallest value that at least p of the values do not
// exceed.
std::uint64_t exact(const std::vector<std::uint64_t>& sorted, double p) {
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(1, rank) - 1];
}

TEST(Histogram, IsOffByAtMostASixteenthOfAnyQuantile) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937_64 random(seed);
    std::lognormal_distribution<double> body(4.0 + seed % 12, 0.2 + 0.1 * (seed % 20));
    Histogram histogram;
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 2'000; ++i) {
      values.push_back(std::min(static_cast<std::uint64_t>(body(random)), Histogram::kLargest - 1));
      histogram.add(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const double p : {0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0}) {
      const auto want = static_cast<double>(exact(values, p));
      ASSERT_NEAR(histogram.quantile(p), want, want * Histogram::kRelativeError)
          << seed << ' ' << p;
    }
  }
}

TEST(Histogram, PutsEveryValueIntoABucketThatIsNarrowEnough) {
  for (std::uint64_t value = 0; value < Histogram::kLargest - 1; value += 1 + value / 37) {
    Histogram histogram;
    histogram.add(0);
    histogram.add(value);
    histogram.add(Histogram::kLargest - 1);  // so that min and max do not help
    const auto want = static_cast<double>(value);
    ASSERT_NEAR(histogram.quantile(0.5), want, want * Histogram::kRelativeError);
    ASSERT_LT(Histogram::bucket_of(value), Histogram::kBuckets);
  }
  EXPECT_EQ(Histogram::bucket_of(UINT64_MAX), Histogram::kBuckets - 1);
}

TEST(Histogram, IsExactForOneValueAndForAllEqual) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0.0);
  histogram.add(123'457);
  EXPECT_EQ(histogram.quantile(0.0), 123'457.0);
  histogram.add(123'457, 1'000);
  EXPECT_EQ(histogram.quantile(0.5), 123'457.0);
  EXPECT_EQ(histogram.quantile(0.999), 123'457.0);
  EXPECT_EQ(histogram.mean(), 123'457.0);
  EXPECT_EQ(histogram.count(), 1'001u);
}

TEST(Histogram, CountsAWeightAsThatManyValues) {
  Histogram weighted, repeated;
  for (const std::uint64_t value : {100u, 5'000u, 70'000u}) {
    weighted.add(value, 64);
    for (int i = 0; i < 64; ++i) repeated.add(value);
  }
  EXPECT_EQ(weighted.count(), repeated.count());
  EXPECT_EQ(weighted.sum(), repeated.sum());
  for (const double p : {0.1, 0.5, 0.9}) EXPECT_EQ(weighted.quantile(p), repeated.quantile(p));
}

TEST(Histogram, MergedIsTheHistogramOfBoth) {
  std::mt19937 random(5);
  Histogram left, right, both;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t value = random() % 1'000'000;
    (i % 3 == 0 ? left : right).add(value);
    both.add(value);
  }
  left.merge(right);
  EXPECT_EQ(left.count(), both.count());
  EXPECT_EQ(left.min(), both.min());
  EXPECT_EQ(left.max(), both.max());
  for (const double p : {0.001, 0.5, 0.999}) EXPECT_EQ(left.quantile(p), both.quantile(p));
}

TEST(Histogram, KeepsItsSharesBeyondFourBillionValues) {
  Histogram histogram, other;
  for (int i = 0; i < 12; ++i) {
    histogram.add(1'000, 3'000'000'000u);
    histogram.add(8'000, 1'000'000'000u);
    other.add(64'000, 4'000'000'000u);
  }
  EXPECT_EQ(histogram.count(), 48'000'000'000u);
  EXPECT_NEAR(histogram.quantile(0.74), 1'000, 63);
  EXPECT_NEAR(histogram.quantile(0.76), 8'000, 500);
  histogram.merge(other);
  EXPECT_EQ(histogram.count(), 96'000'000'000u);
  EXPECT_NEAR(histogram.quantile(0.49), 8'000, 500);
  EXPECT_NEAR(histogram.quantile(0.51), 64'000, 4'000);
}

TEST(Histogram, IsSmall) { EXPECT_LE(sizeof(Histogram), 1'300u); }

}  // namespace
}  // namespace peerscope
