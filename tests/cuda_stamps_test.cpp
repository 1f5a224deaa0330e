// What the P2P backend's device stamps become in a reader: each operation, each replay of a graph, with the device's times.
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collect/collector_for_test.hpp"
#include "comm/cuda/cuda_communicator.hpp"
#include "comm/cuda/shared_object.hpp"
#include "comm/host/host.hpp"

namespace peerscope {
namespace {

constexpr std::byte kAnyImage[] = {std::byte{1}};

void all_reduces(const CudaDriver& driver, const HostWorld& world, int rank,
                 pscope_session* session) {
  CudaOptions options;
  options.name = "stamped";
  options.id = 77;
  options.device = rank;
  options.kernels = kAnyImage;
  options.session = session;
  auto comm = CudaCommunicator::open(driver, options, std::move(*world.open(rank)));
  ASSERT_TRUE(comm) << comm.error().message;
  std::vector<float> data(1000);
  const Call call{.kind = Kind::all_reduce,
                  .input = data.data(),
                  .output = data.data(),
                  .count = data.size(),
                  .dtype = Dtype::f32};
  for (int i = 0; i < 5; ++i) ASSERT_TRUE((*comm)->run(call));
  Result<CudaStream> stream = (*comm)->device().make_stream();
  ASSERT_TRUE(stream);
  ASSERT_TRUE((*comm)->device().begin_capture(*stream));
  ASSERT_TRUE((*comm)->enqueue(call, stream->get()));
  const Result<CudaGraph> graph = (*comm)->device().end_capture(*stream);
  ASSERT_TRUE(graph);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE((*comm)->device().launch(*graph, *stream));
  ASSERT_TRUE((*comm)->synchronize(stream->get()));
  if (rank == 0) {
    ASSERT_TRUE((*comm)->send({data.data(), 10, Dtype::f32}, 1));
  } else {
    ASSERT_TRUE((*comm)->recv({data.data(), 10, Dtype::f32}, 0));
  }
  (*comm)->flush_stamps();
}

// Runs `body` on two ranks that record into one session, and reads what has come of it.
class CudaStampsSession : public testing::Test {
 protected:
  template <class Body>
  void on_two(Body body) {
    ASSERT_TRUE(SharedObject::open(PSCOPE_FAKE_GPU_DIR "/libcuda.so.1"));
    setenv("PEERSCOPE_RUNTIME_DIR", dir_.path().c_str(), 1);
    pscope_options recording = PSCOPE_OPTIONS_INIT;
    recording.session = "stamps";
    recording.level = PSCOPE_LEVEL_DETAILED;
    session_ = pscope_open(&recording, nullptr);
    ASSERT_NE(session_, nullptr);
    const Result<CudaDriver> driver = CudaDriver::open();
    ASSERT_TRUE(driver);
    HostOptions host;
    host.ranks = 2;
    const Result<HostWorld> world = HostWorld::create(host);
    ASSERT_TRUE(world);
    const auto rank_main = [&](int rank) {
      CudaOptions options;
      options.name = "stamped";
      options.id = 78;
      options.device = rank;
      options.kernels = kAnyImage;
      options.session = session_;
      auto comm = CudaCommunicator::open(*driver, options, std::move(*world->open(rank)));
      ASSERT_TRUE(comm) << comm.error().message;
      body(**comm);
    };
    std::thread other(rank_main, 1);
    rank_main(0);
    other.join();
    reader.poll_all();
  }
  void TearDown() override {
    pscope_close(session_);
    unsetenv("PEERSCOPE_RUNTIME_DIR");
  }
  [[nodiscard]] std::vector<std::uint64_t> numbers_of(int rank, Kind kind) {
    std::vector<std::uint64_t> numbers;
    for (const Op& op : reader.keeper.ops) {
      if (op.rank == rank && op.kind == kind && !op.device_only) numbers.push_back(op.sequence);
    }
    return numbers;
  }

  const RuntimeDir dir_;
  Reader reader{dir_};
  pscope_session* session_ = nullptr;
};

// As those of a rank whose session has stayed on.
TEST_F(CudaStampsSession, NumbersGoOnWhileTheLevelIsOff) {
  on_two([&](CudaCommunicator& comm) {
    std::vector<float> data(100);
    const auto round = [&] {
      ASSERT_TRUE(comm.all_reduce({data.data(), 100, Dtype::f32}, data.data(), ReduceOp::sum));
      ASSERT_TRUE(comm.rank() == 0 ? comm.send({data.data(), 10, Dtype::f32}, 1)
                                   : comm.recv({data.data(), 10, Dtype::f32}, 0));
      comm.flush_stamps();
      ASSERT_TRUE(comm.barrier());
    };
    round();
    if (comm.rank() == 0) pscope_set_level(session_, PSCOPE_LEVEL_OFF);
    ASSERT_TRUE(comm.barrier());
    round();
    if (comm.rank() == 0) pscope_set_level(session_, PSCOPE_LEVEL_DETAILED);
    ASSERT_TRUE(comm.barrier());
    round();
  });
  const std::vector<std::uint64_t> sent = numbers_of(0, Kind::send);
  EXPECT_THAT(sent, testing::UnorderedElementsAre(0, 2));
  EXPECT_THAT(numbers_of(1, Kind::recv), testing::UnorderedElementsAre(0, 2));
  EXPECT_THAT(numbers_of(0, Kind::all_reduce), testing::UnorderedElementsAre(0, 6));
}

// Copies have no kernel that could stamp: the host's side of each is recorded, not that of a capture.
TEST_F(CudaStampsSession, CopiesAreRecordedAsTheHostSeesThem) {
  on_two([&](CudaCommunicator& comm) {
    std::vector<float> data(1000);
    if (comm.rank() == 0) {
      Result<CudaStream> stream = comm.device().make_stream();
      ASSERT_TRUE(stream);
      const Call put{.kind = Kind::copy,
                     .input = data.data(),
                     .count = data.size(),
                     .dtype = Dtype::f32,
                     .peer = 1};
      ASSERT_TRUE(comm.run(put));
      ASSERT_TRUE(comm.enqueue(put, stream->get()));
      ASSERT_TRUE(comm.device().begin_capture(*stream));
      ASSERT_TRUE(comm.enqueue(put, stream->get()));
      ASSERT_TRUE(comm.device().end_capture(*stream));
      ASSERT_TRUE(comm.get({data.data(), data.size(), Dtype::f32}, {1, 0}));
      EXPECT_EQ(comm.pool_traffic(1).puts, 3u);
      EXPECT_EQ(comm.pool_traffic(1).put_bytes, 12'000u);
      EXPECT_EQ(comm.pool_traffic(1).get_bytes, 4'000u);
    }
    ASSERT_TRUE(comm.barrier());
  });
  EXPECT_THAT(numbers_of(0, Kind::copy), testing::UnorderedElementsAre(0, 1));
  EXPECT_THAT(numbers_of(0, Kind::get), testing::UnorderedElementsAre(0));
  for (const Op& op : reader.keeper.ops) {
    if (op.kind != Kind::copy) continue;
    EXPECT_EQ(op.peer, 1);
    EXPECT_EQ(op.bytes, 4000u);
    EXPECT_EQ(op.async, op.sequence == 1);
    EXPECT_GE(op.host_duration_ns, 0);
  }
}

TEST(CudaStamps, EachOperationAndEachReplayIsRecordedWithTheDevicesTimes) {
  ASSERT_TRUE(SharedObject::open(PSCOPE_FAKE_GPU_DIR "/libcuda.so.1"));
  const RuntimeDir dir;
  setenv("PEERSCOPE_RUNTIME_DIR", dir.path().c_str(), 1);
  pscope_options recording = PSCOPE_OPTIONS_INIT;
  recording.session = "stamps";
  recording.level = PSCOPE_LEVEL_DETAILED;
  pscope_session* session = pscope_open(&recording, nullptr);
  ASSERT_NE(session, nullptr);
  const Result<CudaDriver> driver = CudaDriver::open();
  ASSERT_TRUE(driver);
  HostOptions host;
  host.ranks = 2;
  const Result<HostWorld> world = HostWorld::create(host);
  ASSERT_TRUE(world);
  std::thread other([&] { all_reduces(*driver, *world, 1, session); });
  all_reduces(*driver, *world, 0, session);
  other.join();
  Reader reader(dir);
  reader.poll_all();
  for (int rank = 0; rank < 2; ++rank) {
    std::vector<std::uint64_t> numbers, timed;
    for (const Op& op : reader.keeper.ops) {
      if (op.rank != rank || op.kind != Kind::all_reduce) continue;
      EXPECT_EQ(op.bytes, 4000u);
      EXPECT_EQ(op.backend, Backend::cuda);
      (op.device_only ? timed : numbers).push_back(op.sequence);
      EXPECT_TRUE(!op.device_only || op.device_duration_ns > 0);
      EXPECT_TRUE(op.device_only || op.algorithm == Algorithm::direct);
    }
    // In any order: the thread that reads and the one that flushes have rings of their own.
    EXPECT_THAT(numbers, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7)) << rank;
    EXPECT_THAT(timed, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7)) << rank;
    const Kind kind = rank == 0 ? Kind::send : Kind::recv;
    EXPECT_EQ(std::ranges::count_if(reader.keeper.ops,
                                    [&](const Op& op) {
                                      return op.rank == rank && op.kind == kind &&
                                             !op.device_only && op.peer == 1 - rank;
                                    }),
              1);
  }
  pscope_close(session);
  unsetenv("PEERSCOPE_RUNTIME_DIR");
}

}  // namespace
}  // namespace peerscope
