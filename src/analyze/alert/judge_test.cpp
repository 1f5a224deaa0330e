// Rules over time: when an alert begins, fires and ends, and what keeps it quiet.
#include "analyze/alert/judge.hpp"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/alert/notices.hpp"
#include "analyze/alert/silence.hpp"
#include "analyze/alert/snapshot_for_test.hpp"

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Judged : public testing::Test {
 protected:
  void rules(std::initializer_list<const char*> texts) {
    std::vector<Rule> rules;
    for (const char* text : texts) rules.push_back(rule_of(text));
    judge_.emplace(rules);
  }
  // "firing", "pending" ... of each change.
  std::vector<std::string> look(const Snapshot& snapshot) {
    std::vector<std::string> out;
    for (const Alert& alert : judge_->look(snapshot, silences_))
      out.emplace_back(name(alert.state));
    return out;
  }
  // p99 on the device at that second.
  std::vector<std::string> at(double second, double us) {
    return look(of_all_reduce(static_cast<std::int64_t>(second * 1e9), us < 0 ? -1 : us * 1e3));
  }
  std::vector<std::string> findings(double second, const std::vector<Finding>& found) {
    Snapshot snapshot = of_all_reduce(static_cast<std::int64_t>(second * 1e9), 1);
    snapshot.findings = found;
    return look(snapshot);
  }
  Alert only() const {
    const auto alerts = judge_->alerts();
    EXPECT_EQ(alerts.size(), 1u);
    return alerts.empty() ? Alert{} : alerts.front();
  }

  std::optional<AlertJudge> judge_;
  std::vector<Silence> silences_;
};

TEST_F(Judged, FiresOnceItWasWrongForAsLongAsTheRuleSays) {
  rules({"slow: p99(all_reduce, device) > 200us for 10s"});
  EXPECT_THAT(at(1, 100), IsEmpty());
  EXPECT_THAT(at(2, 300), ElementsAre("pending"));
  EXPECT_THAT(at(11, 300), IsEmpty());
  EXPECT_THAT(at(12, 300), ElementsAre("firing"));
  EXPECT_EQ(only().since_ns, 2 * kSecond);
  EXPECT_EQ(only().fired_ns, 12 * kSecond);
  EXPECT_EQ(only().value, 300e3);
  EXPECT_EQ(only().threshold, 200e3);
  EXPECT_EQ(only().unit, "ns");
  EXPECT_EQ(only().sentence,
            "all_reduce: p99 (device, last 10 s) is 300 µs, above 200 µs (all_reduce of 16 KB).");
  EXPECT_THAT(at(13, 100), ElementsAre("resolved"));
  EXPECT_EQ(only().resolved_ns, 13 * kSecond);
}

TEST_F(Judged, WhatWasWrongTooShortlyNeverFires) {
  rules({"slow: p99 > 200us for 10s"});
  EXPECT_THAT(at(2, 300), ElementsAre("pending"));
  EXPECT_THAT(at(8, 100), IsEmpty());
  EXPECT_THAT(judge_->alerts(), IsEmpty());
  EXPECT_THAT(at(9, 300), ElementsAre("pending"));
  EXPECT_THAT(at(13, 300), IsEmpty());  // the time before does not count
}

TEST_F(Judged, IsResolvedOnlyBeyondTheClearThresholdAndAfterKeep) {
  rules({"slow: p99 > 200us clear 150us keep 5s"});
  EXPECT_THAT(at(1, 300), ElementsAre("firing"));
  EXPECT_THAT(at(2, 180), IsEmpty());  // no longer wrong, not yet well
  EXPECT_THAT(at(9, 180), IsEmpty());
  EXPECT_THAT(at(10, 140), IsEmpty());
  EXPECT_THAT(at(14, 160), IsEmpty());  // well was too short
  EXPECT_THAT(at(15, 140), IsEmpty());
  EXPECT_THAT(at(19.9, 140), IsEmpty());
  EXPECT_THAT(at(20, 150), ElementsAre("resolved"));
}

TEST_F(Judged, TheUnknownNeitherFiresNorResolvesAndItsTimeDoesNotCount) {
  rules({"slow: p99 > 200us for 10s keep 10s"});
  EXPECT_THAT(at(1, 300), ElementsAre("pending"));
  EXPECT_THAT(at(2, -1), IsEmpty());
  EXPECT_THAT(at(60, -1), IsEmpty());
  EXPECT_THAT(at(61, 300), IsEmpty());
  EXPECT_THAT(at(71, 300), ElementsAre("firing"));
  EXPECT_THAT(at(72, -1), IsEmpty());
  EXPECT_EQ(only().value, std::nullopt);
  Snapshot nothing;
  nothing.now_ns = 200 * kSecond;
  EXPECT_THAT(look(nothing), IsEmpty());
  EXPECT_EQ(only().state, AlertState::firing);
  EXPECT_THAT(at(201, 100), IsEmpty());
  EXPECT_THAT(at(205, -1), IsEmpty());
  EXPECT_THAT(at(300, 100), IsEmpty());
  EXPECT_THAT(at(310, 100), ElementsAre("resolved"));
}

TEST_F(Judged, WhatIsPendingAndUnknownForLongIsForgotten) {
  rules({"slow: p99 > 200us for 10s"});
  at(1, 300);
  at(2, -1);
  at(700, -1);
  EXPECT_THAT(judge_->alerts(), IsEmpty());
}

TEST_F(Judged, AClockThatRunsBackwardsDoesNoHarm) {
  rules({"slow: p99 > 200us for 10s"});
  EXPECT_THAT(at(100, 300), ElementsAre("pending"));
  EXPECT_THAT(at(1, 300), IsEmpty());
  EXPECT_THAT(at(50, 300), IsEmpty());
  EXPECT_THAT(at(109, 300), IsEmpty());
  EXPECT_THAT(at(110, 300), ElementsAre("firing"));
  EXPECT_THAT(at(5, 100), ElementsAre("resolved"));
  EXPECT_EQ(only().resolved_ns, 110 * kSecond);
}

TEST_F(Judged, AFindingSpeaksForItself) {
  rules({"finding any at_least warning for 2s"});
  EXPECT_THAT(findings(1, {finding_of("straggler", Severity::info, 1)}), IsEmpty());
  EXPECT_THAT(findings(2, {finding_of("straggler", Severity::warning, 1),
                           finding_of("straggler", Severity::warning, 2)}),
              ElementsAre("pending", "pending"));
  EXPECT_THAT(findings(4, {finding_of("straggler", Severity::critical, 1)}), ElementsAre("firing"));
  EXPECT_EQ(only().severity, Severity::critical);
  EXPECT_EQ(only().sentence, "Rank 1 is late.");
  EXPECT_EQ(only().action, "peerscope debug trace");
  EXPECT_THAT(only().labels,
              testing::Contains(std::pair<std::string, std::string>("kind", "straggler")));
  EXPECT_EQ(only().value, std::nullopt);
  EXPECT_THAT(findings(5, {}), ElementsAre("resolved"));
}

TEST_F(Judged, ARateIsThatOfItsWindowOrOfACounterOverTime) {
  rules({"failing: rate(errors) > 1/s", "loss: rate(lost) > 5/s over 10s"});
  EXPECT_THAT(look(of_all_reduce(1 * kSecond, 1, 5)), IsEmpty());  // 5 in 10 s
  EXPECT_THAT(look(of_all_reduce(2 * kSecond, 1, 50)), ElementsAre("firing"));
  EXPECT_EQ(only().value, 5);
  EXPECT_EQ(only().unit, "/s");
  Snapshot snapshot = of_all_reduce(3 * kSecond, 1);
  EXPECT_THAT(look(snapshot), ElementsAre("resolved"));
  for (int i = 4; i < 12; ++i) {
    snapshot.now_ns = i * kSecond;
    snapshot.lost = static_cast<std::uint64_t>(i) * 10;
    const auto changes = look(snapshot);
    if (i < 11)
      EXPECT_THAT(changes, IsEmpty()) << i;  // no past that is long enough
    else
      EXPECT_THAT(changes, ElementsAre("firing"));
  }
}

TEST_F(Judged, AChangeIsAgainstWhatItWas) {
  rules({"slower: change(busbw(all_reduce)) < -30% over 60s"});
  for (int second = 1; second <= 61; ++second) EXPECT_THAT(at(second, 100), IsEmpty());
  EXPECT_THAT(at(62, 120), IsEmpty());  // 1/1.2: 17 % less
  EXPECT_THAT(at(63, 200), ElementsAre("firing"));
  EXPECT_NEAR(*only().value, -0.5, 1e-9);
  EXPECT_EQ(only().unit, "share");
  EXPECT_THAT(
      only().sentence,
      testing::HasSubstr("the change of busbw (last 10 s) is -50 % over 60.0 s, below -30 %"));
}

TEST_F(Judged, WhatIsNoLongerOpenIsOver) {
  rules({"stuck: in_flight_age > 1s group rank"});
  Snapshot snapshot = of_all_reduce(1 * kSecond, 1);
  snapshot.in_flight.resize(1);
  snapshot.in_flight[0].op.rank = 3;
  snapshot.in_flight[0].age_ns = 2 * kSecond;
  EXPECT_THAT(look(snapshot), ElementsAre("firing"));
  EXPECT_EQ(only().subject.rank, 3);
  EXPECT_THAT(at(2, 1), ElementsAre("resolved"));
}

TEST_F(Judged, ACriticalAlertKeepsLesserOnesOfItsSubjectQuiet) {
  rules({"finding straggler", "finding hang"});
  findings(1, {finding_of("straggler", Severity::warning, 1),
               finding_of("straggler", Severity::warning, 2),
               finding_of("hang", Severity::critical, 1)});
  for (const Alert& alert : judge_->alerts()) {
    const bool same = alert.rule == "finding straggler" && alert.subject.rank == 1;
    EXPECT_EQ(alert.inhibited_by, same ? "finding hang" : "") << alert.rule << *alert.subject.rank;
  }
  EXPECT_THAT(findings(2, {finding_of("straggler", Severity::warning, 1),
                           finding_of("straggler", Severity::warning, 2)}),
              ElementsAre("firing", "resolved"));  // heard again
}

TEST_F(Judged, ARuleNamesWhoInhibitsIt) {
  rules({"stuck: finding hang", "slow: p99 > 200us inhibited_by stuck"});
  Snapshot snapshot = of_all_reduce(1 * kSecond, 300e3);
  snapshot.findings = {finding_of("hang", Severity::warning, 1)};
  look(snapshot);
  const auto alerts = judge_->alerts();
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].inhibited_by + alerts[1].inhibited_by, "stuck");
}

TEST_F(Judged, ASilenceHoldsUntilItsEnd) {
  rules({"slow: p99 > 200us"});
  const std::int64_t offset = of_all_reduce(0, 1).real_offset_ns;
  silences_ = {{"s1",
                {*parse_matcher("rule~sl*"), *parse_matcher("severity!=critical")},
                offset + 10 * kSecond,
                offset,
                "known",
                "me"}};
  EXPECT_THAT(at(1, 300), ElementsAre("firing"));
  EXPECT_EQ(only().silenced_by, "s1");
  EXPECT_THAT(at(9, 300), IsEmpty());
  EXPECT_THAT(at(10, 300), ElementsAre("firing"));
  EXPECT_EQ(only().silenced_by, "");
  EXPECT_EQ(judge_->mark({}, offset).size(), 0u);
}

TEST_F(Judged, NewRulesKeepWhatOldOnesOfTheSameTextHaveSeen) {
  rules({"slow: p99 > 200us", "gone: p99 > 100us"});
  at(1, 300);
  const auto changed = judge_->set_rules({rule_of("new: p50 > 1s"), rule_of("slow: p99 > 200us")});
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_EQ(changed[0].rule, "gone");
  EXPECT_EQ(changed[0].state, AlertState::resolved);
  EXPECT_EQ(judge_->state_of(0), AlertState::inactive);
  EXPECT_EQ(judge_->state_of(1), AlertState::firing);
}

TEST_F(Judged, MemoryIsBoundedWhateverComes) {
  judge_.emplace(
      std::vector<Rule>{rule_of("finding any"), rule_of("change(count) > 1% group rank")},
      JudgeOptions{.max_groups = 8, .max_alerts = 5, .max_resolved = 4});
  for (int second = 1; second < 300; ++second) {
    Snapshot snapshot = of_all_reduce(second * kSecond, 1);
    for (int i = 0; i < 20; ++i)
      snapshot.findings.push_back(finding_of("hang", Severity::critical, second % 3 * 100 + i));
    judge_->look(snapshot, {});
    EXPECT_EQ(judge_->overflowed(), 15u);
    EXPECT_LE(judge_->alerts().size(), 9u);
  }
}

// Whatever figures come, known or not, in whatever order of time.
TEST(JudgedAtRandom, StatesFollowTheRules) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](unsigned most) { return static_cast<int>(random() % most); };
    const Rule rule = rule_of("slow: p99 > 200us for 5s keep 3s clear 100us");
    AlertJudge judge({rule}), twin({rule});
    Alert before;
    before.state = AlertState::inactive;
    std::int64_t now = 1000 * kSecond, latest = 0;
    for (int look = 0; look < 200; ++look) {
      now += (below(4) == 0 ? -below(3000) : below(3000)) * 1'000'000LL;
      latest = std::max(latest, now);
      const double ns = below(5) == 0 ? -1 : below(3) == 0 ? 50e3 : below(2) == 0 ? 150e3 : 300e3;
      const Snapshot snapshot = of_all_reduce(now, ns);
      const auto changes = judge.look(snapshot, {});
      const auto same = twin.look(snapshot, {});
      ASSERT_EQ(changes.size(), same.size());  // the same input, the same alerts
      for (std::size_t i = 0; i < changes.size(); ++i) EXPECT_EQ(changes[i].id, same[i].id);
      ASSERT_LE(changes.size(), 1u);
      for (const Alert& alert : changes) {
        if (ns < 0) ADD_FAILURE() << "the unknown changed " << name(alert.state);
        if (alert.state == AlertState::firing) {
          EXPECT_GT(ns, 200e3);
          EXPECT_GE(alert.fired_ns - alert.since_ns, rule.for_ns);
          EXPECT_EQ(before.id, alert.id);
        }
        if (alert.state == AlertState::resolved) {
          EXPECT_LE(ns, 100e3);
          EXPECT_EQ(before.id, alert.id);
          EXPECT_EQ(before.state, AlertState::firing);
        }
        EXPECT_LE(alert.since_ns, latest);
        before = alert;
      }
    }
  }
}

TEST(Matchers, ComparePatternsAndWhatIsNotThere) {
  const Labels labels{{"rank", "3"}, {"rule", "slow all_reduce"}};
  const auto hit = [&](const char* text) { return matches(*parse_matcher(text), labels); };
  EXPECT_TRUE(hit("rank=3"));
  EXPECT_FALSE(hit("rank=33"));
  EXPECT_TRUE(hit("rank!=4"));
  EXPECT_TRUE(hit("rule~slow*"));
  EXPECT_TRUE(hit("rule~*all?red*"));
  EXPECT_FALSE(hit("rule!~*slow*"));
  EXPECT_TRUE(hit("peer="));
  EXPECT_TRUE(hit("peer!=1"));
  EXPECT_TRUE(matches_pattern(std::string(2000, '*') + "b", std::string(2000, 'a') + "b"));
  EXPECT_FALSE(parse_matcher("rank"));
  EXPECT_FALSE(parse_matcher("colour=red"));
  EXPECT_FALSE(parse_matcher("=3"));
  EXPECT_EQ(matcher_text(*parse_matcher("rule!~a=b")), "rule!~a=b");
}

TEST(Notices, AreGivenOnceThenRepeatedAndEndWithTheAlert) {
  Notices notices({.repeat_ns = 100 * kSecond, .refresh_ns = 30 * kSecond});
  Alert alert;
  alert.id = "1";
  alert.state = AlertState::pending;
  const auto plan = [&](int second) {
    std::string out;
    for (const Notice& notice : notices.plan({&alert, 1}, second * kSecond))
      out += name(notice.reason);
    return out;
  };
  EXPECT_EQ(plan(1), "");
  alert.state = AlertState::firing;
  EXPECT_EQ(plan(2), "fired");
  EXPECT_EQ(plan(3), "");
  EXPECT_EQ(plan(32), "refresh");
  EXPECT_EQ(plan(62), "refresh");
  EXPECT_EQ(plan(102), "repeated");
  EXPECT_EQ(plan(103), "");
  EXPECT_EQ(plan(1), "");  // backwards
  alert.severity = Severity::critical;
  EXPECT_EQ(plan(104), "worse");
  alert.silenced_by = "s";
  EXPECT_EQ(plan(500), "");
  alert.silenced_by = "";
  EXPECT_EQ(plan(501), "repeated");
  alert.state = AlertState::resolved;
  EXPECT_EQ(plan(502), "resolved");
  EXPECT_EQ(plan(503), "");
  alert.id = "2";
  alert.inhibited_by = "r";
  alert.state = AlertState::firing;
  EXPECT_EQ(plan(504), "");
  alert.state = AlertState::resolved;
  EXPECT_EQ(plan(505), "");  // nobody heard of it
}

}  // namespace
}  // namespace peerscope
