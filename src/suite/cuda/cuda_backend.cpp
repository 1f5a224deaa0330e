#include "suite/cuda/cuda_backend.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/algorithms.hpp"
#include "comm/elements.hpp"
#include "comm/host/host.hpp"
#include "suite/cuda/cuda_rank.hpp"
#include "suite/cuda/p2p.hpp"
#include "suite/ranks.hpp"

namespace peerscope {
namespace {

// As the driver's files name them: this process must not touch CUDA, whose ranks are its children.
std::string gpu_models() {
  std::string models;
  std::error_code ignored;
  for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", ignored)) {
    std::ifstream information(gpu.path() / "information");
    for (std::string line; std::getline(information, line);) {
      if (line.rfind("Model:", 0) != 0) continue;
      const std::size_t at = line.find_first_not_of(" \t", 6);
      if (at != std::string::npos) models += (models.empty() ? "" : ", ") + line.substr(at);
    }
  }
  return models;
}

class CudaBackend final : public BenchBackend {
 public:
  explicit CudaBackend(CudaBackendOptions options) : options_(std::move(options)) {
    traits_.name = "cuda";
    traits_.ranks_are = options_.threads ? "threads, a GPU each" : "processes, a GPU each";
    traits_.time_is = "host clock from a barrier until the stream is empty, mean of a batch";
    traits_.graph = true;
    traits_.asynchronous = true;
  }

  [[nodiscard]] const BackendTraits& traits() const override { return traits_; }
  [[nodiscard]] std::string hardware() const override { return gpu_models(); }
  [[nodiscard]] std::vector<Algorithm> algorithms(Kind kind) const override {
    return supported_algorithms(kind);
  }
  [[nodiscard]] Status takes(Kind kind, Dtype dtype, ReduceOp, int ranks) const override {
    if (ranks < 1) return Error{ErrorCode::invalid_argument, "-g must be at least 1"};
    if (is_reduction(kind) && !can_reduce(dtype))
      return Error{ErrorCode::unsupported,
                   fmt::format("on GPUs {} takes f32, f16, bf16, i32, i8 or u8, not {}", name(kind),
                               name(dtype))};
    return Done{};
  }
  [[nodiscard]] std::span<const P2pCase> p2p_cases() const override { return cuda_p2p_cases(); }
  Ceiling ceiling() override {
    return {.backend = "cuda",
            .text = "a copy engine's write to another GPU",
            .gbs = cuda_write_gbs(2)};
  }

  Status run(int ranks, const Body& body, const Watch& watch) override {
    setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);  // ranks that share a GPU wait for one another
    HostOptions host{.name = "bench", .id = static_cast<std::uint64_t>(getpid()), .ranks = ranks};
    const Result<HostWorld> world = HostWorld::create(host);
    const Result<HostWorld> beside = HostWorld::create(host);  // what is not measured: barriers
    if (!world || !beside) return world ? beside.error() : world.error();
    return run_ranks(
        ranks, options_.threads, [&](int rank) { return rank_main(*world, *beside, rank, body); },
        watch);
  }

 private:
  Status rank_main(const HostWorld& world, const HostWorld& beside, int rank,
                   const Body& body) const {
    pscope_session* session = open_session();
    const Status done = measured_rank(world, beside, rank, body, session);
    pscope_close(session);
    return done;
  }
  Status measured_rank(const HostWorld& world, const HostWorld& beside, int rank, const Body& body,
                       pscope_session* session) const {
    Result<CudaDriver> driver = CudaDriver::open();
    if (!driver) return driver.error();
    Result<std::unique_ptr<Communicator>> bootstrap = world.open(rank, nullptr);
    Result<std::unique_ptr<Communicator>> host = beside.open(rank, nullptr);
    if (!bootstrap) return bootstrap.error();
    if (!host) return host.error();
    CudaOptions cuda{.name = "bench",
                     .id = static_cast<std::uint64_t>(getppid()),
                     .device = rank % driver->device_count(),
                     .session = session,
                     .tuning_file = options_.tuning_file};
    Result<std::unique_ptr<CudaCommunicator>> comm =
        CudaCommunicator::open(*driver, cuda, std::move(*bootstrap));
    if (!comm) return comm.error();
    CudaRank as_rank(**comm, **host);
    if (Status ready = as_rank.prepare(); !ready) return ready;
    const Status done = body(as_rank);
    // Nobody takes its memory away while another one may still write to it.
    if (done) static_cast<void>((*host)->barrier());
    return done;
  }
  [[nodiscard]] pscope_session* open_session() const {
    if (options_.session.empty()) return nullptr;
    pscope_options recording{};
    recording.size = sizeof recording;
    recording.name = "bench";
    recording.session = options_.session.c_str();
    recording.level = static_cast<int>(options_.level);
    return pscope_open(&recording, nullptr);
  }

  CudaBackendOptions options_;
  BackendTraits traits_;
};

}  // namespace

std::unique_ptr<BenchBackend> make_cuda_backend(const CudaBackendOptions& options) {
  return std::make_unique<CudaBackend>(options);
}

}  // namespace peerscope
