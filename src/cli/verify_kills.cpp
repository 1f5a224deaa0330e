#include "cli/verify_kills.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/measure.hpp"
#include "cli/progress.hpp"
#include "comm/cuda/cuda_communicator.hpp"
#include "comm/host/host.hpp"
#include "comm/nccl/nccl_communicator.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kSmall = 100, kLarge = 1'000'000;  // elements

struct Shared {  // with the processes of one turn
  std::atomic<int> operations, told, code;
  std::atomic<std::int64_t> told_ns;
  char sentence[512];
};

// Device memory, or the host's.
struct Buffer {
  std::vector<float> host;
  CudaMemory device;
  void* data = nullptr;
};

using OpenedDevice = Result<std::unique_ptr<DeviceCommunicator>>;

OpenedDevice open_device(const KillOptions& options, const CudaDriver& driver,
                         std::unique_ptr<Communicator> host) {
  const int device = host->rank() % driver.device_count();
  if (options.backend == "nccl") {
    const Result<NcclLibrary> nccl = NcclLibrary::open(options.nccl_library);
    if (!nccl) return nccl.error();
    auto comm = NcclCommunicator::open(
        driver, *nccl, {.name = "verify", .device = device, .timeout = options.timeout},
        std::move(host));
    if (!comm) return comm.error();
    return OpenedDevice(std::move(*comm));
  }
  CudaOptions cuda;
  cuda.name = "verify";
  cuda.device = device;
  cuda.timeout = options.timeout;
  auto comm = CudaCommunicator::open(driver, cuda, std::move(host));
  if (!comm) return comm.error();
  return OpenedDevice(std::move(*comm));
}

Result<std::unique_ptr<Communicator>> open_rank(const KillOptions& options, const HostWorld& world,
                                                int rank, Buffer& buffer) {
  Result<std::unique_ptr<Communicator>> host = world.open(rank);
  buffer.host.resize(kLarge, 1.0F);
  buffer.data = buffer.host.data();
  if (!host || options.backend == "host") return host;
  static Result<CudaDriver> driver = CudaDriver::open();  // of this process
  if (!driver) return driver.error();
  OpenedDevice comm = open_device(options, *driver, std::move(*host));
  if (!comm) return comm.error();
  Result<CudaMemory> memory = (*comm)->device().allocate(kLarge * sizeof(float));
  if (!memory) return memory.error();
  buffer.device = std::move(*memory);
  buffer.data = reinterpret_cast<void*>(buffer.device.get());
  return std::unique_ptr<Communicator>(std::move(*comm));
}

// Reduces, small and large in turn, until it fails.
[[noreturn]] void reduce_until_told(const KillOptions& options, const HostWorld& world, int rank,
                                    Shared& shared) {
  Buffer buffer;
  Result<std::unique_ptr<Communicator>> comm = open_rank(options, world, rank, buffer);
  Status done = comm ? Status(Done{}) : Status(comm.error());
  for (int i = 0; done; ++i) {
    const std::size_t count = i % 2 == 0 ? kSmall : kLarge;
    const Algorithm ours = i % 3 == 0 ? Algorithm::ring : Algorithm::direct;
    done = (*comm)->all_reduce({buffer.data, count, Dtype::f32}, buffer.data, ReduceOp::max,
                               options.backend == "nccl" ? Algorithm::unknown : ours);
    if (done && rank == 0) ++shared.operations;
  }
  if (rank == 0) {
    shared.told_ns = monotonic_ns();
    shared.code = static_cast<int>(done.error().code);
    std::snprintf(shared.sentence, sizeof shared.sentence, "%s", done.error().message.c_str());
    shared.told = 1;
  }
  _exit(0);
}

// Rank 1 is killed `delay_us` after some operations; what rank 0 then says, and after how long.
Result<KillTurn> one_turn(const KillOptions& options, int after, unsigned delay_us,
                          Shared& shared) {
  HostOptions host;
  host.name = "verify";
  host.ranks = 2;
  host.timeout = options.timeout;
  const Result<HostWorld> world = HostWorld::create(host);
  if (!world) return world.error();
  std::fflush(nullptr);
  pid_t pids[2];
  for (int rank = 0; rank < 2; ++rank) {
    pids[rank] = fork();
    if (pids[rank] == 0) reduce_until_told(options, *world, rank, shared);
  }
  const std::int64_t begin_ns = monotonic_ns();
  while (shared.operations < after && shared.told == 0 &&
         monotonic_ns() - begin_ns < 60'000'000'000)
    usleep(50);
  usleep(delay_us);
  kill(pids[1], SIGKILL);
  const std::int64_t killed_ns = monotonic_ns();
  waitpid(pids[1], nullptr, 0);
  const std::int64_t longest_ns = options.timeout.count() + 10'000'000'000;
  while (shared.told == 0 && monotonic_ns() - killed_ns < longest_ns) usleep(100);
  const bool hung = shared.told == 0;
  if (hung) kill(pids[0], SIGKILL);
  waitpid(pids[0], nullptr, 0);
  return KillTurn{hung, hung ? -1 : static_cast<double>(shared.told_ns - killed_ns) / 1e9,
                  static_cast<ErrorCode>(shared.code.load()), shared.sentence};
}

}  // namespace

Result<std::vector<KillTurn>> verify_kills(const KillOptions& options) {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{ErrorCode::no_memory, "no memory to share"};
  std::mt19937 random(static_cast<unsigned>(options.seed));
  Progress progress("ranks killed", static_cast<std::uint64_t>(options.kills));
  std::vector<KillTurn> turns;
  for (int i = 0; i < options.kills; ++i) {
    Shared& shared = *::new (memory) Shared{};
    const auto after = static_cast<int>(random() % 50);
    Result<KillTurn> turn =
        one_turn(options, after, static_cast<unsigned>(random() % 2000), shared);
    if (!turn) return turn.error();
    turns.push_back(std::move(*turn));
    progress.update(static_cast<std::uint64_t>(i + 1));
  }
  munmap(memory, sizeof(Shared));
  return turns;
}

}  // namespace peerscope
