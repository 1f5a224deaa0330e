// Calls without their tasks: what is recorded, how it is numbered, and what is taken from equal calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "source/nccl/nccl_for_test.hpp"

namespace peerscope {
namespace {

class Calls : public NcclTest {};

// The first that was waited for is noticed when the next call comes; from then on their groups' ends are asked for.
TEST_F(Calls, CallsWithoutATaskAsOfSymmetricKernelsAreRecordedAllTheSame) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  nccl.collective(comm, {});  // NCCL's number 0
  FakeNccl::Collective symmetric;
  symmetric.count = 512;
  for (int i = 0; i < 4; ++i) {
    void* group = nccl.begin_group(comm);
    nccl.stop(nccl.begin_call(comm, group, symmetric));
    nccl.stop(group);
  }
  nccl.collective(comm, {});  // NCCL's number 1
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 6u);
  for (std::uint64_t i = 1; i < 5; ++i) {
    EXPECT_EQ(got[i].kind, Kind::all_reduce);
    EXPECT_EQ(got[i].algorithm, Algorithm::unknown);
    EXPECT_EQ(got[i].bytes, 2048u);
    EXPECT_EQ(got[i].sequence, i);
  }
  EXPECT_EQ(got[5].sequence, 5u);  // all ranks count alike, whatever becomes of a call
  EXPECT_EQ(got[5].algorithm, Algorithm::ring);
}

// Tasks cost as much as calls do: they are asked for where something is not known, and in windows.
TEST_F(Calls, BetweenWindowsEqualCallsAreTakenToBeDoneAlike) {
  setenv("PEERSCOPE_OVERHEAD__BUDGET", "0 %", 1);  // no windows at all
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  FakeNccl::Collective other;
  other.count = 99;
  other.algorithm = "TREE";
  nccl.collective(comm, {});     // told
  nccl.collective(comm, {});     // equal
  nccl.collective(comm, other);  // not known, and nobody asked for it
  nccl.collective(comm, other);  // told
  nccl.collective(comm, other);  // equal
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 5u);
  const std::vector<Algorithm> want{Algorithm::ring, Algorithm::ring, Algorithm::unknown,
                                    Algorithm::tree, Algorithm::tree};
  for (std::uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(got[i].sequence, i);
    EXPECT_EQ(got[i].algorithm, want[i]) << i;
    EXPECT_EQ(got[i].host_duration_ns >= 0, i == 0 || i == 3)
        << i;  // launched by: where it was told
  }
}

// NCCL sorts a group by size, and numbers what it launches.
TEST_F(Calls, NumbersAreThoseOfTheCallsNotOfTheLaunches) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  FakeNccl::Collective small, large;
  small.count = 10;
  large.count = 1000;
  void* group = nccl.begin_group(comm, false, 2);
  void* first = nccl.begin_call(comm, group, small);
  void* second = nccl.begin_call(comm, group, large);
  nccl.stop(nccl.begin_operation(comm, second, large));
  nccl.stop(nccl.begin_operation(comm, first, small));
  nccl.stop(group);
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].bytes, 4000u);
  EXPECT_EQ(got[0].sequence, 1u);
  EXPECT_EQ(got[1].sequence, 0u);
}

TEST_F(Calls, AfterASilenceNcclsNumbersCount) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  nccl.collective(comm, {});
  set_level(Level::off);
  for (int i = 0; i < 10; ++i) nccl.collective(comm, {});
  recorded(comm.hash);
  set_level(Level::detailed);
  for (int i = 0; i < 5; ++i) nccl.collective(comm, {});  // 11 to 15
  const auto got = recorded(comm.hash).operations;
  ASSERT_GE(got.size(), 3u);
  EXPECT_EQ(got.back().sequence, 15u);
  for (std::size_t i = 1; i < got.size(); ++i) EXPECT_EQ(got[i].sequence, got[i - 1].sequence + 1);
}

}  // namespace
}  // namespace peerscope
