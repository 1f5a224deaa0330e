// The injection library against a fake CUPTI: copies, by the call and on the device.
#include <gmock/gmock.h>

#include "source/cuda/cuda_for_test.hpp"

namespace peerscope {
namespace {

using namespace cuda;
using testing::HasSubstr;

constexpr std::uint32_t kPeerAsync = 319, kDtoDAsync = 281, kRuntimePeerAsync = 161,
                        kRuntimeAsync = 41;

// Two contexts, and memory of two devices.
struct Gpus {
  int contexts[2] = {};
  DevicePointer memory[2] = {std::uint64_t{1000} << 21, std::uint64_t{3000} << 21};
  Gpus() {
    fake_cupti().contexts = {{&contexts[0], 0}, {&contexts[1], 1}};
    fake_cupti().memory = {{1000, 0}, {3000, 1}};
  }
  PeerArguments peer(int from, int to, std::size_t bytes = 65'536, void* stream = nullptr) {
    return {memory[to], &contexts[to], memory[from], &contexts[from], bytes, stream};
  }
};

class Copies : public CudaTest {
 protected:
  // A copy by each function, and what it is recorded as.
  void expect_one(Domain domain, std::uint32_t id, const void* arguments, std::uint64_t bytes) {
    static_cast<void>(recorded());
    fake_cupti().call(domain, id, arguments);
    const auto got = recorded().operations;
    ASSERT_EQ(got.size(), 1u) << "function " << id;
    EXPECT_EQ(got[0].kind, Kind::copy);
    EXPECT_EQ(got[0].rank, 0);
    EXPECT_EQ(got[0].device, 0);
    EXPECT_EQ(got[0].peer, 1);
    EXPECT_EQ(got[0].ranks, 8);
    EXPECT_EQ(got[0].bytes, bytes);
    EXPECT_TRUE(got[0].async);
    EXPECT_EQ(got[0].backend, Backend::cuda);
  }
};

TEST_F(Copies, AreRecordedWhateverFunctionMakesThem) {
  in_child([this] {
    Gpus gpus;
    EXPECT_EQ(come_in(), 1);
    const PeerArguments peer = gpus.peer(0, 1);
    for (const std::uint32_t id : {318u, 319u, 409u, 426u})
      expect_one(Domain::driver, id, &peer, 65'536);
    const PlainArguments plain{gpus.memory[1] + 4096, gpus.memory[0] + 512, 1000, nullptr};
    for (const std::uint32_t id : {280u, 281u, 305u, 306u, 399u, 408u, 418u, 423u})
      expect_one(Domain::driver, id, &plain, 1000);
    Copy3dPeer cube{};
    cube.source.memory_type = cube.destination.memory_type = kMemoryDevice;
    cube.source.context = &gpus.contexts[0];
    cube.destination.context = &gpus.contexts[1];
    cube.width_bytes = 100;
    cube.height = 20;
    cube.depth = 3;
    const Copy3dPeerArguments by_cube{&cube, nullptr};
    for (const std::uint32_t id : {320u, 321u, 410u, 427u})
      expect_one(Domain::driver, id, &by_cube, 6000);
    const RuntimePeerArguments runtime{nullptr, 1, nullptr, 0, 77, nullptr};
    for (const std::uint32_t id : {160u, 161u}) expect_one(Domain::runtime, id, &runtime, 77);
    const RuntimePlainArguments inferred{reinterpret_cast<void*>(gpus.memory[1]),
                                         reinterpret_cast<void*>(gpus.memory[0]), 50,
                                         kInferredDirection, nullptr};
    for (const std::uint32_t id : {31u, 41u, 215u, 225u})
      expect_one(Domain::runtime, id, &inferred, 50);
    RuntimeCopy3dPeer box{};
    box.destination.device = 1;
    box.width = box.height = box.depth = 10;
    const RuntimeCopy3dPeerArguments by_box{&box, nullptr};
    for (const std::uint32_t id : {162u, 163u, 249u, 250u})
      expect_one(Domain::runtime, id, &by_box, 1000);
  });
}

TEST_F(Copies, OfABatchAreOneEach) {
  in_child([this] {
    Gpus gpus;
    come_in();
    const DevicePointer from[] = {gpus.memory[0], gpus.memory[0], gpus.memory[1]};
    const DevicePointer to[] = {gpus.memory[1], gpus.memory[0] + 64, gpus.memory[0]};
    const std::size_t bytes[] = {10, 20, 30};
    const BatchArguments batch{to, from, bytes, 3, nullptr, nullptr, 0, nullptr, nullptr};
    fake_cupti().call(Domain::driver, 796, &batch);
    const auto got = recorded().operations;
    ASSERT_EQ(got.size(), 2u);  // the second is within one device
    EXPECT_EQ(got[0].bytes, 10u);
    EXPECT_EQ(got[1].bytes, 30u);
    EXPECT_EQ(got[1].rank, 1);
    EXPECT_EQ(got[1].peer, 0);
  });
}

TEST_F(Copies, WithinADeviceOrOfTheHostOrThatFailedAreNone) {
  in_child([this] {
    Gpus gpus;
    come_in();
    FakeCupti& cuda = fake_cupti();
    const PeerArguments same = gpus.peer(1, 1);
    cuda.call(Domain::driver, kPeerAsync, &same);
    const PlainArguments within{gpus.memory[0] + 4096, gpus.memory[0], 100, nullptr};
    cuda.call(Domain::driver, kDtoDAsync, &within);
    int on_host = 0;
    const PlainArguments host{gpus.memory[0], reinterpret_cast<DevicePointer>(&on_host), 4,
                              nullptr};
    cuda.call(Domain::driver, 306, &host);
    const RuntimePlainArguments upload{reinterpret_cast<void*>(gpus.memory[0]), &on_host, 4, 1,
                                       nullptr};
    cuda.call(Domain::runtime, kRuntimeAsync, &upload);
    const PeerArguments good = gpus.peer(0, 1);
    cuda.call(Domain::driver, kPeerAsync, &good, 700);
    cuda.call(Domain::driver, kPeerAsync, nullptr);
    EXPECT_EQ(recorded().operations.size(), 0u);
    EXPECT_EQ(metric("cuda.failed_copies"), 1);
  });
}

TEST_F(Copies, OfTheRuntimeCountOnceIfTheDriversShowToo) {
  in_child([this] {
    Gpus gpus;
    come_in();
    FakeCupti& cuda = fake_cupti();
    const RuntimePeerArguments outer{nullptr, 1, nullptr, 0, 65'536, nullptr};
    const PeerArguments inner = gpus.peer(0, 1);
    for (int i = 0; i < 3; ++i) {
      auto runtime = cuda.enter(Domain::runtime, kRuntimePeerAsync, &outer);
      auto driver = cuda.enter(Domain::driver, kPeerAsync, &inner, runtime.correlation);
      cuda.exit(driver);
      cuda.exit(runtime);
    }
    EXPECT_EQ(recorded().operations.size(), 3u);
    cuda.call(Domain::driver, kPeerAsync, &inner);  // and again by itself
    EXPECT_EQ(recorded().operations.size(), 1u);
  });
}

TEST_F(Copies, CapturedIntoAGraphAreNotMadeThen) {
  in_child([this] {
    Gpus gpus;
    come_in();
    FakeCupti& cuda = fake_cupti();
    int capturing = 0, other = 0;
    cuda.capturing = {&capturing};
    struct Stream {
      void* stream;
    } stream{&capturing};
    cuda.call(Domain::runtime, 315, &stream);  // cudaStreamBeginCapture
    const PeerArguments captured = gpus.peer(0, 1, 64, &capturing);
    const PeerArguments beside = gpus.peer(0, 1, 128, &other);
    cuda.call(Domain::driver, kPeerAsync, &captured);
    cuda.call(Domain::driver, kPeerAsync, &beside);
    cuda.call(Domain::runtime, 319, &stream);  // cudaStreamEndCapture
    const auto got = recorded().operations;
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].bytes, 128u);
    EXPECT_EQ(metric("cuda.captured_in_graphs"), 1);
  });
}

TEST_F(Copies, ToMemoryThatMovedToAnotherDeviceAreSeenAsSuchAfterAMoment) {
  in_child([this] {
    Gpus gpus;
    come_in();
    const PlainArguments copy{gpus.memory[1], gpus.memory[0], 100, nullptr};
    fake_cupti().call(Domain::driver, kDtoDAsync, &copy);
    fake_cupti().memory[3000] = 2;  // freed, and given to another
    std::this_thread::sleep_for(200ms);
    fake_cupti().call(Domain::driver, kDtoDAsync, &copy);
    const auto got = recorded().operations;
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].peer, 1);
    EXPECT_EQ(got[1].peer, 2);
  });
}

TEST_F(Copies, OfContextsThatAreGoneAreNotTakenForTheNext) {
  in_child([this] {
    Gpus gpus;
    come_in();
    FakeCupti& cuda = fake_cupti();
    const PeerArguments copy = gpus.peer(0, 1);
    cuda.call(Domain::driver, kPeerAsync, &copy);
    const ResourceData gone{&gpus.contexts[1]};
    cuda.callback(nullptr, Domain::resource, kContextDestroyStarting, &gone);
    cuda.contexts[&gpus.contexts[1]] = 3;
    cuda.call(Domain::driver, kPeerAsync, &copy);
    const auto got = recorded().operations;
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[1].peer, 3);
  });
}

TEST_F(Copies, FollowTheLevelWhileItRuns) {
  setenv("PEERSCOPE_LEVEL", "basic", 1);
  in_child([this] {
    Gpus gpus;
    come_in();
    FakeCupti& cuda = fake_cupti();
    cuda.context_created(&gpus.contexts[0]);
    const PeerArguments copy = gpus.peer(0, 1);
    for (int i = 0; i < 640; ++i) cuda.call(Domain::driver, kPeerAsync, &copy);
    const auto sampled = recorded().operations;
    EXPECT_EQ(sampled.size(), 10u);
    for (const Op& op : sampled) EXPECT_EQ(op.weight, 64u);
    set_level(Level::off);
    cuda.call(Domain::driver, kPeerAsync, &copy);
    EXPECT_EQ(recorded().operations.size(), 0u);
    EXPECT_TRUE(soon([&] { return !cuda.listens(Domain::driver, kPeerAsync); }))
        << "level off costs nothing";
    set_level(Level::detailed);
    EXPECT_TRUE(soon([&] { return cuda.listens(Domain::driver, kPeerAsync); }));
    for (int i = 0; i < 10; ++i) cuda.call(Domain::driver, kPeerAsync, &copy);
    EXPECT_EQ(recorded().operations.size(), 10u);
  });
}

TEST_F(Copies, GoOnInAFunctionsMiddleWhileCallbacksPause) {
  in_child([this] {
    Gpus gpus;
    come_in();
    FakeCupti& cuda = fake_cupti();
    cuda.context_created(&gpus.contexts[0]);
    const RuntimePeerArguments runtime{nullptr, 1, nullptr, 0, 1, nullptr};
    static_cast<void>(cuda.enter(Domain::runtime, kRuntimePeerAsync, &runtime));  // no exit comes
    set_level(Level::off);
    EXPECT_TRUE(soon([&] { return !cuda.listens(Domain::driver, kPeerAsync); }));
    set_level(Level::detailed);
    EXPECT_TRUE(soon([&] { return cuda.listens(Domain::driver, kPeerAsync); }));
    const PeerArguments copy = gpus.peer(0, 1);
    cuda.call(Domain::driver, kPeerAsync, &copy);
    EXPECT_EQ(recorded().operations.size(), 1u);
  });
}

TEST_F(Copies, FromManyThreadsHaveEachItsNumber) {
  in_child([this] {
    Gpus gpus;
    come_in();
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([] {
        const RuntimePeerArguments copy{nullptr, 1, nullptr, 0, 8, nullptr};
        int result = 0;
        std::uint64_t shared = 0;
        CallbackData data{};
        data.arguments = &copy;
        data.result = &result;
        data.shared = &shared;
        for (int i = 0; i < 500; ++i) {
          for (const Site site : {Site::enter, Site::exit}) {
            data.site = site;
            fake_cupti().callback(nullptr, Domain::runtime, kRuntimePeerAsync, &data);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<bool> seen(4000);
    const auto got = recorded().operations;
    EXPECT_EQ(got.size(), 4000u);
    for (const Op& op : got) {
      ASSERT_LT(op.sequence, 4000u);
      EXPECT_FALSE(seen[op.sequence]);
      seen[op.sequence] = true;
    }
  });
}

}  // namespace
}  // namespace peerscope
