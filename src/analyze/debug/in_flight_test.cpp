#include "analyze/debug/in_flight.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/debug/given_up.hpp"
#include "analyze/detect/detect.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

InFlight open(std::uint16_t rank, std::uint64_t sequence, std::int64_t age_ns,
              std::uint64_t bytes = 16384, Kind kind = Kind::all_reduce) {
  InFlight entry;
  entry.op.kind = kind;
  entry.op.comm = 7;
  entry.op.rank = rank;
  entry.op.ranks = 4;
  entry.op.sequence = sequence;
  entry.op.bytes = bytes;
  entry.op.process = rank;
  entry.pid = 100 + rank;
  entry.age_ns = age_ns;
  return entry;
}

Snapshot with(std::vector<InFlight> entries) {
  Snapshot snapshot;
  snapshot.now_ns = 100'000'000'000;
  snapshot.communicators.push_back({7, "tp"});
  for (std::uint32_t rank = 0; rank < 4; ++rank) {
    ProcessView process;
    process.pid = 100 + rank;
    snapshot.processes.push_back(process);
  }
  snapshot.in_flight = std::move(entries);
  return snapshot;
}

TEST(InFlightGroups, OneGroupACollectiveWithWhoIsNotInIt) {
  const auto groups = in_flight_groups(with({open(3, 5, 10), open(0, 5, 30), open(1, 5, 20)}));
  ASSERT_EQ(groups.size(), 1u);
  const InFlightGroup& group = groups[0];
  EXPECT_EQ(group.communicator, "tp");
  EXPECT_EQ(group.age_ns, 30);
  ASSERT_EQ(group.entered.size(), 3u);
  EXPECT_EQ(group.entered[0].entry.op.rank, 0);
  ASSERT_EQ(group.missing.size(), 1u);
  EXPECT_EQ(group.missing[0].rank, 2);
  EXPECT_FALSE(group.missing[0].instead);
  EXPECT_EQ(group.mismatch, "");
  EXPECT_EQ(group.normal_p50_ns, kUnknown);
}

TEST(InFlightGroups, ARankInAnotherOperationIsSaidToBeThere) {
  const auto groups =
      in_flight_groups(with({open(0, 6, 30), open(1, 6, 30), open(3, 6, 30), open(2, 4, 50)}));
  ASSERT_EQ(groups.size(), 2u);
  const InFlightGroup& waiting = groups[0].op.sequence == 6 ? groups[0] : groups[1];
  ASSERT_EQ(waiting.missing.size(), 1u);
  ASSERT_TRUE(waiting.missing[0].instead);
  EXPECT_EQ(waiting.missing[0].instead->op.sequence, 4u);
}

TEST(InFlightGroups, TheRankThatCallsSomethingElseIsTheOddOne) {
  const auto groups =
      in_flight_groups(with({open(0, 5, 1), open(1, 5, 1), open(2, 5, 1, 32768), open(3, 5, 1)}));
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_THAT(groups[0].odd_ranks(), ElementsAre(2));
  EXPECT_EQ(groups[0].op.bytes, 16384u);
  EXPECT_EQ(
      groups[0].mismatch,
      "Rank 2 called all_reduce 32 KB (32768 bytes), ranks 0, 1 and 3 called all_reduce 16 KB "
      "(16384 bytes)");
  const auto kinds = in_flight_groups(
      with({open(0, 5, 1), open(1, 5, 1), open(2, 5, 1, 0, Kind::barrier), open(3, 5, 1)}));
  ASSERT_EQ(kinds.size(), 1u);
  EXPECT_THAT(kinds[0].odd_ranks(), ElementsAre(2));
}

TEST(InFlightGroups, OfTwoThatDisagreeNobodyIsAccused) {
  const auto groups = in_flight_groups(with({open(0, 5, 1), open(1, 5, 1, 99)}));
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_THAT(groups[0].odd_ranks(), ElementsAre(0, 1));
  EXPECT_THAT(groups[0].mismatch, HasSubstr("rank"));
}

TEST(InFlightGroups, NcclCountsEachKindByItself) {
  InFlight reduce = open(0, 5, 1), gather = open(1, 5, 1, 16384, Kind::all_gather);
  reduce.op.backend = gather.op.backend = Backend::nccl;
  const auto groups = in_flight_groups(with({reduce, gather}));
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].mismatch, "");
}

TEST(InFlightGroups, TheDetectorsFindingIsWithItsCollective) {
  Snapshot snapshot = with({open(0, 5, 90'000'000'000), open(1, 5, 89'000'000'000),
                            open(3, 5, 90'000'000'000), open(2, 9, 1'000)});
  snapshot.findings = detect(snapshot);
  const auto groups = in_flight_groups(snapshot);
  ASSERT_EQ(groups.size(), 2u);
  ASSERT_TRUE(groups[0].hang);
  EXPECT_EQ(groups[0].op.sequence, 5u);
  EXPECT_EQ(groups[0].hang->subject.rank, 2);
  EXPECT_FALSE(groups[1].hang);
}

TEST(InFlightGroups, WhatIsNormalComesFromItsOwnHistory) {
  Snapshot snapshot = with({open(0, 5, 1)});
  auto aggregates = std::make_shared<Aggregates>();
  OperationRow row;
  row.kind = Kind::all_reduce;
  row.size_class = size_class(16384);
  row.windows.in(Window::all).host.count = 50;
  row.windows.in(Window::all).host.p50_ns = 41'000;
  row.windows.in(Window::all).host.p999_ns = 1'200'000;
  aggregates->operations.push_back(row);
  snapshot.aggregates = aggregates;
  EXPECT_EQ(in_flight_groups(snapshot)[0].normal_p50_ns, 41'000);
  EXPECT_EQ(in_flight_groups(snapshot)[0].normal_p999_ns, 1'200'000);
}

Op ended(std::uint16_t rank, std::uint64_t sequence, OpStatus status, std::uint64_t bytes = 64) {
  Op op;
  op.kind = Kind::all_reduce;
  op.comm = 7;
  op.rank = rank;
  op.ranks = 4;
  op.sequence = sequence;
  op.begin_ns = static_cast<std::int64_t>(sequence) * 1000;
  op.host_duration_ns = 100;
  op.status = status;
  op.bytes = bytes;
  return op;
}

TEST(GivenUp, TheLastCollectiveThatRanksGaveUpAndWhoDidNotCome) {
  LastSeen last;
  for (std::uint16_t rank = 0; rank < 4; ++rank) last.add(ended(rank, 1, OpStatus::ok));
  for (const int rank : {0, 1, 3})
    last.add(ended(static_cast<std::uint16_t>(rank), 2, OpStatus::timeout));
  const auto ends = given_up(last);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].op.sequence, 2u);
  EXPECT_EQ(ends[0].op.status, OpStatus::timeout);
  EXPECT_EQ(ends[0].ranks.size(), 3u);
  EXPECT_THAT(ends[0].missing, ElementsAre(2));
  EXPECT_EQ(ends[0].mismatch, "");
}

TEST(GivenUp, ADisagreementIsSaidWithTheOddRank) {
  LastSeen last;
  for (std::uint16_t rank = 0; rank < 4; ++rank)
    last.add(ended(rank, 2, OpStatus::mismatch, rank == 3 ? 128 : 64));
  const auto ends = given_up(last);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_THAT(ends[0].odd, ElementsAre(3));
  EXPECT_THAT(ends[0].mismatch,
              HasSubstr("Rank 3 called all_reduce 128 B (128 bytes), ranks 0, 1"));
  EXPECT_TRUE(ends[0].missing.empty());
}

TEST(GivenUp, WhoGoesOnHasNotGivenUp) {
  LastSeen last;
  EXPECT_TRUE(given_up(last).empty());
  for (std::uint16_t rank = 0; rank < 4; ++rank) last.add(ended(rank, 2, OpStatus::timeout));
  last.add(ended(0, 3, OpStatus::ok));
  EXPECT_TRUE(given_up(last).empty());
}

}  // namespace
}  // namespace peerscope
