// peerscope verify: random operations on a backend, every element against a float64 reference.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/measure.hpp"
#include "cli/progress.hpp"
#include "cli/verify_cases.hpp"
#include "cli/verify_kills.hpp"
#include "comm/cuda/cuda_communicator.hpp"
#include "comm/host/host.hpp"
#include "comm/nccl/nccl_communicator.hpp"

namespace peerscope {
namespace {

// What is opened once for all ranks.
struct Libraries {
  std::optional<CudaDriver> cuda;
  std::optional<NcclLibrary> nccl;
};

Result<Libraries> open_libraries(const VerifyOptions& options) {
  Libraries libraries;
  if (options.backend == "host") return libraries;
  Result<CudaDriver> cuda = CudaDriver::open();
  if (!cuda) return cuda.error();
  libraries.cuda.emplace(std::move(*cuda));
  if (options.backend != "nccl") return libraries;
  Result<NcclLibrary> nccl = NcclLibrary::open(options.nccl_library);
  if (!nccl) return nccl.error();
  libraries.nccl.emplace(std::move(*nccl));
  if (options.ranks > libraries.cuda->device_count())
    return Error{ErrorCode::unsupported,
                 fmt::format("-g {}: NCCL wants a GPU for each rank, of which there {} {}",
                             options.ranks, libraries.cuda->device_count() == 1 ? "is" : "are",
                             libraries.cuda->device_count())};
  return libraries;
}

Result<std::unique_ptr<DeviceCommunicator>> open_device(const VerifyOptions& options,
                                                        const Libraries& libraries,
                                                        std::unique_ptr<Communicator> host) {
  const int device = host->rank() % libraries.cuda->device_count();
  const std::chrono::nanoseconds timeout(static_cast<std::int64_t>(options.timeout_s * 1e9));
  const auto id = static_cast<std::uint64_t>(options.seed);
  if (libraries.nccl) {
    auto comm = NcclCommunicator::open(
        *libraries.cuda, *libraries.nccl,
        {.name = "verify", .id = id, .device = device, .timeout = timeout}, std::move(host));
    if (!comm) return comm.error();
    return std::unique_ptr<DeviceCommunicator>(std::move(*comm));
  }
  CudaOptions cuda;
  cuda.name = "verify";
  cuda.id = id;
  cuda.device = device;
  cuda.timeout = timeout;
  auto comm = CudaCommunicator::open(*libraries.cuda, cuda, std::move(host));
  if (!comm) return comm.error();
  return std::unique_ptr<DeviceCommunicator>(std::move(*comm));
}

Status verify_rank(const VerifyOptions& options, const Libraries& libraries, const HostWorld& world,
                   int rank, VerifyOutcome& outcome) {
  Result<std::unique_ptr<Communicator>> host = world.open(rank);
  if (!host) return host.error();
  if (options.backend == "host") return verify_host(options, **host, outcome);
  const auto comm = open_device(options, libraries, std::move(*host));
  if (!comm) return comm.error();
  return verify_device(options, **comm, outcome);
}

int say_outcome(const VerifyOptions& options, const VerifyOutcome& outcome, double seconds) {
  const bool fine = outcome.failed == 0;
  if (options.json) {
    fmt::print("{}\n", nlohmann::json{{"backend", options.backend},
                                      {"ranks", options.ranks},
                                      {"seed", options.seed},
                                      {"cases", outcome.done.load()},
                                      {"graphs", outcome.graphs.load()},
                                      {"failed", outcome.failed.load()},
                                      {"first", fine ? nlohmann::json(nullptr)
                                                     : nlohmann::json(outcome.first)},
                                      {"seconds", seconds}}
                           .dump(2));
  } else if (fine) {
    fmt::print(
        "● {} random operations of {} ranks on {} are what float64 says ({:.1f} s, seed {})\n",
        outcome.done.load(), options.ranks, options.backend, seconds, options.seed);
  } else {
    fmt::print("■ {} wrong; the first: {}\n", outcome.failed.load(), outcome.first);
  }
  return fine ? 0 : 1;
}

// A killed rank must be named within the time-out and a second.
int say_kills(const VerifyOptions& options, int kills) {
  const KillOptions asked{
      .backend = options.backend,
      .kills = kills,
      .seed = options.seed,
      .nccl_library = options.nccl_library,
      .timeout = std::chrono::nanoseconds(static_cast<std::int64_t>(options.timeout_s * 1e9))};
  const Result<std::vector<KillTurn>> turns = verify_kills(asked);
  if (!turns) {
    fmt::print(stderr, "peerscope verify: {}\n", turns.error().message);
    return 2;
  }
  int late = 0, unnamed = 0;
  double most = 0;
  for (const KillTurn& turn : *turns) {
    late += turn.hung || turn.told_s > options.timeout_s + 1 ? 1 : 0;
    unnamed += turn.sentence.find("rank 1") == std::string::npos ? 1 : 0;
    most = std::max(most, turn.told_s);
  }
  const std::string example = turns->empty() ? "" : turns->back().sentence;
  if (options.json) {
    fmt::print("{}\n", nlohmann::json{{"backend", options.backend},
                                      {"kills", kills},
                                      {"late", late},
                                      {"unnamed", unnamed},
                                      {"most_s", most},
                                      {"timeout_s", options.timeout_s},
                                      {"example", example}}
                           .dump(2));
  } else {
    fmt::print(
        "{} {} ranks killed on {}: {} told too late (time-out {} s, at most {:.2f} s), {} without "
        "naming it\n  {}\n",
        late + unnamed == 0 ? "●" : "■", kills, options.backend, late, options.timeout_s, most,
        unnamed, example);
  }
  return late + unnamed == 0 ? 0 : 1;
}

int verify_main(Args& args) {
  VerifyOptions options;
  int kills = 0;
  args.choice("--backend", options.backend, {"host", "cuda", "nccl"},
              "where the ranks are (default: host)");
  args.integer("-g,--ranks", options.ranks, 1, kMaxRanks,
               "ranks, threads of this process; GPUs are shared where there are fewer");
  args.integer("-n,--cases", options.cases, 1, 100'000'000, "random operations");
  args.integer("--seed", options.seed, 0, 1 << 30, "of what is drawn");
  args.bytes("--most", options.most, "largest tensor (default: 1M)");
  args.real("--timeout", options.timeout_s, 0.001, 3600,
            "seconds that a rank waits for another one");
  args.integer("--kills", kills, 0, 10'000,
               "instead: kill one of two processes so often, and see what the other one says");
  args.text("--nccl", options.nccl_library, "nccl: the libnccl.so.2 to use");
  args.flag("--json", options.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  if (kills > 0) return say_kills(options, kills);
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32",
         0);  // ranks that share a GPU wait for one another: no two in one queue
  const Result<Libraries> libraries = open_libraries(options);
  if (!libraries) {
    fmt::print(stderr, "peerscope verify: {}\n", libraries.error().message);
    return 2;
  }
  HostOptions host;
  host.name = "verify";
  host.ranks = options.ranks;
  const Result<HostWorld> world = HostWorld::create(host);
  if (!world) {
    fmt::print(stderr, "peerscope verify: {}\n", world.error().message);
    return 2;
  }
  VerifyOutcome outcome;
  std::atomic<int> running{options.ranks};
  const std::int64_t begin_ns = monotonic_ns();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < options.ranks; ++rank) {
    threads.emplace_back([&, rank] {
      const Status done = verify_rank(options, *libraries, *world, rank, outcome);
      if (!done) outcome.fail(fmt::format("rank {}: {}", rank, done.error().message));
      --running;
    });
  }
  Progress progress(fmt::format("random operations on {}", options.backend),
                    static_cast<std::uint64_t>(options.cases));
  while (running > 0) {
    progress.update(static_cast<std::uint64_t>(outcome.done.load()));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  for (std::thread& thread : threads) thread.join();
  return say_outcome(options, outcome, static_cast<double>(monotonic_ns() - begin_ns) / 1e9);
}

}  // namespace

const Command kVerifyCommand{
    {"verify", "random operations of a communicator, every element against float64",
     "  peerscope verify                                 1,000 on the host, 2 ranks\n"
     "  peerscope verify --backend cuda -n 10000         on this machine's GPUs\n"
     "  peerscope verify --backend cuda -g 8 --seed 7    eight ranks, sharing GPUs\n"
     "  peerscope verify --backend nccl -g 2             NCCL behind the same interface\n"
     "  peerscope verify --kills 50 --timeout 0.5        a process killed in the middle\n",
     "1  something was wrong, or a rank failed"},
    verify_main};

}  // namespace peerscope
