// Against values computed by hand.
#include <cmath>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/stats/bootstrap.hpp"
#include "analyze/stats/contrast.hpp"
#include "analyze/stats/mann_whitney.hpp"
#include "analyze/stats/robust.hpp"

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Samples = std::vector<double>;

Samples noisy(unsigned seed, double middle, std::size_t n) {
  std::mt19937 random(seed);
  Samples out;
  for (std::size_t i = 0; i < n; ++i)
    out.push_back(middle + static_cast<double>(random() % 2001) / 1000.0 - 1.0);
  return out;
}

TEST(Robust, MedianQuantilesAndMad) {
  EXPECT_EQ(*median_of(Samples{3, 1, 2}), 2);
  EXPECT_EQ(*median_of(Samples{4, 1, 2, 3}), 2.5);
  EXPECT_DOUBLE_EQ(*quantile_of(Samples{1, 2, 3, 4}, 0.25), 1.75);
  EXPECT_EQ(*quantile_of(Samples{1, 2, 3, 4}, 1), 4);
  EXPECT_EQ(*quantile_of(Samples{1, 2, 3, 4}, -1), 1);
  EXPECT_EQ(*mad_of(Samples{1, 1, 2, 2, 4, 6, 9}), 1);
}

TEST(Robust, SaysWhyItHasNoFigure) {
  EXPECT_EQ(median_of({}).why(), Inconclusive::no_samples);
  EXPECT_EQ(mad_of({}).why(), Inconclusive::no_samples);
  EXPECT_EQ(mad_of(Samples{5}).why(), Inconclusive::one_sample);
  EXPECT_EQ(*mad_of(Samples{5, 5, 5}), 0);
}

TEST(Robust, OutliersAreFarFromTheMedian) {
  EXPECT_THAT(outliers_of(Samples{10, 11, 9, 10, 90, 11, 10}), ElementsAre(4));
  EXPECT_THAT(outliers_of(Samples{10, 10, 10, 10, 10, 10, 10, 10, 50}), ElementsAre(8));
  EXPECT_THAT(outliers_of(Samples{7, 7, 7}), IsEmpty());
  EXPECT_THAT(outliers_of({}), IsEmpty());
  EXPECT_THAT(outliers_of(noisy(1, 100, 200)), IsEmpty());
}

TEST(Robust, WarmUpEndsWhereTheSeriesHasSettled) {
  Samples series = noisy(2, 100, 40);
  EXPECT_EQ(warm_up_of(series), 0u);
  for (std::size_t i = 0; i < 5; ++i) series[i] = 300.0 - 20.0 * static_cast<double>(i);
  EXPECT_EQ(warm_up_of(series), 5u);
  series[20] = 900;  // a later outlier is no warm-up
  EXPECT_EQ(warm_up_of(series), 5u);
  EXPECT_EQ(warm_up_of(Samples{9, 1, 1, 1}), 0u) << "too few to tell";
  Samples falling;
  for (int i = 0; i < 20; ++i) falling.push_back(1000.0 - 50.0 * i);
  EXPECT_LE(warm_up_of(falling), 10u) << "never more than half";
}

TEST(Bootstrap, TheIntervalHoldsTheMedianAndIsTheSameEachTime) {
  const Samples samples = noisy(3, 50, 101);
  const auto first = median_interval(samples), second = median_interval(samples);
  ASSERT_TRUE(first);
  EXPECT_LT(first->low, *median_of(samples));
  EXPECT_GT(first->high, *median_of(samples));
  EXPECT_EQ(first->low, second->low);
  EXPECT_EQ(first->high, second->high);
}

TEST(Bootstrap, CoversTheTrueMedianAboutAsOftenAsItSays) {
  int covered = 0;
  for (unsigned trial = 0; trial < 200; ++trial) {
    const auto interval = median_interval(noisy(1000 + trial, 50, 41), {.resamples = 400});
    covered += interval->low <= 50 && 50 <= interval->high ? 1 : 0;
  }
  EXPECT_GE(covered, 178);
  EXPECT_LE(covered, 200);
}

TEST(Bootstrap, TheRatioOfMediansIsAboutWhatItIs) {
  const auto ratio = ratio_interval(noisy(4, 110, 60), noisy(5, 100, 60));
  ASSERT_TRUE(ratio);
  EXPECT_GT(ratio->low, 1.09);
  EXPECT_LT(ratio->high, 1.11);
  EXPECT_TRUE(ratio_interval(Samples{2, 2, 2}, noisy(5, 1, 9))) << "one side may be all equal";
}

TEST(Bootstrap, SaysWhyItHasNoInterval) {
  EXPECT_EQ(median_interval({}).why(), Inconclusive::no_samples);
  EXPECT_EQ(median_interval(Samples{1}).why(), Inconclusive::one_sample);
  EXPECT_EQ(median_interval(Samples{1, 1}).why(), Inconclusive::all_equal);
  EXPECT_EQ(ratio_interval(Samples{1}, noisy(5, 1, 9)).why(), Inconclusive::one_sample);
  EXPECT_EQ(ratio_interval(Samples{1, 1}, Samples{2, 2}).why(), Inconclusive::all_equal);
  EXPECT_EQ(ratio_interval(Samples{1, 2}, Samples{0, 0}).why(), Inconclusive::no_samples);
}

TEST(MannWhitney, CountsPairsAndCorrectsForTies) {
  const auto test = mann_whitney(Samples{1, 2, 3, 4, 5}, Samples{3, 4, 5, 6, 7, 8});
  ASSERT_TRUE(test);
  EXPECT_EQ(test->u, 4.5);  // 3 > none; 3 = 3; 4 > 3, 4 = 4; 5 > 3 and 4, 5 = 5
  EXPECT_DOUBLE_EQ(test->delta, 2 * 4.5 / 30 - 1);
  // Variance: 30/12 (12 - 18/110) = 29.5909; (10.5 - 0.5) / sqrt(29.5909) = 1.8383
  EXPECT_NEAR(test->z, -1.8383, 1e-4);
  EXPECT_NEAR(test->p, 0.0660, 1e-4);
}

TEST(MannWhitney, TellsApartWhatDiffersAndNotWhatDoesNot) {
  EXPECT_LT(mann_whitney(noisy(6, 101, 50), noisy(7, 100, 50))->p, 1e-6);
  EXPECT_GT(mann_whitney(noisy(6, 101, 50), noisy(7, 100, 50))->delta, 0.5);
  int alarms = 0;
  for (unsigned i = 0; i < 200; ++i)
    alarms += mann_whitney(noisy(2 * i, 5, 20), noisy(2 * i + 1, 5, 20))->p < 0.05 ? 1 : 0;
  EXPECT_LE(alarms, 22);
}

TEST(MannWhitney, SaysWhyItHasNoAnswer) {
  EXPECT_EQ(mann_whitney({}, Samples{1, 2}).why(), Inconclusive::no_samples);
  EXPECT_EQ(mann_whitney(Samples{1}, Samples{1, 2}).why(), Inconclusive::one_sample);
  EXPECT_EQ(mann_whitney(Samples{1, 1}, Samples{1, 1, 1}).why(), Inconclusive::all_equal);
}

ContrastOptions strict() {
  return {.floor = 0.05, .p = 0.01, .least_delta = 0.147, .least_samples = 8};
}

TEST(Contrast, DecidesOnlyWhereAllAgree) {
  const Contrast larger = contrast(noisy(1, 10, 60), noisy(2, 12, 60), strict());
  EXPECT_EQ(larger.verdict, ContrastVerdict::larger);
  EXPECT_EQ(larger.doubt, Doubt::none);
  EXPECT_NEAR(larger.ratio, 1.2, 0.05);
  EXPECT_EQ(contrast(noisy(2, 12, 60), noisy(1, 10, 60), strict()).verdict,
            ContrastVerdict::smaller);
}

TEST(Contrast, SaysWhyItDoesNotDecide) {
  const auto doubt = [](const Samples& a, const Samples& b) {
    const Contrast c = contrast(a, b, strict());
    EXPECT_TRUE(c.verdict == ContrastVerdict::same || c.verdict == ContrastVerdict::inconclusive);
    return c.doubt;
  };
  EXPECT_EQ(doubt({}, noisy(1, 10, 60)), Doubt::no_samples);
  EXPECT_EQ(doubt({5}, noisy(1, 10, 60)), Doubt::too_few_samples);
  EXPECT_EQ(doubt(noisy(1, 10, 7), noisy(2, 12, 60)), Doubt::too_few_samples);
  EXPECT_EQ(doubt(Samples(20, 10), Samples(20, 20)), Doubt::all_equal);
  EXPECT_EQ(doubt(Samples(20, 10), Samples(20, 10)), Doubt::within_noise);
  EXPECT_EQ(doubt(noisy(1, 100, 400), noisy(2, 101, 400)), Doubt::within_noise);
  EXPECT_EQ(doubt(Samples(20, 0), noisy(1, 10, 60)), Doubt::not_positive);
  EXPECT_EQ(doubt({10, 30, 10, 30, 10, 30, 10, 30}, {34, 12, 40, 13, 28, 60, 12, 36}),
            Doubt::not_significant);
}

TEST(Contrast, DriftIsHowFarTheMedianWanders) {
  Samples rising;
  for (int i = 0; i < 80; ++i) rising.push_back(100.0 + i);
  EXPECT_NEAR(*drift_of_median(rising, 8), 35.0 / 139.5, 1e-9);
  EXPECT_EQ(*drift_of_median(Samples(64, 3), 8), 0);
  EXPECT_FALSE(drift_of_median(Samples(15, 3), 8));
  EXPECT_EQ(drift_of_median({}, 8).why(), Inconclusive::no_samples);
}

}  // namespace
}  // namespace peerscope
