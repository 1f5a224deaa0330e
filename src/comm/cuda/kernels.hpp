// The kernels as the driver knows them: compiled when peerscope was built, loaded from memory.
#pragma once

#include <array>
#include <span>

#include "comm/call.hpp"
#include "comm/cuda/peer_driver.hpp"

namespace peerscope::cuda {

// Empty where peerscope was built without CUDA's compiler.
std::span<const std::byte> kernels_image();

enum class Family : std::uint8_t { plan, low_latency };

class Kernels {
 public:
  // For the device that is current.
  static Result<Kernels> load(const CudaDevice& device,
                              std::span<const std::byte> image = kernels_image());
  Kernels(Kernels&& other) noexcept;
  Kernels& operator=(Kernels&&) = delete;
  ~Kernels();

  // Of what only moves elements, the reduction does not matter.
  [[nodiscard]] CudaFunction find(Family family, Dtype dtype, ReduceOp op) const;
  [[nodiscard]] CudaFunction clock() const { return clock_; }
  [[nodiscard]] CudaFunction copy() const { return copy_; }
  [[nodiscard]] CudaFunction chase() const { return chase_; }
  [[nodiscard]] CudaFunction busy() const { return busy_; }

 private:
  Kernels() = default;
  const PeerFunctions* f_ = nullptr;
  CudaModule module_ = nullptr;
  CudaFunction clock_ = nullptr, copy_ = nullptr, chase_ = nullptr, busy_ = nullptr;
  std::array<std::array<std::array<CudaFunction, 3>, PSCOPE_DTYPE_COUNT>, 2> functions_{};
};

}  // namespace peerscope::cuda
