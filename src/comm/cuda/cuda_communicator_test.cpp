// The communicator over a fake driver whose kernels run on threads: values, graphs, memory of other processes, and what is said
// when a rank is late, wrong or dead.
#include "comm/cuda/cuda_communicator.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/cuda/exchange.hpp"
#include "comm/cuda/shared_object.hpp"
#include "comm/host/host.hpp"
#include "comm/verify/random_case.hpp"
#include "record/ticks.hpp"

namespace peerscope {
namespace {

using testing::HasSubstr;

constexpr std::byte kAnyImage[] = {std::byte{1}};  // the fake has the kernels' code
const std::vector<Kind> kAll{Kind::all_reduce, Kind::broadcast,      Kind::reduce,
                             Kind::all_gather, Kind::reduce_scatter, Kind::gather,
                             Kind::all_to_all, Kind::barrier,        Kind::send};

using Opened = Result<std::unique_ptr<CudaCommunicator>>;

Opened open_rank(const CudaDriver& driver, const HostWorld& world, int rank,
                 std::chrono::milliseconds timeout, CudaOptions options = {}) {
  Result<std::unique_ptr<Communicator>> host = world.open(rank);
  if (!host) return host.error();
  options.name = "test";
  options.device = rank % driver.device_count();
  options.timeout = timeout;
  if (options.pool_bytes == CudaOptions{}.pool_bytes) options.pool_bytes = 1 << 20;
  if (options.kernels.empty()) options.kernels = kAnyImage;
  return CudaCommunicator::open(driver, options, std::move(*host));
}

class CudaComm : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"FAKE_CUDA_DEVICES", "FAKE_CUDA_FAIL", "FAKE_CUDA_HANG"})
      unsetenv(name);
    ASSERT_TRUE(SharedObject::open(PSCOPE_FAKE_GPU_DIR "/libcuda.so.1"));
  }
  void TearDown() override { SetUp(); }

  static HostWorld world_of(int ranks) {
    HostOptions host;
    host.name = "test";
    host.ranks = ranks;
    Result<HostWorld> world = HostWorld::create(host);
    EXPECT_TRUE(world);
    return std::move(*world);
  }

  // Each rank on a thread of its own.
  template <class Body>
  static void on_ranks(int ranks, std::chrono::milliseconds timeout, Body body) {
    const Result<CudaDriver> driver = CudaDriver::open();
    ASSERT_TRUE(driver) << driver.error().message;
    const HostWorld world = world_of(ranks);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < ranks; ++rank) {
      threads.emplace_back([&, rank] {
        Opened comm = open_rank(*driver, world, rank, timeout);
        ASSERT_TRUE(comm) << comm.error().message;
        body(**comm);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

// Device memory with a case in it.
struct Loaded {
  CaseMemory memory;
  CudaMemory piece;

  static Loaded of(const RandomCase& what, CudaCommunicator& comm) {
    CaseMemory memory(what, comm.rank());
    Result<CudaMemory> piece = comm.device().allocate(memory.initial().size());
    EXPECT_TRUE(piece);
    Loaded loaded{std::move(memory), std::move(*piece)};
    loaded.reload(comm);
    return loaded;
  }
  void reload(CudaCommunicator& comm) const {
    EXPECT_TRUE(
        comm.device().upload(piece.get(), memory.initial().data(), memory.initial().size()));
  }
  [[nodiscard]] Call call() const { return memory.call(reinterpret_cast<void*>(piece.get())); }
  [[nodiscard]] std::string fault(CudaCommunicator& comm) const {
    std::vector<std::byte> after(memory.initial().size());
    EXPECT_TRUE(comm.device().download(after.data(), piece.get(), after.size()));
    return memory.fault(after);
  }
};

TEST_F(CudaComm, EveryOperationIsWhatFloat64Says) {
  for (const int ranks : {1, 2, 4}) {
    on_ranks(ranks, std::chrono::seconds(30), [ranks](CudaCommunicator& comm) {
      for (std::uint64_t i = 0; i < 60; ++i) {
        const RandomCase what =
            RandomCase::draw(i * 31 + static_cast<std::uint64_t>(ranks), {kAll, ranks, 100'000});
        if (!what.takes_part(comm.rank())) continue;
        const Loaded loaded = Loaded::of(what, comm);
        const Status done = comm.run(loaded.call());
        ASSERT_TRUE(done) << what.text() << ": " << done.error().message;
        ASSERT_EQ(loaded.fault(comm), "") << what.text();
      }
    });
  }
}

// The kernels know no element of 8 bytes; what only moves elements takes all types.
TEST_F(CudaComm, ElementsOfEightBytesAreMovedWhole) {
  on_ranks(2, std::chrono::seconds(10), [](CudaCommunicator& comm) {
    const auto mine = static_cast<std::uint64_t>(comm.rank() + 1) << 40;
    std::vector<std::uint64_t> data(1001), all(2002), uneven(1004);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = mine + i;
    ASSERT_TRUE(comm.all_gather({data.data(), data.size(), Dtype::u64}, all.data()));
    const std::vector<std::size_t> counts{3, 1001};
    ASSERT_TRUE(
        comm.gather({data.data(), counts[static_cast<std::size_t>(comm.rank())], Dtype::u64},
                    uneven.data(), counts, 0));
    ASSERT_TRUE(comm.broadcast({data.data(), data.size(), Dtype::u64}, data.data(), 1));
    for (std::uint64_t i = 0; i < data.size(); ++i) {
      ASSERT_EQ(data[i], (2ull << 40) + i);
      ASSERT_EQ(all[i], (1ull << 40) + i);
      ASSERT_EQ(all[i + 1001], (2ull << 40) + i);
      if (comm.rank() == 0) {
        ASSERT_EQ(uneven[i + 3], (2ull << 40) + i);
      }
    }
  });
}

// The file may be of another version, or somebody's own.
TEST_F(CudaComm, AnAlgorithmThatIsNotOneOfTheOperationIsNotChosen) {
  const std::string file = testing::TempDir() + "cuda_tuned.json";
  std::ofstream(file)
      << R"({"version": 1, "choices": [{"backend": "cuda", "operation": "all_gather",
    "ranks": 1, "bytes": 40, "algorithm": "two_shot"}]})";
  const Result<CudaDriver> driver = CudaDriver::open();
  ASSERT_TRUE(driver);
  CudaOptions options;
  options.tuning_file = file;
  Opened comm = open_rank(*driver, world_of(1), 0, std::chrono::seconds(5), options);
  ASSERT_TRUE(comm) << comm.error().message;
  std::vector<float> data(10);
  const Status done = (*comm)->all_gather({data.data(), 10, Dtype::f32}, data.data());
  EXPECT_TRUE(done) << done.error().message;
  std::filesystem::remove(file);
}

TEST_F(CudaComm, AGraphRunsWhatItCapturedAsOftenAsItIsLaunched) {
  on_ranks(2, std::chrono::seconds(30), [](CudaCommunicator& comm) {
    Result<CudaStream> stream = comm.device().make_stream();
    ASSERT_TRUE(stream);
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const RandomCase what =
          RandomCase::draw(seed, {{Kind::all_reduce, Kind::all_gather}, 2, 50'000});
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

TEST_F(CudaComm, CopiesReachIntoRegisteredMemoryAndNotBeyond) {
  on_ranks(2, std::chrono::seconds(30), [](CudaCommunicator& comm) {
    const int peer = 1 - comm.rank();
    Result<CudaMemory> memory = comm.device().allocate(4096);
    ASSERT_TRUE(memory);
    auto* data = reinterpret_cast<float*>(memory->get());
    for (int i = 0; i < 1024; ++i) data[i] = static_cast<float>(comm.rank() * 10'000 + i);
    ASSERT_TRUE(comm.copy({data, 1024, Dtype::f32}, {peer, 8192}));
    ASSERT_TRUE(comm.barrier());
    std::vector<float> got(1024);
    const Block block{comm.pool()->allocate(1)->data, 0, 0};  // the pool begins there
    std::memcpy(got.data(), block.data + 8192, 4096);
    for (int i = 0; i < 1024; ++i)
      ASSERT_EQ(got[static_cast<std::size_t>(i)], static_cast<float>(peer * 10'000 + i));
    ASSERT_TRUE(comm.get({data, 1024, Dtype::f32}, {peer, 8192}));
    EXPECT_EQ(data[5], static_cast<float>(comm.rank() * 10'000 + 5));
    const Status beyond = comm.copy({data, 1024, Dtype::f32}, {peer, (1 << 20) - 8});
    ASSERT_FALSE(beyond);
    EXPECT_THAT(beyond.error().message, HasSubstr("reach outside the registered memory of rank"));
    EXPECT_TRUE(comm.barrier());  // refused: nothing has changed
  });
}

TEST_F(CudaComm, ARankThatDoesNotComeIsNamedAndTheCommunicatorHasFailed) {
  on_ranks(3, std::chrono::milliseconds(300), [](CudaCommunicator& comm) {
    if (comm.rank() == 2) return;
    std::vector<float> data(100);
    const Status done =
        comm.all_reduce({data.data(), data.size(), Dtype::f32}, data.data(), ReduceOp::sum);
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().code == ErrorCode::timeout ||
                done.error().code == ErrorCode::mismatch);
    EXPECT_THAT(done.error().message, HasSubstr("all_reduce of 400 B f32"));
    const Status again = comm.barrier();
    ASSERT_FALSE(again);
    EXPECT_THAT(again.error().message, HasSubstr("takes no further operations"));
  });
}

TEST_F(CudaComm, AnErrorCountsAllOperationsThatTheOtherRankHasBegun) {
  on_ranks(2, std::chrono::milliseconds(400), [](CudaCommunicator& comm) {
    std::vector<float> data(10);
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(comm.all_reduce({data.data(), 10, Dtype::f32}, data.data(), ReduceOp::sum));
    if (comm.rank() == 1) {
      ASSERT_TRUE(comm.send({data.data(), 10, Dtype::f32}, 0));
      std::this_thread::sleep_for(std::chrono::seconds(1));  // its memory is looked at
      return;
    }
    ASSERT_TRUE(comm.recv({data.data(), 10, Dtype::f32}, 1));
    const Status late = comm.barrier();
    ASSERT_FALSE(late);
    EXPECT_THAT(late.error().message, HasSubstr("it has begun 4 operations"));
  });
}

TEST_F(CudaComm, RanksThatDisagreeFindOut) {
  std::atomic<int> mismatches{0};
  on_ranks(2, std::chrono::milliseconds(500), [&](CudaCommunicator& comm) {
    std::vector<float> data(200'000);
    const std::size_t count = comm.rank() == 0 ? 200'000 : 150'000;
    const Status done = comm.all_reduce({data.data(), count, Dtype::f32}, data.data(),
                                        ReduceOp::sum, Algorithm::two_shot);
    ASSERT_FALSE(done);
    if (done.error().code == ErrorCode::mismatch) ++mismatches;
    EXPECT_THAT(done.error().message, HasSubstr("rank"));
  });
  EXPECT_GE(mismatches, 1);
}

std::ptrdiff_t open_files() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST_F(CudaComm, AllRanksFailToOpenTogetherAndLeaveNoFileOpen) {
  for (const char* call :
       {"cuMemCreate", "cuMemCreate@1", "cuMemSetAccess", "cuMemImportFromShareableHandle",
        "cuModuleLoadData", "cuMemAlloc", "cuStreamCreate"}) {
    setenv("FAKE_CUDA_FAIL", call, 1);
    const Result<CudaDriver> driver = CudaDriver::open();
    ASSERT_TRUE(driver);
    const HostWorld world = world_of(3);
    const std::ptrdiff_t before = open_files();
    std::vector<std::thread> threads;
    for (int rank = 0; rank < 3; ++rank) {
      threads.emplace_back([&, rank] {
        const Opened comm = open_rank(*driver, world, rank, std::chrono::seconds(5));
        ASSERT_FALSE(comm) << call;
        EXPECT_FALSE(comm.error().message.empty());
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(open_files(), before) << call;
  }
}

// However early: the others hear that it was not they.
TEST_F(CudaComm, WhenOneRankFailsToOpenTheOthersSaySo) {
  const Result<CudaDriver> driver = CudaDriver::open();
  ASSERT_TRUE(driver);
  const HostWorld world = world_of(2);
  std::thread other([&] {
    CudaOptions options;
    options.tuning_file = "/there/is/none";
    const Opened comm = open_rank(*driver, world, 1, std::chrono::seconds(5), options);
    ASSERT_FALSE(comm);
    EXPECT_THAT(comm.error().message, HasSubstr("/there/is/none"));
  });
  const Opened comm = open_rank(*driver, world, 0, std::chrono::seconds(5));
  other.join();
  ASSERT_FALSE(comm);
  EXPECT_THAT(comm.error().message, HasSubstr("another rank could not open its GPU"));
}

TEST_F(CudaComm, PoolsOfOtherSizesAreRefusedByAll) {
  const Result<CudaDriver> driver = CudaDriver::open();
  ASSERT_TRUE(driver);
  const HostWorld world = world_of(2);
  const auto rank_main = [&](int rank) {
    CudaOptions options;
    options.pool_bytes = rank == 0 ? 1 << 20 : 2 << 20;
    const Opened comm = open_rank(*driver, world, rank, std::chrono::seconds(5), options);
    ASSERT_FALSE(comm);
    EXPECT_THAT(comm.error().message, HasSubstr("rank 1 has 2097152 B"));
  };
  std::thread other(rank_main, 1);
  rank_main(0);
  other.join();
}

// A profiler's, say, while a rank waits at its door for one that is late.
TEST_F(CudaComm, SignalsDoNotStopItFromOpening) {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
  const HostWorld world = world_of(2);
  std::atomic<bool> over{false};
  std::string why;
  std::thread waits([&] {
    const auto host = world.open(0);
    const auto got = exchange_descriptors(**host, STDIN_FILENO, std::chrono::milliseconds(300));
    why = got ? "nothing" : got.error().message;
    over = true;
  });
  // The other rank has a door, too, and never comes.
  const Descriptor door(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  std::array<char, 64> name{}, names[2];
  std::snprintf(name.data(), name.size(), "peerscope-test-%d", getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), std::strlen(name.data()));
  const auto length = offsetof(sockaddr_un, sun_path) + 1 + std::strlen(name.data());
  ASSERT_EQ(
      bind(door.get(), reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length)),
      0);
  ASSERT_EQ(listen(door.get(), 1), 0);
  const auto host = world.open(1);
  ASSERT_TRUE((*host)->all_gather({name.data(), name.size(), Dtype::u8}, names));
  for (int i = 0; i < 10 && !over; ++i) {
    usleep(10'000);
    pthread_kill(waits.native_handle(), SIGUSR1);
  }
  EXPECT_FALSE(over) << "it has not waited";
  waits.join();
  EXPECT_THAT(why, testing::Not(HasSubstr("Interrupted")));
}

TEST_F(CudaComm, WithoutKernelsItSaysHowToGetThem) {
  const Result<CudaDriver> driver = CudaDriver::open();
  ASSERT_TRUE(driver);
  const Result<CudaDevice> device = CudaDevice::open(*driver, 0);
  ASSERT_TRUE(device);
  const auto kernels = cuda::Kernels::load(*device, {});
  ASSERT_FALSE(kernels);
  EXPECT_THAT(kernels.error().message, HasSubstr("built without CUDA's compiler (nvcc)"));
}

// ---- processes ------------------------------------------------------------------------------------------------------------

struct Survivor {
  std::atomic<int> operations, failed, code;
  std::atomic<std::uint64_t> killed_ns, told_ns;
  char sentence[512];
};

constexpr auto kTimeout = std::chrono::milliseconds(200);

// A process that reduces until somebody dies.
void reduce_for_ever(const HostWorld& world, int rank, Survivor& shared) {
  const Result<CudaDriver> driver = CudaDriver::open();
  Opened comm = open_rank(*driver, world, rank, kTimeout);
  if (!comm) _exit(3);
  std::vector<float> data(30'000, 1.0F);
  for (int i = 0;; ++i) {
    const std::size_t count = i % 2 == 0 ? 100 : 30'000;
    const Status done =
        (*comm)->all_reduce({data.data(), count, Dtype::f32}, data.data(), ReduceOp::max,
                            count > 100 ? Algorithm::ring : Algorithm::direct);
    if (done) {
      if (rank == 0) ++shared.operations;
      continue;
    }
    shared.told_ns = clock_ns(CLOCK_MONOTONIC);
    shared.code = static_cast<int>(done.error().code);
    std::snprintf(shared.sentence, sizeof shared.sentence, "%s", done.error().message.c_str());
    shared.failed = 1;
    _exit(0);
  }
}

TEST_F(CudaComm, AKilledProcessIsNamedInTimeWhereverItWas) {
  void* memory =
      mmap(nullptr, sizeof(Survivor), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  for (int turn = 0; turn < 20; ++turn) {
    Survivor& shared = *new (memory) Survivor{};
    const HostWorld world = world_of(2);
    pid_t pids[2];
    for (int rank = 0; rank < 2; ++rank) {
      pids[rank] = fork();
      if (pids[rank] == 0) reduce_for_ever(world, rank, shared);
    }
    while (shared.operations < 3 + turn) usleep(200);
    usleep(static_cast<unsigned>(turn * 37 % 400));
    kill(pids[1], SIGKILL);
    shared.killed_ns = clock_ns(CLOCK_MONOTONIC);
    waitpid(pids[1], nullptr, 0);
    int status = 0;
    waitpid(pids[0], &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(shared.failed, 1);
    EXPECT_LT(shared.told_ns - shared.killed_ns, 1'200'000'000u);
    EXPECT_EQ(shared.code, static_cast<int>(ErrorCode::peer_lost)) << shared.sentence;
    EXPECT_THAT(shared.sentence, HasSubstr("rank 1")) << shared.sentence;
    EXPECT_THAT(shared.sentence, HasSubstr("is gone"));
  }
  munmap(memory, sizeof(Survivor));
}

}  // namespace
}  // namespace peerscope
