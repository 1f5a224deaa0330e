#include "analyze/debug/collective_trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using testing::ElementsAre;

Op part(std::uint16_t rank, std::int64_t begin_ns, std::int64_t duration_ns) {
  Op op;
  op.kind = Kind::all_reduce;
  op.comm = 7;
  op.sequence = 5;
  op.rank = rank;
  op.ranks = 4;
  op.bytes = 4096;
  op.begin_ns = begin_ns;
  op.host_duration_ns = duration_ns;
  op.backend = Backend::host;
  return op;
}

std::vector<Op> four() {
  return {part(0, 1000, 500), part(1, 1100, 400), part(2, 1400, 110), part(3, 1050, 455)};
}

TEST(CollectiveTrace, RanksComeInOrderAndWaitForTheLast) {
  const CollectiveTrace trace = trace_collective(part(0, 0, 0), four(), {}, {});
  ASSERT_EQ(trace.ranks.size(), 4u);
  EXPECT_EQ(trace.ranks[0].op.rank, 0);
  EXPECT_EQ(trace.ranks[3].op.rank, 2);
  EXPECT_EQ(trace.ranks[3].late_ns, 400);
  EXPECT_EQ(trace.ranks[0].wait_ns, 400);
  EXPECT_EQ(trace.ranks[3].wait_ns, 0);
  EXPECT_EQ(trace.skew_ns(), 400);
  EXPECT_EQ(trace.transfer_ns(), 110);
  EXPECT_TRUE(trace.missing.empty());
  EXPECT_EQ(trace.device_transfer_ns, kUnknownNs) << "nobody measured it";
}

TEST(CollectiveTrace, WhoHasNoRecordIsMissing) {
  auto ops = four();
  ops.erase(ops.begin() + 2);
  EXPECT_THAT(trace_collective(part(0, 0, 0), ops, {}, {}).missing, ElementsAre(2));
  EXPECT_TRUE(trace_collective(part(0, 0, 0), {}, {}, {}).ranks.empty());
}

TEST(CollectiveTrace, OfAnAsynchronousOneTheHostKnowsNoWaitAndTheDeviceDoes) {
  std::vector<Op> ops = four();
  for (Op& op : ops) op.async = true;
  for (std::uint16_t rank = 0; rank < 4; ++rank) {
    Op times = part(rank, 2000, kUnknownNs);
    times.device_only = true;
    times.device_begin_ns = 2000 + rank * 10;
    times.device_duration_ns = 100 - rank * 10;
    ops.push_back(times);
  }
  const CollectiveTrace trace = trace_collective(part(0, 0, 0), ops, {}, {});
  EXPECT_EQ(trace.transfer_ns(), kUnknownNs);
  EXPECT_EQ(trace.ranks[0].wait_ns, kUnknownNs);
  EXPECT_EQ(trace.ranks[0].device.size(), 1u);
  EXPECT_EQ(trace.device_transfer_ns, 70);
  EXPECT_EQ(trace.device_wait_ns, 30);
}

TEST(CollectiveTrace, PhasesAndCompletionsGoToTheirRank) {
  const std::vector<PhaseSpan> phases{{7, 5, 1, Kind::all_reduce, 1300, 50, "reduce"},
                                      {7, 5, 1, Kind::all_reduce, 1100, 200, "arrive"},
                                      {7, 6, 1, Kind::all_reduce, 1100, 200, "of another"}};
  const CollectiveTrace trace =
      trace_collective(part(0, 0, 0), four(), phases, {{7, 5, 3, Kind::all_reduce, 1900}});
  for (const RankTrace& rank : trace.ranks) {
    EXPECT_EQ(rank.phases.size(), rank.op.rank == 1 ? 2u : 0u);
    EXPECT_EQ(rank.complete_ns, rank.op.rank == 3 ? 1900 : kUnknownNs);
    if (rank.op.rank == 1) {
      EXPECT_EQ(rank.phases[0].name, "arrive");
    }
  }
}

TEST(CollectiveTrace, BothSidesOfAMessageAreOneWhereTheyCountAlike) {
  auto ops = four();
  Op send = part(0, 1200, 50);
  send.kind = Kind::send;
  send.peer = 1;
  send.sequence = 9;
  Op recv = part(1, 1150, 120);
  recv.kind = Kind::recv;
  recv.peer = 0;
  recv.sequence = 9;
  Op later = send;
  later.begin_ns = 90'000;
  ops.insert(ops.end(), {send, recv, later});
  const CollectiveTrace trace = trace_collective(part(0, 0, 0), ops, {}, {});
  ASSERT_EQ(trace.transfers.size(), 1u);
  EXPECT_EQ(trace.transfers[0].from, 0);
  EXPECT_EQ(trace.transfers[0].to, 1);
  EXPECT_EQ(trace.transfers[0].send_begin_ns, 1200);
  EXPECT_EQ(trace.transfers[0].recv_end_ns, 1270);
  for (Op& op : ops) op.backend = Backend::nccl;
  EXPECT_EQ(trace_collective(ops[0], ops, {}, {}).transfers.size(), 2u) << "never a guess";
}

TEST(CollectiveTrace, ADisagreementNamesTheOddRank) {
  auto ops = four();
  ops[3].bytes = 8192;
  const CollectiveTrace trace = trace_collective(part(0, 0, 0), ops, {}, {});
  EXPECT_NE(trace.mismatch, "");
  for (const RankTrace& rank : trace.ranks) EXPECT_EQ(rank.odd, rank.op.rank == 3);
  EXPECT_EQ(trace.op.bytes, 4096u);
}

}  // namespace
}  // namespace peerscope
