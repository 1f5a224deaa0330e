#include "suite/tune.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "suite/steps.hpp"

namespace peerscope {
namespace {

BenchRow row(const std::string& algorithm, std::uint64_t bytes, double us,
             std::uint64_t wrong = 0) {
  BenchRow row{
      .operation = "all_reduce", .algorithm = algorithm, .backend = "host", .dtype = "f32"};
  row.bytes = bytes;
  row.ranks = 2;
  row.out.median_us = us;
  row.out.wrong = wrong;
  return row;
}

TEST(Tune, TakesTheFastestAndDoesNotFlicker) {
  const auto tuned = tune({row("direct", 8, 4), row("ring", 8, 9), row("auto", 8, 5),
                           row("direct", 64, 10), row("ring", 64, 9.9),  // 1 % is no reason
                           row("direct", 512, 30), row("ring", 512, 20), row("direct", 4096, 1, 3),
                           row("ring", 4096, 50)});  // fast, but wrong
  ASSERT_EQ(tuned.size(), 4u);
  EXPECT_EQ(tuned[0].choice.algorithm, Algorithm::direct);
  EXPECT_EQ(tuned[0].us, 4);
  EXPECT_EQ(tuned[0].model_us, 5);
  EXPECT_EQ(tuned[1].choice.algorithm, Algorithm::direct);
  EXPECT_EQ(tuned[2].choice.algorithm, Algorithm::ring);
  EXPECT_EQ(tuned[3].choice.algorithm, Algorithm::ring);
}

TEST(SuiteSteps, HaveNamesOfTheirOwnAndSurviveAFile) {
  std::vector<std::string> names;
  for (const SuiteStep& step : suite_steps(true, {"host", "cuda", "nccl"})) {
    EXPECT_EQ(std::count(names.begin(), names.end(), step.name), 0) << step.name;
    names.push_back(step.name);
  }
  SuiteState state;
  state.mode = "quick";
  state.done = {"host all_reduce"};
  state.results.rows = {row("ring", 8, 5)};
  const auto back = suite_state_from(suite_state_text(state));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(back->has("host all_reduce"));
  EXPECT_FALSE(back->has("host broadcast"));
  EXPECT_EQ(back->results.rows.size(), 1u);
  EXPECT_FALSE(suite_state_from("{\"rows\": []}"));
  EXPECT_FALSE(suite_state_from("garbage"));
}

}  // namespace
}  // namespace peerscope
