// The kernels, by name: peerscope_plan_f32_sum, peerscope_low_latency_bf16_max, ... and peerscope_clock, peerscope_copy.
#include "comm/cuda/device/low_latency.hpp"
#include "comm/cuda/device/run_plan.hpp"

using namespace peerscope::cuda;  // NOLINT(google-build-using-namespace): the kernels are made of it

#define PSCOPE_KERNELS(type, Type, op, Op)                                                         \
  extern "C" __global__ void __launch_bounds__(kPlanThreads, 1)                                    \
      peerscope_plan_##type##_##op(const __grid_constant__ PlanArguments arguments) {              \
    run_plan<Type, Op>(arguments, Block::mine());                                                  \
  }                                                                                                \
  /* Two on a multiprocessor: make_layout counts on it where ranks share a GPU. */                 \
  extern "C" __global__ void __launch_bounds__(512, 2)                                             \
      peerscope_low_latency_##type##_##op(const __grid_constant__ Arguments arguments) {           \
    low_latency<Type, Op>(arguments, Block::mine());                                               \
  }
#define PSCOPE_KERNELS_OF(type, Type)                                                              \
  PSCOPE_KERNELS(type, Type, sum, Sum) \
  PSCOPE_KERNELS(type, Type, min, Min) \
  PSCOPE_KERNELS(type, Type, max, Max)

PSCOPE_KERNELS_OF(f32, F32)
PSCOPE_KERNELS_OF(f16, F16)
PSCOPE_KERNELS_OF(bf16, Bf16)
PSCOPE_KERNELS_OF(i32, I32)
PSCOPE_KERNELS_OF(i8, I8)
PSCOPE_KERNELS_OF(u8, U8)

// What the device's clock says now, where the host sees it.
extern "C" __global__ void peerscope_clock(std::uint64_t* out) {
  *out = clock_now();
  fence_system();
}

// A chain of dependent loads through `memory`, which is all zero: what one load takes.
extern "C" __global__ void peerscope_chase(const std::uint32_t* memory, std::uint32_t* out, std::uint32_t steps,
                                           std::uint32_t stride) {
  std::uint32_t at = 0;
  for (std::uint32_t i = 0; i < steps; ++i)
    at = load_relaxed(memory + at / 4) + (i + 1) * stride;  // the next address waits for the value
  *out = at;
}

// Computes and touches no memory: what a program does beside its communication.
extern "C" __global__ void __launch_bounds__(256) peerscope_busy(float* out, std::uint64_t turns) {
  float x = static_cast<float>(threadIdx.x);
  for (std::uint64_t i = 0; i < turns; ++i) x = x * 1.0001F + 0.5F;
  if (x < 0) *out = x;  // never: but the compiler cannot know
}

// A copy by the multiprocessors: of what the copy engine would need longer to begin with.
extern "C" __global__ void __launch_bounds__(512)
    peerscope_copy(std::byte* to, const std::byte* from, std::uint64_t bytes) {
  Move move;
  move.sources[0] = from;
  move.targets[0] = to;
  move.is_input[0] = true;
  const std::uint64_t share = align_up((bytes + gridDim.x - 1) / gridDim.x, 128);
  const std::uint64_t first = share * blockIdx.x;
  if (first >= bytes) return;
  move.sources[0] += first;
  move.targets[0] += first;
  move.elements = first + share < bytes ? share : bytes - first;
  move.source_count = move.target_count = move.divisor = 1;
  move_all<U8, Sum>(Block::mine(), move);
}
