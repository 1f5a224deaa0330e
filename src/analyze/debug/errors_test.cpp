#include "analyze/debug/errors.hpp"

#include <gtest/gtest.h>

namespace peerscope {
namespace {

using Outcome = ErrorTracker::Outcome;

Op operation(std::int64_t begin_ns, OpStatus status, std::uint16_t rank = 0,
             std::uint64_t comm = 7) {
  Op op;
  op.begin_ns = begin_ns;
  op.host_duration_ns = 100;
  op.kind = Kind::all_reduce;
  op.comm = comm;
  op.rank = rank;
  op.ranks = 4;
  op.bytes = 4096;
  op.sequence = static_cast<std::uint64_t>(begin_ns / 1000);
  op.status = status;
  return op;
}

TEST(Errors, TheNextSuccessOfTheSameIsTheRecovery) {
  ErrorTracker errors;
  EXPECT_EQ(errors.add(operation(1000, OpStatus::ok)), Outcome::none);
  EXPECT_EQ(errors.add(operation(2000, OpStatus::timeout)), Outcome::failed);
  EXPECT_EQ(errors.add(operation(3000, OpStatus::timeout)), Outcome::failed);
  EXPECT_EQ(errors.add(operation(4000, OpStatus::ok, 1)), Outcome::none) << "another rank";
  EXPECT_EQ(errors.add(operation(5000, OpStatus::ok)), Outcome::recovered);
  EXPECT_EQ(errors.latest_recovery_ns(), 3000);  // from 2100 to 5100
  const auto groups = errors.groups();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].type, OpStatus::timeout);
  EXPECT_EQ(groups[0].count, 2u);
  EXPECT_EQ(groups[0].recovered, 2u);
  EXPECT_EQ(groups[0].tried_again, 2u);
  EXPECT_EQ(groups[0].recovery_least_ns, 2000);
  EXPECT_EQ(groups[0].recovery_most_ns, 3000);
  EXPECT_EQ(groups[0].recovery_mean_ns(), 2500);
  EXPECT_EQ(errors.errors()[0].tries, 2u);
  EXPECT_TRUE(errors.errors()[0].recovered);
}

TEST(Errors, TriedAndNotRecoveredIsNeitherUntriedNorRecovered) {
  ErrorTracker errors;
  errors.add(operation(1000, OpStatus::error));
  EXPECT_EQ(errors.groups()[0].tried_again, 0u);
  errors.add(operation(2000, OpStatus::error));
  const ErrorGroup group = errors.groups()[0];
  EXPECT_EQ(group.tried_again, 1u);
  EXPECT_EQ(group.recovered, 0u);
  EXPECT_EQ(group.recovery_mean_ns(), kUnknownNs);
  EXPECT_EQ(errors.errors()[0].recovery_ns, kUnknownNs);
}

TEST(Errors, ANewCommunicatorMayBeTheRecoveryAnOldOneIsNot) {
  ErrorTracker errors;
  errors.add(operation(500, OpStatus::ok, 0, 8));
  errors.add(operation(1000, OpStatus::peer_lost, 0, 7));
  EXPECT_EQ(errors.add(operation(2000, OpStatus::ok, 0, 8)), Outcome::none);
  EXPECT_EQ(errors.add(operation(3000, OpStatus::ok, 0, 9)), Outcome::recovered);
}

TEST(Errors, APairRecoversByItself) {
  ErrorTracker errors;
  Op to1 = operation(1000, OpStatus::error);
  to1.kind = Kind::send;
  to1.peer = 1;
  errors.add(to1);
  Op to2 = to1;
  to2.peer = 2;
  to2.begin_ns = 2000;
  to2.status = OpStatus::ok;
  EXPECT_EQ(errors.add(to2), Outcome::none);
  to1.begin_ns = 3000;
  to1.status = OpStatus::ok;
  EXPECT_EQ(errors.add(to1), Outcome::recovered);
  EXPECT_EQ(errors.groups()[0].pairs.count({0, 1}), 1u);
}

TEST(Errors, WhatBeganBeforeTheFailureIsNoRecovery) {
  ErrorTracker errors;
  errors.add(operation(5000, OpStatus::error));
  EXPECT_EQ(errors.add(operation(1000, OpStatus::ok)), Outcome::none);
  EXPECT_EQ(errors.add(operation(6000, OpStatus::ok)), Outcome::recovered);
  EXPECT_GE(errors.latest_recovery_ns(), 0);
}

TEST(Errors, LikeErrorsOfAllRanksAreOneGroup) {
  ErrorTracker errors;
  for (std::uint16_t rank = 0; rank < 4; ++rank)
    errors.add(operation(1000, OpStatus::timeout, rank));
  errors.add(operation(2000, OpStatus::mismatch, 3));
  const auto groups = errors.groups();
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].count, 4u);
  EXPECT_EQ(groups[0].ranks.size(), 4u);
  EXPECT_EQ(groups[1].type, OpStatus::mismatch);
}

TEST(Errors, TheRateIsOfOperationsAndSampledOnesWeighMore) {
  ErrorTracker errors;
  Op op = operation(0, OpStatus::ok);
  op.weight = 64;
  for (int i = 0; i < 10; ++i) errors.add(op);
  errors.add(operation(9000, OpStatus::error));
  EXPECT_EQ(errors.operations(), 641u);
  EXPECT_EQ(errors.failed(), 1u);
  Op times = operation(9000, OpStatus::ok);
  times.device_only = true;
  errors.add(times);
  EXPECT_EQ(errors.operations(), 641u) << "device times are no operation";
}

TEST(Errors, MemoryIsBoundedWhateverFails) {
  ErrorOptions options;
  options.max_errors = 50;
  options.max_groups = 4;
  ErrorTracker errors(options);
  for (int i = 0; i < 20'000; ++i) {
    errors.add(operation(i * 1000, OpStatus::error, static_cast<std::uint16_t>(i % 100),
                         static_cast<std::uint64_t>(i % 10)));
  }
  EXPECT_EQ(errors.errors().size(), 50u);
  EXPECT_EQ(errors.groups().size(), 4u);
  EXPECT_EQ(errors.failed(), 20'000u);
  EXPECT_GT(errors.ungrouped(), 0u);
  EXPECT_EQ(errors.forgotten(), 19'950u);
}

}  // namespace
}  // namespace peerscope
