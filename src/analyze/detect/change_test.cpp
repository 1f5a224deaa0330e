#include "analyze/detect/change.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "analyze/detect/made_up_for_test.hpp"
#include "analyze/detect/series_changes.hpp"
#include "analyze/history.hpp"

namespace peerscope {
namespace {

std::vector<HistoryPoint> points(int count, const std::function<double(int)>& ns) {
  std::vector<HistoryPoint> out;
  for (int i = 0; i < count; ++i)
    out.push_back({.slot = i, .count = 10, .ns = static_cast<float>(ns(i)), .bytes = 1024});
  return out;
}

TEST(History, KeepsTheLastOneByOneAndAllOfItInLongerStretches) {
  History history(16, 8);
  for (int slot = 0; slot < 1'000; ++slot)
    history.add({.slot = slot, .count = 1, .ns = static_cast<float>(slot), .bytes = 1});
  const auto fine = history.fine();
  ASSERT_EQ(fine.size(), 16u);
  EXPECT_EQ(fine.front().slot, 984);
  EXPECT_EQ(fine.back().slot, 999);
  const auto& coarse = history.coarse();
  EXPECT_LE(coarse.size(), 8u);
  EXPECT_EQ(coarse.front().slot, 0);
  std::uint64_t count = 0;
  for (const HistoryPoint& point : coarse) {
    count += point.count;
    EXPECT_NEAR(point.ns, point.slot + (point.count - 1) / 2.0, 0.5);
  }
  EXPECT_EQ(count, 1'000u);
  EXPECT_LE(history.memory_bytes(), History::memory_bound_bytes(16, 8));
  history.add({.slot = 5, .count = 1, .ns = 1, .bytes = 1});  // late
  EXPECT_EQ(history.fine().back().slot, 999);
}

TEST(Step, IsFoundWhereItBeganWhateverTheOutliers) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    Noise noise(seed);
    const auto all = points(60, [&](int i) { return 1e5 * noise.factor() * (i < 40 ? 1 : 1.5); });
    const Step step = find_step(all, 12, 8);
    ASSERT_TRUE(step.known);
    EXPECT_NEAR(static_cast<double>(step.at), 40, 4) << seed;
    EXPECT_NEAR(step.ratio, 1.5, 0.15);
    EXPECT_GT(step.z, 4);
    EXPECT_LT(step.overlap, 0.2);
  }
}

TEST(Step, IsNoneInTooLittleInEqualValuesAndInNonsense) {
  EXPECT_FALSE(find_step({}, 12, 8).known);
  const auto one = points(1, [](int) { return 5.0; });
  EXPECT_FALSE(find_step(one, 12, 8).known);
  EXPECT_FALSE(find_step(one, 0, 0).known);
  const auto equal = points(60, [](int) { return 7.0; });
  const Step none = find_step(equal, 12, 8);
  EXPECT_LE(none.z, 0.0 + 1e-9);
  EXPECT_EQ(none.ratio, 1);
  EXPECT_FALSE(find_step(points(60, [](int) { return 0.0; }), 12, 8).known);
  EXPECT_FALSE(find_step(points(60, [](int) { return std::nan(""); }), 12, 8).known);
  EXPECT_FALSE(find_step(points(60, [](int i) { return i - 30.0; }), 12, 8).known);
}

TEST(Trend, IsTheLineThroughTheNoise) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    Noise noise(seed);
    const auto all = points(80, [&](int i) { return 1e5 * noise.factor() * (1 + i * 0.01); });
    const Trend trend = find_trend(all);
    ASSERT_TRUE(trend.known);
    EXPECT_NEAR(trend.growth, 0.8, 0.3) << seed;
    EXPECT_GT(trend.z, 5);
  }
  EXPECT_FALSE(find_trend({}).known);
  EXPECT_FALSE(find_trend(points(3, [](int) { return 1.0; })).known);
  const Trend flat = find_trend(points(40, [](int) { return 9.0; }));
  EXPECT_EQ(flat.growth, 0);
  EXPECT_EQ(flat.z, 0);
}

TEST(Alternation, CountsTurnsNotOutliers) {
  const auto turns = points(60, [](int i) { return i / 5 % 2 == 0 ? 100.0 : 400.0; });
  EXPECT_EQ(find_alternation(turns, 1.4).slow_runs, 6u);
  const auto steady = points(60, [](int) { return 100.0; });
  EXPECT_EQ(find_alternation(steady, 1.4).slow_runs, 0u);
  const auto step = points(60, [](int i) { return i < 30 ? 100.0 : 400.0; });
  EXPECT_EQ(find_alternation(step, 1.4).slow_runs, 1u);
  EXPECT_EQ(find_alternation({}, 1.4).slow_runs, 0u);
}

// ---- the detectors above it -------------------------------------------------------------------

std::vector<SeriesRun> job() {
  SeriesRun small, large;
  small.bytes = 16384;
  small.transfer_ns = 12'000;
  small.algorithm = Algorithm::direct;
  large.bytes = 8 << 20;
  large.transfer_ns = 200'000;
  return {small, large};
}

TEST(Changes, AreNoneInAHealthyRunHoweverItStarts) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Aggregator aggregator;
    auto runs = job();
    // The first seconds are slower: connections, clocks, caches.
    for (SeriesRun& run : runs) run.slowdown = [](double s) { return s < 1.5 ? 2.5 - s : 1.0; };
    for (int half = 1; half <= 16; ++half) {
      const std::int64_t begin_ns = kSecond + (half - 1) * kSecond / 2;
      auto shifted = runs;
      for (SeriesRun& run : shifted)
        run.slowdown = [half, f = run.slowdown](double s) { return f(s + (half - 1) / 2.0); };
      run_series(aggregator, shifted, 0.5, seed * 100 + static_cast<unsigned>(half), begin_ns);
      const auto found = alarms(snapshot_of(aggregator, begin_ns + kSecond / 2));
      ASSERT_TRUE(found.empty()) << "seed " << seed << ": " << found[0].sentence;
    }
  }
}

TEST(StepChange, IsNamedWithItsOperationAndItsBegin) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Aggregator aggregator;
    auto runs = job();
    for (SeriesRun& run : runs) run.slowdown = [](double s) { return s < 5 ? 1.0 : 1.6; };
    run_series(aggregator, runs, 8, seed);
    const auto found = alarms(snapshot_of(aggregator, 9 * kSecond));
    ASSERT_EQ(found.size(), 1u) << seed;
    EXPECT_EQ(found[0].kind, "step_change");
    EXPECT_EQ(found[0].subject.operation, "all_reduce");
    EXPECT_NEAR(static_cast<double>(found[0].since_ns), 6e9, 0.3e9);
    EXPECT_NEAR(figure(found[0], "slowdown_ratio"), 1.6, 0.15);
  }
}

TEST(StepChange, IsForgottenOnceItIsOver) {
  Aggregator aggregator;
  auto runs = job();
  for (SeriesRun& run : runs) run.slowdown = [](double s) { return s < 5 || s > 7 ? 1.0 : 1.6; };
  run_series(aggregator, runs, 10, 3);
  EXPECT_TRUE(alarms(snapshot_of(aggregator, 11 * kSecond)).empty());
}

TEST(StepChange, IsNoneWhereMessagesBecameLarger) {
  Aggregator aggregator;
  auto runs = job();
  runs[1].bytes = 5 << 20;
  run_series(aggregator, runs, 5, 1);
  runs[1].bytes = 8 << 20;  // the same class of sizes
  runs[1].transfer_ns *= 1.6;
  run_series(aggregator, runs, 5, 2, 6 * kSecond);
  EXPECT_TRUE(alarms(snapshot_of(aggregator, 11 * kSecond)).empty());
}

TEST(Drift, IsToldApartFromAStep) {
  int drifts = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    Aggregator aggregator;
    auto runs = job();
    for (SeriesRun& run : runs)
      run.slowdown = [](double s) { return s < 4 ? 1.0 : 1 + 0.1 * (s - 4); };
    run_series(aggregator, runs, 12, seed);
    const auto found = alarms(snapshot_of(aggregator, 13 * kSecond));
    ASSERT_EQ(found.size(), 1u) << seed;
    if (found[0].kind == "drift") ++drifts;
    EXPECT_EQ(found[0].subject.operation, "all_reduce");
  }
  EXPECT_GE(drifts, 19);
}

TEST(Changes, OfAMinutesRunAreSeenInTheLongHistory) {
  Aggregator aggregator;
  auto runs = job();
  runs.resize(1);
  runs[0].every_ns = 5 * kMilli;
  runs[0].slowdown = [](double s) { return s < 60 ? 1.0 : 1.5; };
  run_series(aggregator, runs, 120, 5);
  const auto found = alarms(snapshot_of(aggregator, 121 * kSecond));
  const Finding* step = find_kind(found, "step_change");
  ASSERT_NE(step, nullptr);
  EXPECT_NEAR(static_cast<double>(step->since_ns), 61e9, 3e9);
}

}  // namespace
}  // namespace peerscope
