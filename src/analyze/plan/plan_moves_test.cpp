#include "analyze/plan/plan_moves.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/algorithms.hpp"

namespace peerscope {
namespace {

Op of(Algorithm algorithm, std::uint16_t ranks, Kind kind = Kind::all_reduce) {
  Op op;
  op.kind = kind;
  op.algorithm = algorithm;
  op.ranks = ranks;
  op.bytes = 4096;
  op.dtype = Dtype::f32;
  op.peer = has_root(kind) ? 1 : kNoPeer;
  return op;
}

std::map<int, std::size_t> by_round(const std::vector<PlannedMove>& moves) {
  std::map<int, std::size_t> counts;
  for (const PlannedMove& move : moves) ++counts[move.round];
  return counts;
}

TEST(DebugPlan, ARingGoesRoundTwice) {
  const auto moves = plan_moves(of(Algorithm::ring, 4));
  ASSERT_TRUE(moves);
  // n-1 rounds that reduce, n-1 that gather, each with a message a rank to its neighbour.
  EXPECT_EQ(by_round(*moves),
            (std::map<int, std::size_t>{{1, 4}, {2, 4}, {3, 4}, {4, 4}, {5, 4}, {6, 4}}));
  for (const PlannedMove& move : *moves) {
    EXPECT_EQ(move.to, (move.from + 1) % 4);
    EXPECT_EQ(move.bytes, 1024);
  }
}

TEST(DebugPlan, OneShotNeedsOneRoundAndTwoShotTwo) {
  const auto direct = plan_moves(of(Algorithm::direct, 4));
  ASSERT_TRUE(direct);
  EXPECT_EQ(by_round(*direct), (std::map<int, std::size_t>{{1, 12}}));
  EXPECT_EQ((*direct)[0].bytes, 4096);
  const auto two = plan_moves(of(Algorithm::two_shot, 4));
  ASSERT_TRUE(two);
  EXPECT_EQ(by_round(*two), (std::map<int, std::size_t>{{1, 12}, {2, 12}}));
}

// Whatever the algorithm: every rank's data reach every rank, so that each takes part.
TEST(DebugPlan, EachAlgorithmOfEachKindHasAPlanInWhichEveryRankTakesPart) {
  for (const Kind kind : {Kind::all_reduce, Kind::broadcast, Kind::reduce, Kind::all_gather,
                          Kind::reduce_scatter, Kind::all_to_all, Kind::barrier}) {
    for (const Algorithm algorithm : supported_algorithms(kind)) {
      for (const std::uint16_t ranks : std::vector<std::uint16_t>{2, 5, 8, 64}) {
        const auto moves = plan_moves(of(algorithm, ranks, kind));
        ASSERT_TRUE(moves) << name(kind) << name(algorithm);
        std::vector<bool> seen(ranks);
        for (const PlannedMove& move : *moves) {
          EXPECT_NE(move.from, move.to);
          EXPECT_GE(move.round, 1);
          EXPECT_LE(move.round, 2 * ranks);
          seen[static_cast<std::size_t>(move.from)] = true;
          seen[static_cast<std::size_t>(move.to)] = true;
        }
        EXPECT_EQ(std::count(seen.begin(), seen.end(), true), ranks)
            << name(kind) << " " << name(algorithm);
      }
    }
  }
}

TEST(DebugPlan, WhatIsNotKnownIsNotGuessed) {
  EXPECT_FALSE(plan_moves(of(Algorithm::unknown, 4)));
  EXPECT_FALSE(plan_moves(of(Algorithm::nvls, 4)));
  EXPECT_FALSE(plan_moves(of(Algorithm::ring, 65)));
  Op nccl = of(Algorithm::ring, 4);
  nccl.backend = Backend::nccl;
  EXPECT_FALSE(plan_moves(nccl)) << "NCCL's ring is not ours";
  Op untyped = of(Algorithm::ring, 4);
  untyped.dtype = Dtype::unknown;
  EXPECT_EQ((*plan_moves(untyped))[0].bytes, -1);
}

}  // namespace
}  // namespace peerscope
