#include "cli/nccl_levels.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "collect/collector_for_test.hpp"

namespace peerscope {
namespace {

TEST(NcclLevels, EachCycleHasAllAndEachBeginsSomeCycle) {
  std::set<Level> first;
  for (int cycle = 0; cycle < 4; ++cycle) {
    std::set<Level> all;
    for (int i = 0; i < 4; ++i) all.insert(level_of_round(cycle * 4 + i));
    EXPECT_EQ(all.size(), 4u);
    first.insert(level_of_round(cycle * 4));
  }
  EXPECT_EQ(first.size(), 4u);
}

// A machine that becomes twice as slow from cycle to cycle does not hide what a level costs.
TEST(NcclLevels, CostsAreThoseOfTheCycle) {
  std::vector<double> us;
  for (int round = 0; round < 32; ++round) {
    const double machine = round / 4 % 2 == 0 ? 10.0 : 20.0;
    us.push_back(machine * (1 + 0.01 * static_cast<double>(level_of_round(round))));
  }
  const auto costs = level_costs(us);
  for (int level = 0; level < 4; ++level) {
    const LevelCost& cost = costs[static_cast<std::size_t>(level)];
    EXPECT_NEAR(cost.ratio, 1 + 0.01 * level, 1e-9);
    EXPECT_NEAR(cost.ratio_low, cost.ratio_high, 1e-9);
    EXPECT_NEAR(cost.ratio_of_means, 1 + 0.01 * level, 1e-9);
    EXPECT_NEAR(cost.ratio_of_means_low, cost.ratio_of_means_high, 1e-9);
    EXPECT_NEAR(cost.mean_us, 15 * (1 + 0.01 * level), 1e-9);
  }
}

TEST(NcclLevels, AWindowInAFewRoundsIsInTheMeansNotInTheMedian) {
  std::vector<double> us;
  for (int round = 0; round < 80; ++round)
    us.push_back(level_of_round(round) == Level::detailed && round / 4 == 3 ? 20.0 : 10.0);
  const LevelCost detailed = level_costs(us)[2];
  EXPECT_DOUBLE_EQ(detailed.ratio, 1.0);
  EXPECT_NEAR(detailed.ratio_of_means, 1.05, 1e-9);
  EXPECT_DOUBLE_EQ(detailed.least_us, 10.0);
  // One cycle of twenty: the interval says how little that is.
  EXPECT_DOUBLE_EQ(detailed.ratio_of_means_low, 1.0);
  EXPECT_GT(detailed.ratio_of_means_high, 1.10);
}

TEST(NcclLevels, SwitchReachesTheSessionItIsGivenAndSaysIfNothingRecords) {
  const RuntimeDir dir;
  setenv("PEERSCOPE_RUNTIME_DIR", dir.path().c_str(), 1);
  const auto none = LevelSwitch::open("nobody");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, testing::HasSubstr("NCCL_PROFILER_PLUGIN must name"));
  pscope_options options = PSCOPE_OPTIONS_INIT;
  options.session = "levels";
  pscope_session* session = pscope_open(&options, nullptr);
  ASSERT_NE(session, nullptr);
  auto levels = LevelSwitch::open("levels");
  ASSERT_TRUE(levels) << levels.error().message;
  for (const Level level : kLevelsInTurn) {
    ASSERT_TRUE(levels->set(level));
    EXPECT_EQ(pscope_get_level(session), static_cast<int>(level));
  }
  pscope_close(session);
  unsetenv("PEERSCOPE_RUNTIME_DIR");
}

}  // namespace
}  // namespace peerscope
