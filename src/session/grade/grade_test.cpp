// The judge, and what it judges: findings against the truth, cases, sums.
#include <gmock/gmock.h>

#include "comm/sim/simulation.hpp"
#include "session/grade/sim_trace.hpp"
#include "session/grade/suite.hpp"
#include "session/grade/watch.hpp"
#include "session/replay.hpp"
#include "trace/reader.hpp"

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Finding finding_of(const char* kind, std::optional<int> rank = {}, std::optional<int> peer = {}) {
  Finding finding;
  finding.kind = kind;
  finding.subject.rank = rank;
  finding.subject.peer = peer;
  return finding;
}

sim::Truth truth_of(const char* fault, std::vector<int> ranks) {
  sim::Truth truth;
  truth.fault = fault;
  truth.begin_ns = 1'000;
  truth.ranks = std::move(ranks);
  if (!truth.ranks.empty()) truth.rank = truth.ranks[0];
  if (truth.ranks.size() > 1) truth.peer = truth.ranks[1];
  return truth;
}

TEST(Judge, AFindingIsRightIfItNamesFaultAndPlace) {
  const sim::Truth slow = truth_of("slow_rank", {3});
  EXPECT_EQ(judge(finding_of("straggler", 3), &slow), Judgement::right);
  EXPECT_EQ(judge(finding_of("straggler", 2), &slow), Judgement::wrong);
  EXPECT_EQ(judge(finding_of("straggler"), &slow), Judgement::unlocalised);
  EXPECT_EQ(judge(finding_of("hang", 3), &slow), Judgement::wrong);
  EXPECT_EQ(judge(finding_of("straggler", 3), nullptr), Judgement::wrong);
}

TEST(Judge, ALinkBetweenTwoGpusHasTwoEndsAndAPortHasOne) {
  const sim::Truth between = truth_of("slow_link", {0, 2});
  EXPECT_EQ(judge(finding_of("slow_link", 2, 0), &between), Judgement::right);
  EXPECT_EQ(judge(finding_of("slow_link", 2, 1), &between), Judgement::wrong);
  const sim::Truth port = truth_of("slow_link", {5});
  EXPECT_EQ(judge(finding_of("low_bandwidth_pair", 1, 5), &port), Judgement::right);
  EXPECT_EQ(judge(finding_of("low_bandwidth_pair", 1, 2), &port), Judgement::wrong);
  EXPECT_EQ(judge(finding_of("step_change"), &port), Judgement::consequence);
}

TEST(Judge, InformationAlarmsNobody) {
  Finding hint = finding_of("latency_bound");
  hint.severity = Severity::info;
  EXPECT_EQ(judge(hint, nullptr), Judgement::information);
  const sim::Truth truth = truth_of("slow_rank", {3});
  EXPECT_EQ(judge(hint, &truth), Judgement::information);
}

TEST(Judge, AnOperationIsAPlaceToo) {
  sim::Truth truth = truth_of("step_change", {});
  truth.operation = "all_reduce";
  Finding finding = finding_of("step_change");
  EXPECT_EQ(judge(finding, &truth), Judgement::unlocalised);
  finding.subject.operation = "all_reduce 16 KB";
  EXPECT_EQ(judge(finding, &truth), Judgement::right);
  finding.subject.operation = "send";
  EXPECT_EQ(judge(finding, &truth), Judgement::wrong);
}

TEST(Judge, EveryFaultOfTheSimulatorCanBeNamed) {
  for (const sim::FaultKind& kind : sim::fault_kinds()) {
    bool named = false;
    for (const char* word :
         {"straggler", "slow_link", "degraded_pcie", "flapping_link", "contention", "hang",
          "mismatch", "wrong_algorithm", "pool_pressure", "step_change", "drift", "retries"}) {
      const sim::Truth truth = truth_of(kind.name, {});
      named = named || judge(finding_of(word), &truth) == Judgement::right;
    }
    EXPECT_TRUE(named) << kind.name;
  }
}

TEST(CaseGrade, CountsDelaysAndFalseAlarmsOnce) {
  CaseGrade grade(truth_of("slow_rank", {3}));
  grade.add({finding_of("straggler", 3)}, 500);  // before it began: nothing to find
  EXPECT_FALSE(grade.detected());
  grade.add({finding_of("straggler", 3)}, 1'500);
  grade.add({finding_of("straggler", 3), finding_of("drift")}, 2'000);
  grade.add({finding_of("drift")}, 2'500);
  EXPECT_TRUE(grade.localised());
  EXPECT_DOUBLE_EQ(*grade.delay_s(), 500e-9);
  EXPECT_EQ(grade.false_alarms().size(), 2u);
}

TEST(CaseGrade, ToNameAnotherPlaceAsWellIsNotToHaveFoundIt) {
  CaseGrade grade(truth_of("slow_rank", {3}));
  grade.add({finding_of("straggler", 3), finding_of("straggler", 4)}, 1'500);
  EXPECT_TRUE(grade.detected());
  EXPECT_FALSE(grade.localised());
}

CaseResult result_of(const char* fault, bool localised, double delay_s, int false_alarms) {
  CaseResult result;
  result.it.fault = fault;
  if (*fault != '\0') result.truth = truth_of(fault, {0});
  result.detected = result.localised = localised;
  if (localised) result.delay_s = delay_s;
  for (int i = 0; i < false_alarms; ++i) result.false_alarms.push_back(std::to_string(i));
  return result;
}

TEST(Suite, AddsUpAndSaysWhichGoalsAreMissed) {
  const SuiteResult good =
      add_up({result_of("lost_rank", true, 0.7, 0), result_of("slow_rank", true, 1.0, 0),
              result_of("", false, 0, 0)});
  EXPECT_DOUBLE_EQ(*good.all.precision(), 1.0);
  EXPECT_DOUBLE_EQ(*good.all.recall(), 1.0);
  EXPECT_DOUBLE_EQ(*good.hang_delay_s, 0.7);
  EXPECT_TRUE(good.missed_goals.empty());
  const SuiteResult bad =
      add_up({result_of("lost_rank", true, 1.5, 0), result_of("slow_rank", false, 0, 2)});
  EXPECT_DOUBLE_EQ(*bad.all.precision(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(*bad.all.recall(), 0.5);
  EXPECT_THAT(bad.missed_goals,
              ElementsAre(HasSubstr("precision"), HasSubstr("recall"), HasSubstr("hang")));
  EXPECT_FALSE(add_up({}).all.precision().has_value());
}

TEST(Suite, HasEnoughCasesAThirdOfThemHealthyAndOtherSeedsGiveOthers) {
  const auto cases = suite_cases({});
  EXPECT_GE(cases.size(), 200u);
  const auto healthy = std::count_if(cases.begin(), cases.end(),
                                     [](const SuiteCase& it) { return it.fault.empty(); });
  EXPECT_EQ(static_cast<std::size_t>(healthy) * 3, cases.size());
  SuiteOptions other;
  other.seed = 2;
  EXPECT_NE(suite_cases(other)[0].seed, cases[0].seed);
}

TEST(SimWatch, NamesALostRankWithinASecond) {
  const CaseResult result = run_case({"nvswitch8", "lost_rank", 11}, {}, {});
  EXPECT_EQ(result.problem, "");
  EXPECT_TRUE(result.localised);
  ASSERT_TRUE(result.delay_s);
  EXPECT_LE(*result.delay_s, 1.0);
}

TEST(SimWatch, ACaseIsTheSameEachTime) {
  SuiteOptions options;
  options.seconds = 5.5;
  const CaseResult a = run_case({"pcie8", "slow_rank", 5}, options, {});
  const CaseResult b = run_case({"pcie8", "slow_rank", 5}, options, {});
  EXPECT_EQ(a.operations, b.operations);
  EXPECT_EQ(a.delay_s, b.delay_s);
  EXPECT_EQ(a.false_alarms, b.false_alarms);
}

TEST(SimTrace, AFileHoldsWhatTheRunGave) {
  const std::string path = testing::TempDir() + "simulated-test.pscope";
  auto run = simulate_case({"nvlink4", "retries_with_errors", 3});
  ASSERT_TRUE(run);
  auto trace = SimTrace::create(path, {});
  ASSERT_TRUE(trace) << trace.error().message;
  const MonitorOptions options;
  SimWatch watch(**run, options, &*trace);
  watch.run_until((*run)->options().origin_ns + 6'000'000'000);
  watch.finish();
  const Snapshot snapshot = watch.snapshot();
  ASSERT_TRUE(trace->finish(**run, snapshot, "test"));
  auto reader = TraceReader::open(path);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->operations(), (*run)->operations());
  EXPECT_EQ(reader->meta().communicators.at(0).members.size(), 4u);
  const auto replayed = replay(*reader, options, {});
  ASSERT_TRUE(replayed);
  EXPECT_EQ(replayed->aggregates->totals.operations, snapshot.aggregates->totals.operations);
  EXPECT_EQ(replayed->aggregates->totals.errors, snapshot.aggregates->totals.errors);
  EXPECT_GT(replayed->aggregates->totals.errors, 0u);
  EXPECT_FALSE(replayed->events.empty());
  EXPECT_EQ(truth_path("a/b.pscope"), "a/b.truth.json");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace peerscope
