#include "suite/cuda/cuda_backend.hpp"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

#include "comm/algorithms.hpp"
#include "comm/cuda/cuda_communicator.hpp"
#include "comm/elements.hpp"
#include "suite/cuda/device_ranks.hpp"
#include "suite/cuda/p2p.hpp"

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
    const auto open = [this](const CudaDriver& driver, const DevicePlace& place,
                             std::unique_ptr<Communicator> bootstrap) -> OpenedDevice {
      CudaOptions cuda{.name = "bench",
                       .id = static_cast<std::uint64_t>(getppid()),
                       .device = place.device,
                       .session = place.session,
                       .tuning_file = options_.tuning_file};
      if (options_.pool_bytes > 0) cuda.pool_bytes = options_.pool_bytes;
      Result<std::unique_ptr<CudaCommunicator>> comm =
          CudaCommunicator::open(driver, cuda, std::move(bootstrap));
      if (!comm) return comm.error();
      return OpenedDevice(std::move(*comm));
    };
    return run_device_ranks({ranks, options_.threads, options_.session, options_.level}, open, body,
                            watch);
  }

 private:
  CudaBackendOptions options_;
  BackendTraits traits_;
};

}  // namespace

std::unique_ptr<BenchBackend> make_cuda_backend(const CudaBackendOptions& options) {
  return std::make_unique<CudaBackend>(options);
}

}  // namespace peerscope
