#include "suite/nccl/nccl_backend.hpp"

#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include "comm/elements.hpp"
#include "comm/nccl/nccl_communicator.hpp"
#include "suite/case.hpp"
#include "suite/cuda/device_ranks.hpp"
#include "suite/cuda/p2p.hpp"

namespace peerscope {
namespace {

constexpr auto kBatch = std::chrono::seconds(120);  // at most: -T watches over the sweep

class NcclBackend final : public BenchBackend {
 public:
  explicit NcclBackend(NcclBackendOptions options) : options_(std::move(options)) {
    traits_.name = "nccl";
    traits_.ranks_are = options_.threads ? "threads, a GPU each" : "processes, a GPU each";
    traits_.time_is = "host clock from a barrier until the stream is empty, mean of a batch";
    traits_.graph = true;
    traits_.asynchronous = true;
  }

  [[nodiscard]] const BackendTraits& traits() const override { return traits_; }
  // The GPUs: the cuda backend's. A machine is the same with and without NCCL.
  [[nodiscard]] std::string hardware() const override { return {}; }
  [[nodiscard]] std::vector<Algorithm> algorithms(Kind) const override { return {}; }
  [[nodiscard]] Status takes(Kind kind, Dtype dtype, ReduceOp, int ranks) const override {
    if (ranks < 1) return Error{ErrorCode::invalid_argument, "-g must be at least 1"};
    if (is_one_sided(kind))
      return Error{ErrorCode::unsupported, fmt::format("NCCL has no {}", name(kind))};
    if (is_reduction(kind) && !can_reduce(dtype))
      return Error{ErrorCode::unsupported,
                   fmt::format("beside other backends NCCL's {} takes f32, f16, bf16, i32, i8 or "
                               "u8, not {}; --backend nccl alone takes it",
                               name(kind), name(dtype))};
    return Done{};
  }
  Ceiling ceiling() override {
    return {.backend = "nccl",
            .text = "a copy engine's write to another GPU",
            .gbs = cuda_write_gbs(2)};
  }

  Status run(int ranks, const Body& body, const Watch& watch) override {
    // Multicast memory of a process that died hard may stay taken on a shared machine.
    if (!options_.nvls) setenv("NCCL_NVLS_ENABLE", "0", 0);
    const auto open = [this](const CudaDriver& driver, const DevicePlace& place,
                             std::unique_ptr<Communicator> bootstrap) {
      return open_rank(driver, place, std::move(bootstrap));
    };
    return run_device_ranks({ranks, options_.threads, options_.session, options_.level}, open, body,
                            watch);
  }

 private:
  [[nodiscard]] OpenedDevice open_rank(const CudaDriver& driver, const DevicePlace& place,
                                       std::unique_ptr<Communicator> bootstrap) const {
    // NCCL_DEBUG speaks to standard output; that is for the result, which is not a rank's to print.
    if (!options_.threads) dup2(STDERR_FILENO, STDOUT_FILENO);
    const Result<NcclLibrary> nccl = NcclLibrary::open(options_.library);
    if (!nccl) return nccl.error();
    if (bootstrap->ranks() > driver.device_count())
      return Error{
          ErrorCode::unsupported,
          fmt::format("-g {}, but there {} {}; NCCL wants a GPU for each rank", bootstrap->ranks(),
                      driver.device_count() == 1 ? "is" : "are", driver.device_count())};
    const NcclCommOptions options{.name = "bench-nccl",
                                  .id = static_cast<std::uint64_t>(getppid()),
                                  .device = place.device,
                                  .timeout = kBatch,
                                  .session = place.session};
    Result<std::unique_ptr<NcclCommunicator>> comm =
        NcclCommunicator::open(driver, *nccl, options, std::move(bootstrap));
    if (!comm) return comm.error();
    return OpenedDevice(std::move(*comm));
  }

  NcclBackendOptions options_;
  BackendTraits traits_;
};

}  // namespace

std::unique_ptr<BenchBackend> make_nccl_backend(const NcclBackendOptions& options) {
  return std::make_unique<NcclBackend>(options);
}

}  // namespace peerscope
