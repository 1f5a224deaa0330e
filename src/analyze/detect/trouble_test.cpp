// Detectors of what goes wrong: hangs, mismatches, failures, memory.
#include <gtest/gtest.h>

#include "analyze/detect/made_up_for_test.hpp"

namespace peerscope {
namespace {

InFlight waiting(int rank, std::int64_t age_ns, std::uint64_t sequence,
                 Kind kind = Kind::all_reduce, std::uint64_t bytes = 16384, int ranks = 4) {
  InFlight entry;
  entry.op.begin_ns = 100 * kSecond - age_ns;
  entry.op.bytes = bytes;
  entry.op.sequence = sequence;
  entry.op.comm = 1;
  entry.op.rank = static_cast<std::uint16_t>(rank);
  entry.op.ranks = static_cast<std::uint16_t>(ranks);
  entry.op.kind = kind;
  entry.age_ns = age_ns;
  entry.pid = 1000u + static_cast<std::uint32_t>(rank);
  return entry;
}

// All reduces of 16 KB that take 20 us.
Snapshot with_history() {
  static const std::shared_ptr<const Aggregates> aggregates = [] {
    Aggregator aggregator;
    SeriesRun run;
    run.bytes = 16384;
    run.transfer_ns = 20'000;
    run_series(aggregator, {run}, 2, 1, 97 * kSecond);
    return aggregator.snapshot(100 * kSecond);
  }();
  Snapshot snapshot;
  snapshot.now_ns = 100 * kSecond;
  snapshot.aggregates = aggregates;
  return snapshot;
}

ProcessView process(int rank, ProcessState state = ProcessState::live, bool stopped = false) {
  ProcessView view;
  view.pid = 1000u + static_cast<std::uint32_t>(rank);
  view.state = state;
  view.stopped = stopped;
  return view;
}

// Stopped after its call was recorded and before its GPU had the kernel.
TEST(Hang, NamesWhoStandsStillWhereNothingIsInFlight) {
  Snapshot snapshot = with_history();
  snapshot.processes = {process(0), process(1, ProcessState::live, true)};
  for (ProcessView& view : snapshot.processes) {
    view.operations = 100;
    view.rank = static_cast<int>(view.pid - 1000);
  }
  const auto found = alarms(snapshot);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].subject.rank, 1);
  EXPECT_NE(found[0].action.find("kill -CONT 1001"), std::string::npos);
  snapshot.processes[1].stopped = false;  // a job that has nothing to do is none that hangs
  EXPECT_TRUE(alarms(snapshot).empty());
}

TEST(Hang, OfWhatUsuallyIsQuickIsNamedAfterHalfASecond) {
  Snapshot snapshot = with_history();
  snapshot.in_flight = {waiting(0, 499 * kMilli, 7), waiting(1, 499 * kMilli, 7),
                        waiting(3, 499 * kMilli, 7)};
  EXPECT_TRUE(alarms(snapshot).empty());
  for (InFlight& entry : snapshot.in_flight) entry.age_ns = 500 * kMilli;
  const auto found = alarms(snapshot);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "hang");
  EXPECT_EQ(found[0].subject.rank, 2);
  EXPECT_EQ(figure(found[0], "sequence"), 7);
  EXPECT_NE(found[0].sentence.find("rank 2 has not arrived"), std::string::npos);
}

TEST(Hang, OfWhatHasNoHistoryIsGivenTimeToStart) {
  Snapshot snapshot = with_history();
  for (const int rank : {0, 1, 3})
    snapshot.in_flight.push_back(waiting(rank, 1'999 * kMilli, 7, Kind::barrier, 0));
  EXPECT_TRUE(alarms(snapshot).empty());
  for (InFlight& entry : snapshot.in_flight) entry.age_ns = 2 * kSecond;
  EXPECT_EQ(alarms(snapshot).size(), 1u);
}

TEST(Hang, NamesTheStoppedRankWhereAllAreIn) {
  Snapshot snapshot = with_history();
  for (int rank = 0; rank < 4; ++rank) {
    snapshot.in_flight.push_back(waiting(rank, kSecond, 9));
    snapshot.processes.push_back(process(rank, ProcessState::live, rank == 1));
  }
  const auto found = alarms(snapshot);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].subject.rank, 1);
  EXPECT_NE(found[0].sentence.find("Rank 1 (process 1001) is stopped"), std::string::npos)
      << found[0].sentence;
  EXPECT_EQ(found[0].action, "Let it go on: kill -CONT 1001; or end it");
}

TEST(Hang, FollowsTheChainToItsEnd) {
  Snapshot snapshot = with_history();
  // 0 waits for 1, 1 for 2, and 2 does nothing.
  for (const auto& [rank, peer] : {std::pair{0, 1}, std::pair{1, 2}}) {
    snapshot.in_flight.push_back(waiting(rank, 4 * kSecond, 5, Kind::send));
    snapshot.in_flight.back().op.peer = static_cast<std::uint16_t>(peer);
  }
  const auto found = alarms(snapshot);
  ASSERT_EQ(found.size(), 2u);
  for (const Finding& finding : found) EXPECT_EQ(finding.subject.rank, 2) << finding.sentence;
  EXPECT_NE(found[0].sentence.find("In the end all wait for rank 2."), std::string::npos)
      << found[0].sentence;
}

TEST(Hang, OfADeadRankIsBlamedOnIt) {
  Snapshot snapshot = with_history();
  for (int rank = 0; rank < 4; ++rank) {
    snapshot.in_flight.push_back(waiting(rank, kSecond, 9));
    snapshot.processes.push_back(
        process(rank, rank == 3 ? ProcessState::dead : ProcessState::live));
  }
  for (const Finding& finding : alarms(snapshot)) {
    EXPECT_EQ(finding.kind, "hang");
    EXPECT_EQ(finding.subject.rank, 3) << finding.sentence;
  }
}

TEST(Mismatch, NamesWhoIsAloneUnderOneNumber) {
  Snapshot snapshot = with_history();
  snapshot.in_flight = {waiting(0, kMilli, 7), waiting(1, kMilli, 7),
                        waiting(2, kMilli, 7, Kind::all_reduce, 32768), waiting(3, kMilli, 7)};
  const auto found = alarms(snapshot);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "mismatch");
  EXPECT_EQ(found[0].subject.rank, 2);
  EXPECT_EQ(figure(found[0], "odd_bytes"), 32768);
}

TEST(Mismatch, NamesWhoIsInAnotherNumberOnceNothingMoves) {
  Snapshot snapshot = with_history();
  snapshot.in_flight = {waiting(0, kMilli, 7), waiting(1, kMilli, 7), waiting(2, kMilli, 8),
                        waiting(3, kMilli, 7)};
  EXPECT_TRUE(alarms(snapshot).empty()) << "it may have just gone on";
  for (InFlight& entry : snapshot.in_flight) entry.age_ns = kSecond;
  const auto found = alarms(snapshot);
  const Finding* odd = find_kind(found, "mismatch");
  ASSERT_NE(odd, nullptr);
  EXPECT_EQ(odd->subject.rank, 2);
  EXPECT_NE(odd->sentence.find("called more than they have"), std::string::npos) << odd->sentence;
}

TEST(Mismatch, OfJoinedCollectivesNamesTheOddOneSinceWhen) {
  Aggregator aggregator;
  for (std::uint64_t i = 0; i < 10; ++i) {
    const std::int64_t at = kSecond + static_cast<std::int64_t>(i) * kMilli;
    const Arrival arrivals[] = {{at, at + 1000, 0, OpStatus::ok},
                                {at, at + 1000, 1, OpStatus::ok},
                                {at, at + 1000, 2, OpStatus::ok}};
    Collective c;
    c.comm = 1;
    c.sequence = i;
    c.bytes = 1024;
    c.first_ns = c.last_ns = at;
    c.end_ns = at + 1000;
    c.ranks = 3;
    c.kind = Kind::all_reduce;
    c.complete = true;
    c.mismatch = i >= 4;
    if (c.mismatch) c.odd_rank = 1, c.odd_bytes = 2048, c.odd_kind = Kind::all_reduce;
    c.arrivals = arrivals;
    aggregator.advance(at);
    aggregator.add(c);
  }
  const auto found = alarms(snapshot_of(aggregator, 2 * kSecond));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "mismatch");
  EXPECT_EQ(found[0].subject.rank, 1);
  EXPECT_EQ(found[0].since_ns, kSecond + 4 * kMilli);
  EXPECT_NE(found[0].sentence.find("with all_reduce 2 KB where the others have all_reduce 1 KB"),
            std::string::npos)
      << found[0].sentence;
}

void send(Aggregator& aggregator, int rank, std::int64_t at_ns, OpStatus status) {
  Op op;
  op.begin_ns = at_ns;
  op.host_duration_ns = status == OpStatus::ok ? 10'000 : 500'000;
  op.bytes = 65536;
  op.comm = 1;
  op.rank = static_cast<std::uint16_t>(rank);
  op.peer = 0;
  op.ranks = 4;
  op.kind = Kind::send;
  op.status = status;
  aggregator.advance(at_ns);
  aggregator.add({&op, 1});
}

TEST(Retries, AreFailuresAfterWhichItEndedWell) {
  Aggregator aggregator;
  for (int i = 0; i < 500; ++i)
    send(aggregator, 2, kSecond + i * kMilli, i % 10 == 3 ? OpStatus::error : OpStatus::ok);
  const auto found = detect(snapshot_of(aggregator, 2 * kSecond));
  const Finding* retries = find_kind(found, "retries");
  ASSERT_NE(retries, nullptr);
  EXPECT_EQ(retries->subject.rank, 2);
  EXPECT_EQ(retries->subject.peer, 0);
  EXPECT_EQ(figure(*retries, "failures"), 50);
  EXPECT_NEAR(figure(*retries, "failure_mean_host_ns"), 500'000, 1);
  EXPECT_NE(find_kind(found, "failure_rate"), nullptr);
  Aggregator failing;
  for (int i = 0; i < 500; ++i) send(failing, 2, kSecond + i * kMilli, OpStatus::error);
  EXPECT_EQ(find_kind(detect(snapshot_of(failing, 2 * kSecond)), "retries"), nullptr);
}

void add_pool(Snapshot& snapshot, std::optional<int> rank, double used, double capacity) {
  for (const auto& [name, value] :
       {std::pair{"pool.used_bytes", used}, std::pair{"pool.capacity_bytes", capacity}}) {
    MetricView metric;
    metric.name = name;
    metric.value = value;
    metric.rank = rank;
    snapshot.metrics.push_back(metric);
  }
}

TEST(PoolPressure, IsOneThatIsNearlyFull) {
  for (const auto& [used, severity] :
       {std::pair{0.89, Severity::info}, std::pair{0.91, Severity::warning},
        std::pair{0.99, Severity::critical}}) {
    Snapshot snapshot;
    add_pool(snapshot, 1, 100, 1000);
    add_pool(snapshot, 2, 1000 * used, 1000);
    const auto found = alarms(snapshot);
    ASSERT_EQ(found.size(), severity == Severity::info ? 0u : 1u);
    if (found.empty()) continue;
    EXPECT_EQ(found[0].kind, "pool_pressure");
    EXPECT_EQ(found[0].severity, severity);
    EXPECT_EQ(found[0].subject.rank, 2);
  }
  Snapshot named;  // as the communicators of this project name theirs
  add_pool(named, {}, 950, 1000);
  named.metrics[0].name = "pool.rank7.tp.used_bytes";
  named.metrics[1].name = "pool.rank7.tp.capacity_bytes";
  ASSERT_EQ(alarms(named).size(), 1u);
  EXPECT_EQ(alarms(named)[0].subject.rank, 7);
  named.metrics[0].name = "pool.rankx.used_bytes";
  EXPECT_TRUE(alarms(named).empty());
  Snapshot nothing;
  add_pool(nothing, {}, 0, 0);
  EXPECT_TRUE(detect(nothing).empty());
}

TEST(PoolPressure, IsWhatOperationsFailedFor) {
  Aggregator aggregator;
  for (int i = 0; i < 500; ++i)
    send(aggregator, 3, kSecond + i * kMilli, i % 50 == 3 ? OpStatus::no_memory : OpStatus::ok);
  Snapshot snapshot = snapshot_of(aggregator, 2 * kSecond);
  const auto without = alarms(snapshot);
  const Finding* pressure = find_kind(without, "pool_pressure");
  ASSERT_NE(pressure, nullptr);
  EXPECT_EQ(pressure->subject.rank, 3);
  EXPECT_EQ(pressure->severity, Severity::critical);
  add_pool(snapshot, {}, 990, 1000);
  const auto with = alarms(snapshot);
  EXPECT_EQ(find_kind(with, "pool_pressure")->subject.rank, 3);
  EXPECT_EQ(figure(*find_kind(with, "pool_pressure"), "refused_operations"), 10);
}

TEST(Symptoms, AreInformationOnceTheirCauseIsNamed) {
  Aggregator aggregator;
  PairRun run;
  run.slowdown = [](int a, int b, double s) { return s > 4 && (a == 3 || b == 3) ? 4.0 : 1.0; };
  run_pairs(aggregator, run, 6.5, 1);
  const auto all = detect(snapshot_of(aggregator, 7 * kSecond + kSecond / 2));
  ASSERT_NE(find_kind(all, "slow_link"), nullptr);
  for (const Finding& finding : all) {
    if (finding.kind != "slow_link") {
      EXPECT_EQ(finding.severity, Severity::info) << finding.kind;
    }
  }
}

}  // namespace
}  // namespace peerscope
