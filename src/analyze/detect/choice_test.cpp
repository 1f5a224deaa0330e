// Suggestions: another algorithm, fewer messages, launches; and what came of them.
#include <gtest/gtest.h>

#include "analyze/detect/made_up_for_test.hpp"

namespace peerscope {
namespace {

SeriesRun all_reduce(std::uint64_t bytes, Algorithm algorithm, double transfer_ns) {
  SeriesRun run;
  run.bytes = bytes;
  run.algorithm = algorithm;
  run.transfer_ns = transfer_ns;
  return run;
}

TEST(WrongAlgorithm, IsOneThatAnotherOfThisRunBeats) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    Aggregator aggregator;
    run_series(aggregator, {all_reduce(16384, Algorithm::direct, 12'000)}, 4, seed);
    run_series(aggregator, {all_reduce(16384, Algorithm::ring, 40'000)}, 2, seed + 100,
               5 * kSecond);
    const auto found = alarms(snapshot_of(aggregator, 7 * kSecond));
    ASSERT_EQ(found.size(), 1u) << seed;
    const Finding& wrong = found[0];
    EXPECT_EQ(wrong.kind, "wrong_algorithm");
    EXPECT_EQ(wrong.subject.operation, "all_reduce");
    EXPECT_NEAR(static_cast<double>(wrong.since_ns), 5e9, 0.2e9);
    EXPECT_NEAR(figure(wrong, "predicted_gain_us"), 28, 5);
    EXPECT_NEAR(figure(wrong, "predicted_gain_percent"), 70, 5);
    EXPECT_NE(wrong.sentence.find("direct takes"), std::string::npos) << wrong.sentence;
  }
}

TEST(WrongAlgorithm, IsNoneWithinTheNoiseOrOnTooFew) {
  Aggregator close;
  run_series(close, {all_reduce(16384, Algorithm::direct, 12'000)}, 3, 1);
  run_series(close, {all_reduce(16384, Algorithm::ring, 13'500)}, 3, 2, 4 * kSecond);
  EXPECT_TRUE(alarms(snapshot_of(close, 7 * kSecond)).empty());
  Aggregator few;
  run_series(few, {all_reduce(16384, Algorithm::direct, 12'000)}, 0.02, 1);  // 10
  run_series(few, {all_reduce(16384, Algorithm::ring, 40'000)}, 3, 2, 4 * kSecond);
  EXPECT_TRUE(alarms(snapshot_of(few, 7 * kSecond)).empty());
}

TEST(WrongAlgorithm, IsNotBlamedForWhatMadeEverythingSlower) {
  Aggregator aggregator;
  run_series(
      aggregator,
      {all_reduce(16384, Algorithm::direct, 12'000), all_reduce(1 << 20, Algorithm::ring, 90'000)},
      4, 1);
  run_series(aggregator,
             {all_reduce(16384, Algorithm::two_shot, 24'000),
              all_reduce(1 << 20, Algorithm::ring, 180'000)},
             3, 2, 5 * kSecond);
  EXPECT_EQ(find_kind(alarms(snapshot_of(aggregator, 8 * kSecond)), "wrong_algorithm"), nullptr);
}

// Ring of four ranks by the model: 6 alpha + 1.5 bytes beta.
double ring_ns(std::uint64_t bytes) { return 6 * 5'000 + 1.5 * static_cast<double>(bytes) * 0.01; }

TEST(WrongAlgorithm, IsAGuessOfTheModelWhereNothingElseWasTried) {
  Aggregator aggregator;
  std::vector<SeriesRun> runs;
  for (const std::uint64_t bytes : {4096u, 65536u, 1u << 20, 16u << 20})
    runs.push_back(all_reduce(bytes, Algorithm::ring, ring_ns(bytes)));
  run_series(aggregator, runs, 3, 1);
  const auto found = detect(snapshot_of(aggregator, 4 * kSecond));
  bool small = false;
  for (const Finding& finding : found) {
    EXPECT_EQ(finding.severity, Severity::info) << finding.sentence;
    if (finding.kind != "wrong_algorithm" || figure(finding, "message_bytes") != 4096) continue;
    small = true;
    EXPECT_NEAR(figure(finding, "predicted_gain_us"), 25, 5) << finding.sentence;
    EXPECT_LE(finding.confidence, 0.7);
  }
  EXPECT_TRUE(small);
}

TEST(SuggestionOutcome, SaysWhatWasAchievedAgainstWhatWasPredicted) {
  Aggregator aggregator;
  std::vector<SeriesRun> runs;
  for (const std::uint64_t bytes : {4096u, 65536u, 1u << 20, 16u << 20})
    runs.push_back(all_reduce(bytes, Algorithm::ring, ring_ns(bytes)));
  run_series(aggregator, runs, 3, 1);
  runs[0] = all_reduce(4096, Algorithm::direct, 7'000);
  run_series(aggregator, runs, 3, 2, 4 * kSecond);
  const auto found = detect(snapshot_of(aggregator, 7 * kSecond));
  const Finding* outcome = find_kind(found, "suggestion_outcome");
  ASSERT_NE(outcome, nullptr);
  EXPECT_EQ(outcome->severity, Severity::info);
  EXPECT_NEAR(figure(*outcome, "achieved_gain_us"), 23, 4);
  EXPECT_NEAR(figure(*outcome, "predicted_gain_us"), 25, 6);
  EXPECT_NE(outcome->sentence.find("less was predicted"), std::string::npos) << outcome->sentence;
}

// Asynchronous operations whose host needs `enqueue_ns` for what the device does in `busy_ns`; `ahead`: it runs ahead.
std::vector<Finding> launched(std::int64_t enqueue_ns, std::int64_t busy_ns, bool ahead) {
  Aggregator aggregator;
  std::int64_t host_ns = kSecond, device_ns = kSecond;
  for (int i = 0; i < 2'000; ++i) {
    Op op;
    op.begin_ns = host_ns;
    op.host_duration_ns = enqueue_ns;
    op.bytes = 16384;
    op.sequence = static_cast<std::uint64_t>(i);
    op.comm = 1;
    op.rank = 0;
    op.ranks = 2;
    op.kind = Kind::all_reduce;
    op.async = true;
    host_ns += enqueue_ns;
    device_ns = ahead ? std::max(device_ns, host_ns + 50'000) : std::max(device_ns, host_ns);
    op.device_begin_ns = device_ns;
    op.device_duration_ns = busy_ns;
    device_ns += busy_ns;
    aggregator.advance(host_ns);
    aggregator.add({&op, 1});
  }
  return detect(snapshot_of(aggregator, host_ns));
}

TEST(HostBound, IsADeviceThatWaitsForEnqueues) {
  const auto found = launched(20'000, 5'000, false);
  const Finding* bound = find_kind(found, "host_bound");
  ASSERT_NE(bound, nullptr);
  EXPECT_EQ(bound->subject.rank, 0);
  EXPECT_NEAR(figure(*bound, "launch_idle_share"), 0.75, 0.02);
  EXPECT_NEAR(figure(*bound, "predicted_gain_us"), 15, 1);
  EXPECT_EQ(find_kind(launched(5'000, 20'000, true), "host_bound"), nullptr);
  EXPECT_EQ(find_kind(launched(0, 0, false), "host_bound"), nullptr);
}

TEST(ArrivalSkew, IsToldWhereNoRankIsTheLateOne) {
  Aggregator aggregator;
  std::mt19937 random(1);
  std::exponential_distribution<double> late(1.0 / 600'000);
  std::int64_t now = kSecond;
  for (std::uint64_t i = 0; i < 1'500; ++i) {
    std::vector<Arrival> arrivals;
    std::int64_t last = 0;
    for (std::uint16_t rank = 0; rank < 4; ++rank) {
      const auto at = now + static_cast<std::int64_t>(late(random));
      arrivals.push_back({at, 0, rank, OpStatus::ok});
      last = std::max(last, at);
    }
    Collective c;
    for (Arrival& arrival : arrivals) {
      arrival.end_ns = last + 20'000;
      if (arrival.begin_ns == last) c.last_rank = arrival.rank;
    }
    c.comm = 1;
    c.sequence = i;
    c.bytes = 16384;
    c.first_ns = std::min_element(arrivals.begin(), arrivals.end(), [](auto& a, auto& b) {
                   return a.begin_ns < b.begin_ns;
                 })->begin_ns;
    c.last_ns = last;
    c.end_ns = now = last + 20'000;
    c.ranks = 4;
    c.kind = Kind::all_reduce;
    c.complete = true;
    c.arrivals = arrivals;
    aggregator.advance(now);
    aggregator.add(c);
  }
  const auto found = detect(snapshot_of(aggregator, now));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "arrival_skew");
  EXPECT_EQ(found[0].severity, Severity::info);
  EXPECT_GT(figure(found[0], "waiting_share"), 0.8);
}

TEST(PairImbalance, IsOnePairThatCarriesMostOfIt) {
  for (const int heavy : {1, 12}) {
    Aggregator aggregator;
    for (int i = 0; i < 200; ++i) {
      for (int to = 1; to < 6; ++to) {
        Op op;
        op.begin_ns = kSecond + i * kMilli;
        op.host_duration_ns = 100'000;
        op.bytes =
            static_cast<std::uint64_t>(1 << 20) * static_cast<std::uint64_t>(to == 3 ? heavy : 1);
        op.comm = 1;
        op.rank = 0;
        op.peer = static_cast<std::uint16_t>(to);
        op.ranks = 6;
        op.kind = Kind::send;
        aggregator.advance(op.begin_ns);
        aggregator.add({&op, 1});
      }
    }
    const auto found = detect(snapshot_of(aggregator, 2 * kSecond));
    const Finding* most = find_kind(found, "pair_imbalance");
    ASSERT_EQ(most != nullptr, heavy > 1);
    if (most == nullptr) continue;
    EXPECT_EQ(most->subject.rank, 0);
    EXPECT_EQ(most->subject.peer, 3);
    EXPECT_NEAR(figure(*most, "ratio"), 12, 0.1);
  }
}

}  // namespace
}  // namespace peerscope
