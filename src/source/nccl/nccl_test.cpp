// The plugin against a fake NCCL: what it records in every version, at every level, and when it measures.
#include <algorithm>
#include <cstring>
#include <thread>

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "source/nccl/nccl_for_test.hpp"

namespace peerscope {
namespace {

using nccl::Descriptor;

class Versions : public NcclTest, public testing::WithParamInterface<int> {};

TEST_P(Versions, RecordWhatNcclSaysOfACollective) {
  FakeNccl nccl = fake(GetParam());
  FakeNccl::Comm comm = nccl.init(hash(), 8, 3, "tp");
  for (int i = 0; i < 3; ++i) nccl.collective(comm, {});
  FakeNccl::Collective broadcast;
  broadcast.func = "Broadcast";
  broadcast.root = 5;
  broadcast.count = 100;
  nccl.collective(comm, broadcast);
  nccl.finalize(comm);
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 4u);
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(got[i].kind, Kind::all_reduce);
    EXPECT_EQ(got[i].sequence, i);
    EXPECT_EQ(got[i].bytes, 4096u);
    EXPECT_EQ(got[i].dtype, Dtype::f32);
    EXPECT_EQ(got[i].algorithm, Algorithm::ring);
    EXPECT_EQ(got[i].protocol, Protocol::ll);
    EXPECT_EQ(got[i].backend, Backend::nccl);
    EXPECT_EQ(got[i].rank, 3);
    EXPECT_TRUE(got[i].async);
    EXPECT_EQ(got[i].peer, kNoPeer);
    EXPECT_EQ(got[i].ranks, GetParam() >= 4 ? 8 : 0);
  }
  EXPECT_EQ(got[3].kind, Kind::broadcast);
  EXPECT_EQ(got[3].sequence, 0u);
  EXPECT_EQ(got[3].peer, 5);
  EXPECT_EQ(got[3].bytes, 400u);
}
INSTANTIATE_TEST_SUITE_P(Nccl, Versions, testing::Values(1, 2, 3, 4, 5, 6, 7));

class DeviceTimes : public NcclTest, public testing::WithParamInterface<int> {};

// Staggered, and not from channel 0 on: from the first start to the last stop.
TEST_P(DeviceTimes, GoFromTheFirstChannelsStartToTheLastOnesStop) {
  FakeNccl nccl = exact(GetParam());
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  FakeNccl::Collective what;
  what.channels = channels(2, 24, device_now(), 1000, 50'000);
  nccl.collective(comm, what);
  const auto got = recorded(comm.hash);
  ASSERT_EQ(got.operations.size(), 1u);
  ASSERT_EQ(got.device_times.size(), 1u);
  EXPECT_EQ(got.device_times[0].device_duration_ns, 73'000);
  EXPECT_EQ(got.device_times[0].sequence, got.operations[0].sequence);
  EXPECT_EQ(got.device_times[0].kind, Kind::all_reduce);
  EXPECT_EQ(got.device_times[0].bytes, 4096u);
}
INSTANTIATE_TEST_SUITE_P(Nccl, DeviceTimes, testing::Values(4, 5, 6, 7));

TEST_F(NcclTest, CallsOfBeforeASilenceAreNotRecordedAfterIt) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  nccl.collective(comm, {});
  void* call = nccl.begin_call(comm, nccl.begin_group(comm), {});
  set_level(Level::off);
  nccl.stop(nccl.begin_operation(comm, call, {}));
  set_level(Level::detailed);
  nccl.collective(comm, {});  // notices
  nccl.collective(comm, {});
  nccl.finalize(comm);
  const auto got = recorded(comm.hash).operations;
  ASSERT_GE(got.size(), 2u);
  EXPECT_LE(got.size(), 4u);
  for (const Op& op : got) EXPECT_LT(op.host_duration_ns, 100'000'000);
}

// In a group that NCCL makes for one call, nothing but its three beginnings is asked for.
TEST_F(NcclTest, SingleCallsCostThreeCallbacks) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  void* group = nccl.begin_group(comm);
  EXPECT_EQ(group, nullptr);
  void* call = nccl.begin_call(comm, group, {});
  EXPECT_EQ(call, nullptr);
  EXPECT_EQ(nccl.begin_operation(comm, call, {}), nullptr);
  EXPECT_EQ(recorded(comm.hash).operations.size(), 1u);
}

TEST_F(NcclTest, KeepsFiveThousandOperationsBetweenTwoReads) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  recorded(comm.hash);
  FakeNccl::Collective what;
  for (int i = 0; i < 2'000; ++i) {  // 4,000 records: the first ring's room
    what.channels = channels(0, 2, device_now(), 0, 100);
    nccl.collective(comm, what);
  }
  const auto got = recorded(comm.hash);
  EXPECT_EQ(got.operations.size(), 2'000u);
  EXPECT_EQ(got.device_times.size(), 2'000u);
  EXPECT_EQ(reader_->status().lost, 0u);
}

TEST_F(NcclTest, ThreadsRecordAtOnce) {
  FakeNccl nccl = exact(5);
  std::vector<FakeNccl::Comm> comms;
  for (int rank = 0; rank < 4; ++rank) comms.push_back(nccl.init(0x9100, 4, rank));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 4; ++rank) {
    threads.emplace_back([&nccl, &comm = comms[static_cast<std::size_t>(rank)]] {
      FakeNccl mine = nccl;  // a group's mask is its thread's
      FakeNccl::Collective what;
      for (int i = 0; i < 500; ++i) {
        what.channels = channels(0, 8, device_now(), 0, 100);
        void* group = mine.begin_group(comm);
        void* call = mine.begin_call(comm, group, what);
        void* operation = mine.begin_operation(comm, call, what);
        mine.stop(operation);
        mine.stop(call);
        mine.stop(group);
        std::thread([&] { mine.channels(comm, operation, what.channels); }).join();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto got = recorded(0x9100);
  EXPECT_EQ(got.operations.size(), 2'000u);
  EXPECT_EQ(got.device_times.size(), 2'000u);
  EXPECT_EQ(std::count_if(reader_->keeper.collectives.begin(), reader_->keeper.collectives.end(),
                          [](const JoinedCollective& c) {
                            return c.head.comm == 0x9100 && c.head.complete && !c.head.mismatch &&
                                   !c.head.device;
                          }),
            500);
}

TEST_F(NcclTest, CommunicatorsComeAndGoAndTheLibraryIsLoadedAnew) {
  for (int i = 0; i < 10; ++i) {
    FakeNccl nccl = fake(4 + i % 4);
    FakeNccl::Comm comm = nccl.init(hash(), 2, 1);
    nccl.collective(comm, {});
    nccl.finalize(comm);
    EXPECT_EQ(recorded(comm.hash).operations.size(), 1u);
    void* library = dlopen(PSCOPE_NCCL_PLUGIN, RTLD_NOW | RTLD_NOLOAD);
    ASSERT_NE(library, nullptr);
    for (int closed = 0; closed < 3; ++closed) dlclose(library);  // as NCCL does: it stays
  }
}

TEST_F(NcclTest, FollowsTheLevelWhileItRuns) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  nccl.collective(comm, {});
  set_level(Level::off);
  for (int i = 0; i < 10; ++i) nccl.collective(comm, {});
  EXPECT_EQ(nccl.mask(), nccl::kGroupApi);  // only what tells that it is on again
  EXPECT_EQ(recorded(comm.hash).operations.size(), 1u);
  set_level(Level::basic);
  nccl.collective(comm, {});  // notices
  for (int i = 0; i < 200; ++i) nccl.collective(comm, {});
  EXPECT_EQ(nccl.mask(), nccl::kCollApi | nccl::kP2pApi);
  const auto sampled = recorded(comm.hash).operations;
  EXPECT_GE(sampled.size(), 3u);
  EXPECT_LE(sampled.size(), 4u);
  for (const Op& op : sampled) EXPECT_EQ(op.sequence % 64, 0u);
  set_level(Level::detailed);
  nccl.collective(comm, {});
  nccl.collective(comm, {});
  EXPECT_GE(recorded(comm.hash).operations.size(), 1u);
}

// Windows of channels: few, at the same times for everybody, and all classes get some.
TEST_F(NcclTest, MeasuresChannelsInShortWindows) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  std::map<std::uint64_t, int> sampled;  // by bytes
  std::uint64_t with = 0, all = 0;
  const std::uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
  const auto runs_for = [begin_ns] { return clock_ns(CLOCK_MONOTONIC) - begin_ns; };
  const auto has_all = [&] { return sampled[4096] >= 5 && sampled[4 << 20] >= 1; };
  // On a busy machine it takes longer until each class had its turn.
  while (runs_for() < 1'500'000'000 || (!has_all() && runs_for() < 15'000'000'000)) {
    FakeNccl::Collective what;
    what.count = all % 1000 == 999 ? 1 << 20 : 1024;  // one in a thousand is of another size
    what.channels = channels(0, 2, device_now(), 0, 500);
    nccl.collective(comm, what);
    ++all;
    if ((nccl.group_mask() & nccl::kKernelCh) != 0) {
      ++with;
      ++sampled[what.count * 4];
    }
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  EXPECT_GT(with, 0u);
  EXPECT_LT(static_cast<double>(with), 0.15 * static_cast<double>(all));
  EXPECT_GE(sampled[4096], 5);
  EXPECT_GE(sampled[4 << 20], 1);
}

TEST_F(NcclTest, KeepsChannelsOffAroundAGraphCapture) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  for (int i = 0; i < 100'000 && (nccl.mask() & nccl::kKernelCh) == 0; ++i) {
    nccl.collective(comm, {});
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  ASSERT_NE(nccl.mask() & nccl::kKernelCh, 0);
  nccl.begin_group(comm, true);
  EXPECT_EQ(nccl.mask() & nccl::kKernelCh, 0);
  const std::uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + 200'000'000;
  while (clock_ns(CLOCK_MONOTONIC) < end_ns) {
    nccl.collective(comm, {});
    ASSERT_EQ(nccl.mask() & nccl::kKernelCh, 0);
  }
}

TEST_F(NcclTest, TiesTheDevicesClockToTheHosts) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  // The device's clock is not the host's: since 1970, too many bits for a record.
  constexpr std::uint64_t kAhead = 1'795'654'577'123'456'789;
  std::vector<std::int64_t> begins;
  for (int i = 0; i < 50; ++i) {
    FakeNccl::Collective what;
    void* group = nccl.begin_group(comm);
    void* call = nccl.begin_call(comm, group, what);
    const std::uint64_t start = clock_ns(CLOCK_MONOTONIC);
    what.channels = channels(0, 1, start + kAhead, 0, 5'000);
    void* operation = nccl.begin_operation(comm, call, what);
    nccl.stop(call);
    nccl.stop(group);
    while (clock_ns(CLOCK_MONOTONIC) < start + 5'000) continue;
    nccl.channels(comm, operation, what.channels);
    begins.push_back(static_cast<std::int64_t>(start));
  }
  const auto got = recorded(comm.hash).device_times;
  ASSERT_EQ(got.size(), 50u);
  for (std::size_t i = 25; i < 50; ++i)
    EXPECT_NEAR(static_cast<double>(got[i].device_begin_ns), static_cast<double>(begins[i]),
                100'000);
}

}  // namespace
}  // namespace peerscope
