// The plugin against a fake NCCL that behaves as the real ones do: each pitfall of the interface by its name.
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

class Pitfall : public NcclTest {};

TEST_F(Pitfall, StopIsNotDoneChannelsComeAfterTheirParentsEnd) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  FakeNccl::Collective what;
  what.channels = channels(0, 4, device_now(), 0, 10'000);
  void* group = nccl.begin_group(comm);
  void* call = nccl.begin_call(comm, group, what);
  void* operation = nccl.begin_operation(comm, call, what);
  nccl.stop(operation);
  nccl.stop(call);
  nccl.stop(group);
  ASSERT_EQ(recorded(comm.hash).operations.size(), 1u);  // launched: already there
  nccl.channels(comm, operation, what.channels);
  EXPECT_EQ(recorded(comm.hash).device_times.size(), 1u);
}

TEST_F(Pitfall, OperationBeginsAtItsCallNotWhenItIsLaunched) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  void* group = nccl.begin_group(comm, false, 2);
  const auto before = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  void* call = nccl.begin_call(comm, group, {});
  nccl.stop(call);  // in a group of the user's: the call ends before the launch
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
  nccl.stop(nccl.begin_operation(comm, call, {}));
  nccl.stop(group);
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 1u);
  EXPECT_NEAR(static_cast<double>(got[0].begin_ns), static_cast<double>(before), 1e6);
  EXPECT_GE(got[0].host_duration_ns, 3'000'000);
}

TEST_F(Pitfall, CountsInBytesOfTasksAreReplacedByThoseOfTheCall) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 4, 0);
  FakeNccl::Collective call_says, task_says;
  call_says.func = task_says.func = "AllGather";
  call_says.count = 256;  // floats of one rank
  task_says.count = 1024;
  task_says.datatype = "ncclInt8";
  void* group = nccl.begin_group(comm);
  void* call = nccl.begin_call(comm, group, call_says);
  nccl.stop(nccl.begin_operation(comm, call, task_says));
  nccl.stop(call);
  nccl.stop(group);
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].bytes, 4096u);  // of all ranks, as nccl-tests counts
  EXPECT_EQ(got[0].dtype, Dtype::f32);
}

TEST_F(Pitfall, Uint8IsCalledUnknownAndIsOneByte) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  FakeNccl::Collective what;
  what.datatype = "Unknown";
  nccl.collective(comm, what);
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].bytes, 1024u);
  EXPECT_EQ(got[0].dtype, Dtype::u8);
}

TEST_F(Pitfall, AllToAllArrivesAsSendsAndReceivesWithTheirPeers) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 4, 1);
  FakeNccl::Collective send, receive;
  send.func = "Send";
  receive.func = "Recv";
  void* group = nccl.begin_group(comm, false, 2);
  std::vector<std::pair<void*, FakeNccl::Collective>> calls;
  for (int peer = 0; peer < 4; ++peer) {
    for (const FakeNccl::Collective& what : {send, receive}) {
      calls.emplace_back(nccl.begin_p2p_call(comm, group, what), what);
      nccl.stop(calls.back().first);
    }
  }
  for (std::size_t i = 0; i < calls.size(); ++i)
    nccl.stop(nccl.begin_p2p(comm, calls[i].first, calls[i].second, static_cast<int>(i / 2), 1));
  nccl.stop(group);
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(got[i].kind, i % 2 == 0 ? Kind::send : Kind::recv);
    EXPECT_EQ(got[i].peer, i / 2);
    EXPECT_EQ(got[i].sequence, i);
  }
}

// As 2.28 does: one group of NCCL's own, with a call for each peer and way.
TEST_F(Pitfall, AllToAllOutsideAGroupIsAsManySendsAndReceivesAndNoMore) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 4, 1);
  FakeNccl::Collective send, receive;
  send.func = "Send";
  receive.func = "Recv";
  for (int time = 0; time < 2; ++time) {
    void* group = nccl.begin_group(comm, false, 1);
    std::vector<void*> calls;
    for (int peer = 0; peer < 4; ++peer) {
      for (const auto& what : {send, receive}) {
        calls.push_back(nccl.begin_p2p_call(comm, group, what));
        nccl.stop(calls.back());
      }
    }
    for (std::size_t i = 0; i < calls.size(); ++i)
      nccl.stop(
          nccl.begin_p2p(comm, calls[i], i % 2 == 0 ? send : receive, static_cast<int>(i / 2), 1));
    nccl.stop(group);
  }
  nccl.collective(comm, {});
  nccl.finalize(comm);
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 17u);
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(got[i].kind, i % 2 == 0 ? Kind::send : Kind::recv);
    EXPECT_EQ(got[i].peer, i % 8 / 2);
    EXPECT_EQ(got[i].bytes, 4096u);
    EXPECT_EQ(got[i].sequence, i);
  }
}

// One group over the communicators of several devices, as nccl-tests has it: NCCL tells the first one only.
TEST_F(Pitfall, AGroupOverSeveralCommunicatorsIsToldToTheFirstOnly) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm first = nccl.init(hash(), 2, 0);
  FakeNccl::Comm second = nccl.init(first.hash, 2, 1);
  std::uint64_t at = device_now();
  const auto ran = [&at] {
    FakeNccl::Collective what;
    what.channels = channels(0, 2, at += 10'000, 0, 5'000);
    return what;
  };
  for (int i = 0; i < 3; ++i) {
    if (i == 1) nccl.collective(second, ran());  // by itself, in between
    if (i == 1) nccl.collective(first, ran());
    void* group = nccl.begin_group(first, false, 2);
    std::vector<void*> calls, operations;
    for (int call = 0; call < 4; ++call) {
      calls.push_back(nccl.begin_call(call % 2 == 0 ? first : second, group, ran()));
      nccl.stop(calls.back());
    }
    for (std::size_t call = 0; call < 4; ++call) {
      operations.push_back(
          nccl.begin_operation(call % 2 == 0 ? first : second, calls[call], ran()));
      nccl.stop(operations.back());
    }
    nccl.stop(group);
    for (std::size_t call = 0; call < 4; ++call)
      nccl.channels(call % 2 == 0 ? first : second, operations[call], ran().channels);
  }
  const auto got = recorded(first.hash);
  EXPECT_EQ(got.operations.size(), 14u);
  EXPECT_EQ(got.device_times.size(), 14u);
}

// A replay brings the call's handle back. What is under way on the user's thread is not its call.
TEST_F(Pitfall, AReplayDoesNotTakeTheCallOfAnEagerOperation) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  FakeNccl::Collective large;
  large.captured = true;
  void* captured_group = nccl.begin_group(comm, true);
  void* captured_call = nccl.begin_call(comm, captured_group, large);
  nccl.stop(captured_call);
  nccl.stop(captured_group);
  void* group = nccl.begin_group(comm);
  void* call = nccl.begin_call(comm, group, {});
  const std::uint64_t after = clock_ns(CLOCK_MONOTONIC);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  nccl.stop(nccl.begin_operation(comm, captured_call, large));  // a replay, of the same size
  nccl.stop(nccl.begin_operation(comm, call, {}));
  nccl.finalize(comm);
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 2u);
  EXPECT_GE(got[0].begin_ns, static_cast<std::int64_t>(after) + 1'500'000);  // its own
  EXPECT_LE(got[1].begin_ns, static_cast<std::int64_t>(after) + 500'000);    // the call's
}

TEST_F(Pitfall, LastCallWithoutATaskIsRecordedWhenTheCommunicatorEnds) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  nccl.stop(nccl.begin_call(comm, nccl.begin_group(comm), {}));
  nccl.finalize(comm);
  EXPECT_EQ(recorded(comm.hash).operations.size(), 1u);
}

TEST_F(Pitfall, GraphCaptureIsNoOperationAndIsCounted) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  const double before = metric("nccl.captured_in_graphs");
  FakeNccl::Collective what;
  what.captured = true;
  for (int i = 0; i < 5; ++i) nccl.collective(comm, what);
  EXPECT_TRUE(recorded(comm.hash).operations.empty());
  EXPECT_EQ(metric("nccl.captured_in_graphs") - before, 5);
}

// With channels on at capture, tasks come at each replay, from another thread, with the call's handle long over.
TEST_F(Pitfall, ReplaysWithAStaleParentAreOperationsOfTheirOwn) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  FakeNccl::Collective what;
  what.captured = true;
  void* group = nccl.begin_group(comm, true);
  void* call = nccl.begin_call(comm, group, what);
  nccl.stop(call);
  nccl.stop(group);
  std::thread([&] {
    const std::uint64_t now = device_now();
    for (std::uint64_t replay = 0; replay < 3; ++replay) {
      FakeNccl::Collective run = what;
      run.channels = channels(0, 2, now + replay * 10'000, 0, 5'000);
      void* operation = nccl.begin_operation(comm, call, run);
      nccl.stop(operation);
      nccl.channels(comm, operation, run.channels);
    }
  }).join();
  const auto got = recorded(comm.hash);
  EXPECT_EQ(got.operations.size(), 3u);
  EXPECT_EQ(got.device_times.size(), 3u);
}

TEST_F(Pitfall, ProxyOperationsOfAnotherProcessAreNotTouched) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  Descriptor d;
  std::memset(&d, 0, sizeof d);
  d.head.type = nccl::kProxyOp;
  d.head.parent = reinterpret_cast<void*>(0xDEAD'0000);  // pointers of that process
  d.proxy_op.pid = 1;
  EXPECT_EQ(nccl.start(reinterpret_cast<void*>(0xBEEF'0000), d), nullptr);
  nccl.collective(comm, {});
  EXPECT_EQ(recorded(comm.hash).operations.size(), 1u);
}

TEST_F(Pitfall, RankComesFromTheContext) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 8, 6);
  comm.rank = 0;  // as NCCL leaves it in most descriptors
  FakeNccl::Collective what;
  what.channels = channels(0, 1, device_now(), 0, 9'000);
  nccl.collective(comm, what);
  const auto got = recorded(comm.hash);
  ASSERT_EQ(got.operations.size(), 1u);
  EXPECT_EQ(got.operations[0].rank, 6);
  ASSERT_EQ(got.device_times.size(), 1u);
  EXPECT_EQ(got.device_times[0].rank, 6);
}

TEST_F(Pitfall, OverwrittenChannelTimesAreRefusedNotBelieved) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  const double before = metric("nccl.refused_device_times");
  const std::uint64_t now = device_now();
  FakeNccl::Collective what;
  what.channels = channels(0, 2, now, 0, 10'000);
  nccl.collective(comm, what);
  what.channels = {{0, now + 20'000, now + 15'000},
                   {1, now + 20'000, now + 20'000}};  // stop before start; 0
  nccl.collective(comm, what);
  what.channels = {{0, now + 5'000, now + 40'000},
                   {1, now + 21'000, now + 40'000}};  // before the last stop
  nccl.collective(comm, what);
  EXPECT_EQ(recorded(comm.hash).device_times.size(), 1u);
  EXPECT_EQ(metric("nccl.refused_device_times") - before, 2);
}

// In a child: the pool is full for a second.
TEST_F(Pitfall, ChannelsWithoutAStopAreNotWaitedFor) {
  const std::uint64_t id = hash();
  const pid_t child = start_child([&] {
    FakeNccl nccl = exact(5);
    FakeNccl::Comm comm = nccl.init(id, 2, 0);
    FakeNccl::Collective what;
    for (int i = 0; i < 10'000; ++i) {  // more than the pool: nothing is ever given back
      what.channels = channels(0, 1, device_now(), 0, 1'000);
      void* group = nccl.begin_group(comm);
      void* call = nccl.begin_call(comm, group, what);
      void* operation = nccl.begin_operation(comm, call, what);
      nccl.stop(operation);
      nccl.stop(call);
      nccl.stop(group);
      nccl.begin_channel(comm, operation, what.channels[0]);
    }
    return metric("nccl.lost_events") > 0 ? 0 : 1;
  });
  EXPECT_EQ(wait_for(child), 0);
  const auto got = recorded(id);
  EXPECT_GE(got.operations.size(), 4096u);  // what a ring keeps: recorded all the same
  EXPECT_TRUE(got.device_times.empty());
}

TEST_F(Pitfall, StatesWithoutArgumentsAndStaleHandlesDoNothing) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  FakeNccl::Collective what;
  what.channels = channels(0, 1, device_now(), 0, 7'000);
  void* group = nccl.begin_group(comm);
  void* call = nccl.begin_call(comm, group, what);
  void* operation = nccl.begin_operation(comm, call, what);
  void* channel = nccl.begin_channel(comm, operation, what.channels[0]);
  nccl.record(channel, nccl::kKernelChStop, nullptr);
  nccl.end_channel(channel, what.channels[0]);
  for (int i = 0; i < 3; ++i) {
    nccl.end_channel(channel, what.channels[0]);  // over
    EXPECT_EQ(nccl.begin_channel(comm, operation, what.channels[0]), nullptr);
    nccl.stop(group);
    nccl.stop(call);
    nccl.stop(operation);
  }
  for (const std::uint64_t wild :
       {1ull, 5ull, 0xFFFF'FFFF'FFFF'FFFFull, 0x1234'5678'9ABC'DE02ull}) {
    nccl.record(reinterpret_cast<void*>(wild), 22, nullptr);
    nccl.stop(reinterpret_cast<void*>(wild));
  }
  EXPECT_EQ(recorded(comm.hash).device_times.size(), 1u);
}

TEST_F(Pitfall, NothingIsSaidOfAContextThatIsNull) {
  FakeNccl nccl = fake(5);
  FakeNccl::Comm nobody;
  nccl.collective(nobody, {});
  nccl.finalize(nobody);
}

TEST_F(Pitfall, V4ChannelsOfAPointToPointMayBeUninitialised) {
  FakeNccl nccl = exact(4);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  nccl.begin_group(comm);
  FakeNccl::Collective send;
  send.func = "Send";
  EXPECT_EQ(nccl.begin_p2p(comm, nullptr, send, 1, 0), nullptr);
  EXPECT_EQ(nccl.begin_p2p(comm, nullptr, send, 1, 0xEE), nullptr);
  EXPECT_EQ(recorded(comm.hash).operations.size(), 2u);
}

// The kernel does both as one work: two events come with the same times, the second after the first has stopped.
TEST_F(Pitfall, SendAndReceiveOfAGroupHaveTheSameTimesAndBothCount) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  const double before = metric("nccl.refused_device_times");
  FakeNccl::Collective send, receive;
  send.func = "Send";
  receive.func = "Recv";
  std::uint64_t at = device_now();
  for (int i = 0; i < 3; ++i, at += 50'000) {
    void* group = nccl.begin_group(comm, false, 2);
    void* send_call = nccl.begin_p2p_call(comm, group, send);
    void* receive_call = nccl.begin_p2p_call(comm, group, receive);
    void* sent = nccl.begin_p2p(comm, send_call, send, 1, 1);
    void* received = nccl.begin_p2p(comm, receive_call, receive, 1, 1);
    nccl.stop(group);
    const auto both = channels(5, 1, at, 0, 8'000);
    nccl.channels(comm, sent, both);
    nccl.channels(comm, received, both);
  }
  const auto got = recorded(comm.hash).device_times;
  ASSERT_EQ(got.size(), 6u);
  for (const Op& op : got) EXPECT_EQ(op.device_duration_ns, 8'000);
  EXPECT_EQ(metric("nccl.refused_device_times"), before);
}

TEST_F(Pitfall, ChannelsAreThoseThatAreUsedNotTheFirstOnes) {
  FakeNccl nccl = exact(5);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  const std::uint64_t now = device_now();
  FakeNccl::Collective what;
  what.channels = {
      {2, now, now + 10'000}, {17, now + 5'000, now + 40'000}, {63, now + 1'000, now + 2'000}};
  nccl.collective(comm, what);
  const auto got = recorded(comm.hash).device_times;
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].device_duration_ns, 40'000);
}

// 2.29's broadcasts go through a scheduler that gives them no task.
TEST_F(Pitfall, BroadcastWithoutATaskIsRecordedFromItsCall) {
  FakeNccl nccl = fake(6);
  FakeNccl::Comm comm = nccl.init(hash(), 4, 1);
  FakeNccl::Collective broadcast;
  broadcast.func = "Broadcast";
  broadcast.root = 3;
  for (int i = 0; i < 4; ++i) {
    void* group = nccl.begin_group(comm);
    nccl.stop(nccl.begin_call(comm, group, broadcast));
    nccl.stop(group);
  }
  nccl.finalize(comm);
  const auto got = recorded(comm.hash).operations;
  ASSERT_EQ(got.size(), 4u);
  for (const Op& op : got) {
    EXPECT_EQ(op.kind, Kind::broadcast);
    EXPECT_EQ(op.peer, 3);
    EXPECT_EQ(op.bytes, 4096u);
  }
}

// From 2.29 on they have events, without times: nothing is asked of them, their calls are recorded.
TEST_F(Pitfall, CopyEngineCollectivesAreTheirCalls) {
  FakeNccl nccl = fake(6);
  FakeNccl::Comm comm = nccl.init(hash(), 2, 0);
  for (int i = 0; i < 2; ++i) {
    void* group = nccl.begin_group(comm);
    void* call = nccl.begin_call(comm, group, {});
    for (const std::uint64_t type : {1u << 12, 1u << 13, 1u << 14}) {
      Descriptor d;
      std::memset(&d, 0x5A, sizeof d);
      d.head.type = type;
      d.head.parent = call;
      EXPECT_EQ(nccl.start(comm.context, d), nullptr);
    }
    nccl.stop(call);
    nccl.stop(group);
  }
  nccl.finalize(comm);
  EXPECT_EQ(recorded(comm.hash).operations.size(), 2u);
}

}  // namespace
}  // namespace peerscope
