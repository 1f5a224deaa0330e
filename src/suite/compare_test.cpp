#include "suite/compare.hpp"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using testing::HasSubstr;

std::vector<double> samples(unsigned seed, double middle, std::size_t n = 40) {
  std::mt19937 random(seed);
  std::vector<double> out;
  for (std::size_t i = 0; i < n; ++i)
    out.push_back(middle * (0.98 + static_cast<double>(random() % 401) / 10000));
  return out;
}

BenchRow row(std::uint64_t bytes, std::vector<double> us) {
  BenchRow row{.operation = "all_reduce", .algorithm = "ring", .backend = "host", .dtype = "f32"};
  row.bytes = bytes;
  row.ranks = 2;
  row.out = timing_of(std::move(us));
  return row;
}

ResultSet set(std::vector<BenchRow> rows, std::string machine = "m") {
  ResultSet out;
  out.machine.fingerprint = std::move(machine);
  out.rows = std::move(rows);
  return out;
}

ChangeKind verdict(std::vector<double> before, std::vector<double> after) {
  const auto result =
      compare(set({row(8, std::move(before))}), set({row(8, std::move(after))}), {});
  return result->changes.at(0).verdict;
}

TEST(Compare, CallsSlowerWhatIsBeyondTheThresholdAndSure) {
  EXPECT_EQ(verdict(samples(1, 100), samples(2, 100)), ChangeKind::same);
  EXPECT_EQ(verdict(samples(1, 100), samples(2, 103)), ChangeKind::same) << "sure, but too little";
  EXPECT_EQ(verdict(samples(1, 100), samples(2, 110)), ChangeKind::slower);
  EXPECT_EQ(verdict(samples(1, 110), samples(2, 100)), ChangeKind::faster);
}

TEST(Compare, DoesNotDecideWhatFewSamplesCannotTell) {
  EXPECT_EQ(verdict({100}, {150}), ChangeKind::inconclusive);
  EXPECT_EQ(verdict({100, 100, 100}, {150, 150, 150}), ChangeKind::inconclusive);
  EXPECT_EQ(verdict({100, 180, 60, 90}, {150, 90, 160, 101}), ChangeKind::inconclusive);
}

TEST(Compare, MatchesRowsByWhatTheyAreAndSaysWhatIsAlone) {
  const auto result = compare(set({row(8, samples(1, 5)), row(16, samples(1, 5))}),
                              set({row(32, samples(1, 5)), row(16, samples(1, 9))}), {});
  ASSERT_TRUE(result);
  ASSERT_EQ(result->changes.size(), 1u);
  EXPECT_EQ(result->changes[0].bytes, 16u);
  EXPECT_THAT(result->only_before, testing::ElementsAre("all_reduce 8 B f32 host ring g2"));
  EXPECT_EQ(result->only_after.size(), 1u);
  const std::string text = comparison_text(*result, false);
  EXPECT_THAT(text, HasSubstr("1 of 1 became slower by more than 5"));
  EXPECT_THAT(text, HasSubstr("all_reduce 16 B"));
}

TEST(Compare, RefusesWhatHasNothingInCommon) {
  const auto apart = compare(set({row(8, {1})}), set({row(16, {1})}), {});
  ASSERT_FALSE(apart);
  EXPECT_THAT(apart.error().message, HasSubstr("in common"));
  const auto machines = compare(set({row(8, {1})}, "a"), set({row(8, {1})}, "b"), {});
  ASSERT_FALSE(machines);
  EXPECT_THAT(machines.error().message, HasSubstr("different machines"));
  EXPECT_TRUE(compare(set({row(8, {1})}, "a"), set({row(8, {1})}, "b"), {.across_machines = true}));
}

}  // namespace
}  // namespace peerscope
