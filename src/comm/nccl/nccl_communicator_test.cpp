// NCCL behind the communicator's interface, over a libcuda and a libnccl of host memory that compute: values, graphs, and what is
// said when a rank does not come, cannot open, or asks for what NCCL has not.
#include "comm/nccl/nccl_communicator.hpp"

#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/cuda/shared_object.hpp"
#include "comm/host/host.hpp"
#include "comm/verify/random_case.hpp"

namespace peerscope {
namespace {

using std::chrono::milliseconds;
using testing::Each;
using testing::HasSubstr;

constexpr const char* kFakeCuda = PSCOPE_FAKE_GPU_DIR "/libcuda.so.1";
constexpr const char* kFakeNccl = PSCOPE_FAKE_GPU_DIR "/libnccl.so.2";
constexpr const char* kNewNccl = PSCOPE_FAKE_GPU_DIR "/new/libnccl.so.2";
const std::vector<Kind> kAll{Kind::all_reduce, Kind::broadcast,      Kind::reduce,
                             Kind::all_gather, Kind::reduce_scatter, Kind::gather,
                             Kind::all_to_all, Kind::barrier,        Kind::send};

using Opened = Result<std::unique_ptr<NcclCommunicator>>;

class NcclComm : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"FAKE_CUDA_DEVICES", "FAKE_CUDA_FAIL", "FAKE_NCCL_FAIL",
                             "FAKE_NCCL_HANG_MS", "FAKE_NCCL_LOST_MS"})
      unsetenv(name);
    setenv("FAKE_CUDA_DEVICES", "4", 1);
    ASSERT_TRUE(SharedObject::open(kFakeCuda));
  }
  void TearDown() override {
    SetUp();
    unsetenv("FAKE_CUDA_DEVICES");
  }

  // Each rank on a thread of its own.
  void open_on(int ranks, const std::function<void(int rank, Opened comm)>& body) const {
    const Result<CudaDriver> driver = CudaDriver::open();
    ASSERT_TRUE(driver) << driver.error().message;
    const Result<NcclLibrary> nccl = NcclLibrary::open(library_);
    ASSERT_TRUE(nccl) << nccl.error().message;
    const Result<HostWorld> world = HostWorld::create({.name = "test", .ranks = ranks});
    ASSERT_TRUE(world);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < ranks; ++rank) {
      threads.emplace_back([&, rank] {
        Result<std::unique_ptr<Communicator>> bootstrap = world->open(rank);
        ASSERT_TRUE(bootstrap);
        const NcclCommOptions options{.name = "test",
                                      .device = rank % driver->device_count(),
                                      .timeout = timeout_,
                                      .open_timeout = open_timeout_};
        body(rank, NcclCommunicator::open(*driver, *nccl, options, std::move(*bootstrap)));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  void on_ranks(int ranks, const std::function<void(NcclCommunicator& comm)>& body) const {
    open_on(ranks, [&](int, Opened comm) {
      ASSERT_TRUE(comm) << comm.error().message;
      body(**comm);
    });
  }
  [[nodiscard]] std::vector<Error> errors_of_opening(int ranks) const {
    std::mutex mutex;
    std::vector<Error> errors(static_cast<std::size_t>(ranks));
    open_on(ranks, [&](int rank, const Opened& comm) {
      const std::lock_guard lock(mutex);
      if (!comm) errors[static_cast<std::size_t>(rank)] = comm.error();
    });
    return errors;
  }

  std::string library_ = kFakeNccl;
  milliseconds timeout_{30'000}, open_timeout_{30'000};
};

// What NCCL can do of a case: it chooses the algorithm, and all_to_all has an output of its own.
RandomCase draw(std::uint64_t seed, const CaseLimits& limits) {
  RandomCase what = RandomCase::draw(seed, limits);
  what.algorithm = Algorithm::unknown;
  if (what.kind == Kind::all_to_all) what.in_place = false;
  return what;
}

// Device memory with a case in it.
struct Loaded {
  CaseMemory memory;
  CudaMemory piece;

  static Loaded of(const RandomCase& what, NcclCommunicator& comm) {
    CaseMemory memory(what, comm.rank());
    Result<CudaMemory> piece = comm.device().allocate(memory.initial().size());
    EXPECT_TRUE(piece);
    Loaded loaded{std::move(memory), std::move(*piece)};
    loaded.reload(comm);
    return loaded;
  }
  void reload(NcclCommunicator& comm) const {
    EXPECT_TRUE(
        comm.device().upload(piece.get(), memory.initial().data(), memory.initial().size()));
    EXPECT_TRUE(comm.settle());
  }
  [[nodiscard]] Call call() const { return memory.call(reinterpret_cast<void*>(piece.get())); }
  [[nodiscard]] std::string fault(NcclCommunicator& comm) const {
    std::vector<std::byte> after(memory.initial().size());
    EXPECT_TRUE(comm.device().download(after.data(), piece.get(), after.size()));
    return memory.fault(after);
  }
};

void run_cases(NcclCommunicator& comm, std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const RandomCase what = draw(seed, {kAll, comm.ranks(), 100'000});
    if (!what.takes_part(comm.rank())) continue;
    const Loaded loaded = Loaded::of(what, comm);
    const Status done = comm.run(loaded.call());
    ASSERT_TRUE(done) << what.text() << ": " << done.error().message;
    ASSERT_EQ(loaded.fault(comm), "") << what.text();
  }
}

TEST_F(NcclComm, EveryOperationIsWhatFloat64Says) {
  for (const int ranks : {1, 2, 3, 4})
    on_ranks(ranks, [](NcclCommunicator& comm) { run_cases(comm, 1000, 150); });
}

TEST_F(NcclComm, TheLibrarysOwnAllToAllIsUsedWhereThereIsOne) {
  library_ = kNewNccl;
  on_ranks(3, [](NcclCommunicator& comm) { run_cases(comm, 7000, 60); });
  setenv("FAKE_NCCL_FAIL", "ncclAlltoAll", 1);
  on_ranks(2, [](NcclCommunicator& comm) {
    std::vector<float> from(4), to(4);
    const Status done = comm.all_to_all({from.data(), 4, Dtype::f32}, to.data());
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("ncclAlltoAll failed on rank"));
  });
}

TEST_F(NcclComm, AGraphRunsWhatItCapturedAsOftenAsItIsLaunched) {
  on_ranks(3, [](NcclCommunicator& comm) {
    Result<CudaStream> stream = comm.device().make_stream();
    ASSERT_TRUE(stream);
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      const RandomCase what = draw(seed, {kAll, 3, 50'000});
      if (!what.takes_part(comm.rank())) continue;
      const Loaded loaded = Loaded::of(what, comm);
      ASSERT_TRUE(comm.device().begin_capture(*stream));
      ASSERT_TRUE(comm.enqueue(loaded.call(), stream->get()));
      const Result<CudaGraph> graph = comm.device().end_capture(*stream);
      ASSERT_TRUE(graph);
      for (int launch = 0; launch < 3; ++launch) {
        loaded.reload(comm);
        ASSERT_TRUE(comm.device().launch(*graph, *stream));
        ASSERT_TRUE(comm.synchronize(stream->get()));
        ASSERT_EQ(loaded.fault(comm), "") << what.text();
      }
    }
  });
}

TEST_F(NcclComm, TypesAreThoseOfNcclAndOthersAreMovedAsBytes) {
  on_ranks(2, [](NcclCommunicator& comm) {
    std::vector<double> values(5, 0.5 + comm.rank());
    ASSERT_TRUE(
        comm.all_reduce({values.data(), values.size(), Dtype::f64}, values.data(), ReduceOp::sum));
    EXPECT_THAT(values, Each(2.0));
    std::vector<std::uint8_t> bytes(5, comm.rank() == 1 ? 7 : 0);
    ASSERT_TRUE(comm.broadcast({bytes.data(), 5, Dtype::f8e4m3}, bytes.data(), 1));
    EXPECT_THAT(bytes, Each(7));
    const Status none =
        comm.all_reduce({bytes.data(), 5, Dtype::f8e4m3}, bytes.data(), ReduceOp::sum);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::unsupported);
    EXPECT_TRUE(comm.barrier());
  });
}

TEST_F(NcclComm, WhatIsRefusedSaysWhyAndChangesNothing) {
  on_ranks(2, [](NcclCommunicator& comm) {
    std::vector<float> data(8), output(16);
    const Source source{data.data(), 8, Dtype::f32};
    const auto expect = [](const Status& status, ErrorCode code, const char* words) {
      ASSERT_FALSE(status) << words;
      EXPECT_EQ(status.error().code, code) << words;
      EXPECT_THAT(status.error().message, HasSubstr(words));
    };
    expect(comm.all_reduce(source, output.data(), ReduceOp::sum, Algorithm::ring),
           ErrorCode::unsupported, "NCCL chooses the algorithm, ring cannot be asked for");
    expect(comm.copy(source, {1 - comm.rank(), 0}), ErrorCode::unsupported, "no one-sided");
    expect(comm.get({data.data(), 8, Dtype::f32}, {1 - comm.rank(), 0}), ErrorCode::unsupported,
           "no one-sided");
    expect(comm.all_to_all(source, data.data()), ErrorCode::unsupported, "not work in place");
    expect(comm.broadcast(source, output.data(), 2), ErrorCode::invalid_argument,
           "there is no rank 2");
    expect(comm.send(source, comm.rank()), ErrorCode::invalid_argument, "its own peer");
    expect(comm.reduce_scatter({data.data(), 7, Dtype::f32}, output.data(), ReduceOp::sum),
           ErrorCode::invalid_argument, "cannot be dealt evenly");
    expect(comm.all_reduce({nullptr, 8, Dtype::f32}, output.data(), ReduceOp::sum),
           ErrorCode::invalid_argument, "input is null");
    expect(comm.enqueue({.kind = Kind::scatter}, nullptr), ErrorCode::unsupported, "no operation");
    EXPECT_FALSE(comm.failure());
    EXPECT_TRUE(comm.all_reduce(source, output.data(), ReduceOp::avg));
  });
}

void expect_end(NcclCommunicator& comm, ErrorCode code, const char* words) {
  std::vector<float> data(100);
  const Status done =
      comm.all_reduce({data.data(), data.size(), Dtype::f32}, data.data(), ReduceOp::sum);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, code) << done.error().message;
  EXPECT_THAT(done.error().message, HasSubstr(words));
  const Status again = comm.barrier();
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("takes no further operations"));
}

TEST_F(NcclComm, ARankThatDoesNotComeIsNoEndlessWait) {
  setenv("FAKE_NCCL_HANG_MS", "10", 1);
  timeout_ = milliseconds(100);
  on_ranks(3, [](NcclCommunicator& comm) {
    if (comm.rank() == 2) return;
    expect_end(comm, ErrorCode::timeout,
               "all_reduce of 400 B f32 has not ended for 100 ms: another rank has not come");
  });
}

TEST_F(NcclComm, WhatNcclNoticesLaterIsToldAtOnce) {
  setenv("FAKE_NCCL_LOST_MS", "10", 1);
  on_ranks(2, [](NcclCommunicator& comm) {
    if (comm.rank() == 1) return;
    expect_end(comm, ErrorCode::io, "an operation of NCCL (ncclCommGetAsyncError) failed");
  });
}

TEST_F(NcclComm, AStreamOfTheCallersHasTheSameTimeOut) {
  setenv("FAKE_NCCL_HANG_MS", "10", 1);
  timeout_ = milliseconds(100);
  on_ranks(2, [](NcclCommunicator& comm) {
    if (comm.rank() == 1) return;
    Result<CudaStream> stream = comm.device().make_stream();
    std::vector<float> data(100);
    Call call{.kind = Kind::recv, .output = data.data(), .count = 100, .dtype = Dtype::f32};
    call.peer = 1;
    ASSERT_TRUE(comm.enqueue(call, stream->get()));
    const Status done = comm.synchronize(stream->get());
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("recv of 400 B f32 has not ended"));
    ASSERT_TRUE(comm.failure());
    EXPECT_FALSE(comm.synchronize(stream->get()));
  });
}

TEST_F(NcclComm, AFailedCallNamesItAndTheRank) {
  setenv("FAKE_NCCL_FAIL", "ncclSend", 1);
  on_ranks(2, [](NcclCommunicator& comm) {
    if (comm.rank() == 1) return;
    std::vector<float> data(1);
    const Status done = comm.send({data.data(), 1, Dtype::f32}, 1);
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("ncclSend failed on rank 0: 5 (invalid usage)"));
    EXPECT_TRUE(comm.failure());
  });
}

TEST_F(NcclComm, AllRanksFailToOpenTogether) {
  for (const char* call : {"cuMemAlloc", "cuStreamCreate"}) {
    setenv("FAKE_CUDA_FAIL", call, 1);
    for (const Error& error : errors_of_opening(2)) EXPECT_THAT(error.message, HasSubstr(call));
  }
  unsetenv("FAKE_CUDA_FAIL");
  setenv("FAKE_NCCL_FAIL", "ncclGetUniqueId", 1);
  const std::vector<Error> first = errors_of_opening(2);
  EXPECT_THAT(first[0].message, HasSubstr("ncclGetUniqueId failed on rank 0"));
  EXPECT_THAT(first[1].message, HasSubstr("rank 0 could not open its GPU; its error says why"));
  setenv("FAKE_NCCL_FAIL", "ncclCommInitRank", 1);
  for (const Error& error : errors_of_opening(3))
    EXPECT_THAT(error.message, HasSubstr("ncclCommInitRank failed on rank"));
}

TEST_F(NcclComm, ARankThatFailsAloneToConnectIsNotWaitedForForEver) {
  setenv("FAKE_NCCL_FAIL", "ncclCommInitRank@1", 1);
  open_timeout_ = milliseconds(100);
  const std::vector<Error> errors = errors_of_opening(2);
  EXPECT_THAT(errors[1].message, HasSubstr("ncclCommInitRank failed on rank 1"));
  EXPECT_THAT(errors[0].message, HasSubstr("NCCL has not connected the ranks for 100 ms"));
}

TEST_F(NcclComm, RanksThatShareAGpuAreRefusedBeforeNcclDoes) {
  setenv("FAKE_CUDA_DEVICES", "2", 1);
  for (const Error& error : errors_of_opening(3)) {
    EXPECT_EQ(error.code, ErrorCode::unsupported);
    EXPECT_THAT(error.message,
                HasSubstr("NCCL wants a GPU for each rank: ranks 0 and 2 share GPU 0000:A0:00.0"));
  }
}

}  // namespace
}  // namespace peerscope
