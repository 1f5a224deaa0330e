#include <cmath>

#include <gtest/gtest.h>

#include "analyze/detect/detect.hpp"
#include "analyze/workload_for_test.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kS = 1'000'000'000;

Op op(Kind kind, int rank, int peer, std::uint64_t bytes, std::int64_t begin_ns,
      std::int64_t duration_ns) {
  return {.begin_ns = begin_ns,
          .host_duration_ns = duration_ns,
          .bytes = bytes,
          .comm = 1,
          .rank = static_cast<std::uint16_t>(rank),
          .ranks = 4,
          .peer = static_cast<std::uint16_t>(peer),
          .kind = kind,
          .algorithm = Algorithm::direct};
}

// `count` operations spread over `span_ns` from `begin_ns`.
void feed(Aggregator& aggregator, Op one, int count, std::int64_t begin_ns, std::int64_t span_ns) {
  for (int i = 0; i < count; ++i) {
    one.begin_ns = begin_ns + span_ns * i / count;
    aggregator.advance(one.begin_ns);
    aggregator.add(std::span(&one, 1));
  }
}

std::vector<Finding> only(const char* kind, std::vector<Finding> found) {
  std::erase_if(found, [kind](const Finding& finding) { return finding.kind != kind; });
  return found;
}

std::vector<Finding> findings(Aggregator& aggregator, std::int64_t now_ns) {
  Snapshot snapshot;
  snapshot.now_ns = now_ns;
  snapshot.aggregates = aggregator.snapshot(now_ns);
  return detect(snapshot);
}

InFlight in_flight(int rank, std::int64_t age_ns, std::uint64_t sequence = 17,
                   Kind kind = Kind::all_reduce) {
  InFlight entry;
  entry.op = op(kind, rank, kNoPeer, 16384, 100 * kS - age_ns, kUnknownNs);
  entry.op.sequence = sequence;
  entry.age_ns = age_ns;
  entry.pid = 1000u + static_cast<std::uint32_t>(rank);
  return entry;
}

TEST(Detect, FindsNothingInNothing) {
  EXPECT_TRUE(detect(Snapshot{}).empty());
  Aggregator aggregator;
  EXPECT_TRUE(findings(aggregator, 0).empty());
  feed(aggregator, op(Kind::send, 0, 1, 16384, 0, 5'000), 1, kS, 1);
  EXPECT_TRUE(findings(aggregator, 2 * kS).empty());
}

TEST(Detect, FindsNothingInAHealthyRunThatPauses) {
  Aggregator aggregator;
  Workload workload({}, 11);
  for (int i = 0; i < 300; ++i) {
    if (i % 50 != 49) workload.run(aggregator, 100'000'000);
    const auto found = findings(aggregator, workload.now_ns());
    ASSERT_TRUE(found.empty()) << found[0].sentence;
  }
}

TEST(Detect, NeverSaysNaNWhateverTheTimes) {
  for (const std::int64_t duration :
       {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, INT64_MAX}) {
    Aggregator aggregator;
    for (int rank = 0; rank < 4; ++rank) {
      Op one = op(Kind::send, rank, (rank + 1) % 4, 1 << 20, kS, duration);
      one.status = OpStatus::error;
      feed(aggregator, one, 200, kS, kS);
    }
    for (const Finding& finding : findings(aggregator, 2 * kS)) {
      EXPECT_TRUE(std::isfinite(finding.impact) && std::isfinite(finding.confidence));
      EXPECT_FALSE(finding.evidence.empty());
      for (const auto& [key, value] : finding.evidence) EXPECT_TRUE(std::isfinite(value)) << key;
      EXPECT_EQ(finding.sentence.find("nan"), std::string::npos) << finding.sentence;
    }
  }
}

TEST(Detect, PutsTheMostSevereFirst) {
  Snapshot snapshot;
  snapshot.now_ns = 100 * kS;
  snapshot.lost = 1;
  snapshot.delivered = 1'000'000;
  snapshot.overhead_fraction = 0.02;
  snapshot.in_flight = {in_flight(0, 5 * kS)};
  const auto found = detect(snapshot);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].kind, "hang");
  EXPECT_EQ(found[1].kind, "overhead");
  EXPECT_EQ(found[2].kind, "records_lost");
  EXPECT_EQ(found[2].severity, Severity::info);
}

TEST(ProcessDied, IsToldOfTheDeadThatWereInNoOperation) {
  Snapshot snapshot;
  snapshot.now_ns = 100 * kS;
  ProcessView process;
  process.pid = 77;
  process.name = "rank 1";
  process.operations = 9955;
  process.last_sign_ns = 98 * kS;
  for (const ProcessState state : {ProcessState::live, ProcessState::ended}) {
    process.state = state;
    snapshot.processes = {process};
    EXPECT_TRUE(detect(snapshot).empty());
  }
  snapshot.processes[0].state = ProcessState::dead;
  const auto found = detect(snapshot);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "process_died");
  EXPECT_EQ(found[0].sentence,
            "Process 77 (rank 1) went without closing its session: killed, crashed, or _exit. It "
            "last gave a sign of life 2.00 s ago, after 9 955 operations; none was in flight.");
  InFlight entry = in_flight(1, kS);
  entry.pid = 77;
  snapshot.in_flight = {entry};
  for (const Finding& finding : detect(snapshot)) EXPECT_NE(finding.kind, "process_died");
}

TEST(Hang, NamesTheRankThatHasNotArrived) {
  Snapshot snapshot;
  snapshot.now_ns = 100 * kS;
  snapshot.in_flight = {in_flight(0, 12 * kS), in_flight(1, 11 * kS), in_flight(3, 12 * kS),
                        in_flight(2, 12 * kS, 16, Kind::barrier)};
  snapshot.communicators = {{1, "tensor parallel"}};
  const auto found = only("hang", detect(snapshot));
  ASSERT_EQ(found.size(), 2u);  // rank 2 hangs in a barrier of its own
  EXPECT_EQ(found[1].subject.rank, 2);
  EXPECT_EQ(found[1].severity, Severity::critical);
  EXPECT_EQ(found[1].subject.communicator, "tensor parallel");
  EXPECT_EQ(found[1].since_ns, 88 * kS);
  EXPECT_EQ(found[1].sentence,
            "Ranks 0, 1 and 3 have been in all_reduce 16 KB for 12.0 s (host clock); rank 2 has "
            "not arrived (it is in "
            "barrier 16 KB number 16).");
}

TEST(Hang, IsNoneBelowItsLimitOrWhereSuchTimesAreUsual) {
  Snapshot snapshot;
  snapshot.now_ns = 100 * kS;
  snapshot.in_flight = {in_flight(0, 999'999'999)};
  EXPECT_TRUE(detect(snapshot).empty());
  Aggregator aggregator;
  feed(aggregator, op(Kind::all_reduce, 0, kNoPeer, 16384, kS, kS), 50, kS, kS);
  snapshot.aggregates = aggregator.snapshot(100 * kS);
  snapshot.in_flight = {in_flight(0, 15 * kS)};
  EXPECT_TRUE(detect(snapshot).empty());
  snapshot.in_flight = {in_flight(0, 25 * kS)};
  EXPECT_EQ(detect(snapshot).size(), 1u);
}

TEST(Hang, SaysWhatADeadProcessWasIn) {
  Snapshot snapshot;
  snapshot.now_ns = 100 * kS;
  snapshot.in_flight = {in_flight(2, 3'000'000), in_flight(0, 5 * kS)};
  ProcessView dead;
  dead.pid = 1002;
  dead.state = ProcessState::dead;
  snapshot.processes = {dead};
  const auto found = detect(snapshot);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].sentence,
            "Rank 0 has been in all_reduce 16 KB for 5.00 s (host clock); ranks 1 and 3 have not "
            "arrived. Rank 2 died in all_reduce 16 KB number 17.");
  EXPECT_EQ(found[1].sentence,
            "Rank 2 was in all_reduce 16 KB (for at least 3.00 ms, host clock) when the process "
            "died; ranks "
            "1 and 3 have not arrived.");
}

TEST(FailureRate, SaysWhatFailsAndOnWhichRank) {
  Aggregator aggregator;
  feed(aggregator, op(Kind::send, 0, 1, 4096, kS, 5'000), 990, kS, kS);
  Op failed = op(Kind::send, 3, 1, 4096, kS, 5'000);
  failed.status = OpStatus::timeout;
  feed(aggregator, failed, 10, kS, kS);
  const auto found = findings(aggregator, 3 * kS);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "failure_rate");
  EXPECT_EQ(found[0].subject.rank, 3);
  EXPECT_EQ(found[0].severity, Severity::warning);
  EXPECT_EQ(found[0].sentence,
            "10 of 1 000 send 4 KB failed in the last 10 s (1.0 %), the first 2.00 s ago, most on "
            "rank 3.");
  EXPECT_TRUE(findings(aggregator, 60 * kS).empty()) << "long over";
}

TEST(LowBandwidthPair, IsTheOneApartFromTheOthers) {
  Aggregator aggregator;
  for (int from = 0; from < 4; ++from) {
    for (int to = 0; to < 4; ++to) {
      const std::int64_t ns = from == 1 && to == 3 ? 170'000 : 44'000 + 1'000 * to;
      if (from != to) feed(aggregator, op(Kind::send, from, to, 1 << 20, kS, ns), 200, kS, kS);
    }
  }
  const auto found = findings(aggregator, 3 * kS);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "low_bandwidth_pair");
  EXPECT_EQ(found[0].subject.rank, 1);
  EXPECT_EQ(found[0].subject.peer, 3);
  EXPECT_GT(found[0].impact, 0.1);
}

TEST(LowBandwidthPair, IsNoneAmongTwoPairsOrTwoHonestKinds) {
  Aggregator two;
  feed(two, op(Kind::send, 0, 1, 1 << 20, kS, 170'000), 200, kS, kS);
  feed(two, op(Kind::send, 1, 0, 1 << 20, kS, 44'000), 200, kS, kS);
  EXPECT_TRUE(findings(two, 3 * kS).empty());
  Aggregator kinds;  // bridges between 0-1 and 2-3, PCIe between the rest
  for (int from = 0; from < 4; ++from) {
    for (int to = 0; to < 4; ++to) {
      const std::int64_t ns = from / 2 == to / 2 ? 10'000 : 44'000;
      if (from != to) feed(kinds, op(Kind::send, from, to, 1 << 20, kS, ns), 200, kS, kS);
    }
  }
  EXPECT_TRUE(findings(kinds, 3 * kS).empty());
}

TEST(SlowOperation, IsOneWhoseTailGrewAndWhoseMedianDidNot) {
  Aggregator aggregator;
  feed(aggregator, op(Kind::send, 0, 1, 4096, kS, 10'000), 400'000, kS, 100 * kS);
  EXPECT_TRUE(findings(aggregator, 101 * kS).empty());
  feed(aggregator, op(Kind::send, 0, 1, 4096, kS, 10'000), 20'000, 101 * kS, 10 * kS);
  feed(aggregator, op(Kind::send, 0, 1, 4096, kS, 3'000'000), 1'000, 111 * kS, kS);
  const auto found = only("slow_operation", findings(aggregator, 112 * kS));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].sentence.find("3.00 ms host"), std::string::npos) << found[0].sentence;
}

TEST(LatencyBound, NeedsProofThatSizeIsNotWhatCosts) {
  Aggregator aggregator;
  feed(aggregator, op(Kind::all_reduce, 0, kNoPeer, 1024, kS, 20'000), 60'000, kS, 5 * kS);
  EXPECT_TRUE(findings(aggregator, 6 * kS).empty());
  feed(aggregator, op(Kind::all_reduce, 0, kNoPeer, 16384, kS, 22'000), 200, 6 * kS, kS / 10);
  const auto found = findings(aggregator, 6 * kS + kS / 5);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "latency_bound");
  EXPECT_EQ(found[0].severity, Severity::info);
}

TEST(RecordsLost, SaysHowManyAreMissing) {
  Snapshot snapshot;
  snapshot.lost = 1'000;
  snapshot.dropped = 234;
  snapshot.delivered = 48'766;
  const auto found = detect(snapshot);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].severity, Severity::warning);
  EXPECT_EQ(found[0].sentence,
            "1 234 of 50 000 records (2.5 %) are missing: 1 000 overwritten before they were read, "
            "234 refused. Counts "
            "and rates are too low by that.");
}

TEST(Overhead, IsSaidOnlyBeyondTheBudget) {
  Snapshot snapshot;
  snapshot.overhead_fraction = 0.01;
  EXPECT_TRUE(detect(snapshot).empty());
  snapshot.overhead_fraction = std::nan("");
  EXPECT_TRUE(detect(snapshot).empty());
  snapshot.overhead_fraction = 0.03;
  ASSERT_EQ(detect(snapshot).size(), 1u);
  EXPECT_EQ(detect(snapshot)[0].impact, 0.03);
}

}  // namespace
}  // namespace peerscope
