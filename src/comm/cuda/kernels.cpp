#include "comm/cuda/kernels.hpp"

#include <utility>

#include <fmt/format.h>

#ifdef PSCOPE_CUDA_KERNELS  // the file that nvcc made
asm(".section .rodata\n"
    ".balign 16\n"
    "peerscope_kernels_begin:\n"
    ".incbin \"" PSCOPE_CUDA_KERNELS
    "\"\n"
    "peerscope_kernels_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" {
extern const std::byte peerscope_kernels_begin[] __attribute__((visibility("hidden")));
extern const std::byte peerscope_kernels_end[] __attribute__((visibility("hidden")));
}
#endif

namespace peerscope::cuda {
namespace {

constexpr std::array kTypes{Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::i32, Dtype::i8, Dtype::u8};
constexpr std::array<const char*, 2> kFamilies{"plan", "low_latency"};
constexpr std::array<const char*, 3> kOps{"sum", "min", "max"};

// As elements of the same size that a kernel knows.
Dtype moved_as(Dtype dtype) {
  for (const Dtype known : kTypes) {
    if (known == dtype) return dtype;
  }
  switch (dtype_bytes(dtype)) {
    case 1:
      return Dtype::u8;
    case 2:
      return Dtype::f16;
    default:
      return Dtype::i32;
  }
}

}  // namespace

std::span<const std::byte> kernels_image() {
#ifdef PSCOPE_CUDA_KERNELS
  return {peerscope_kernels_begin, peerscope_kernels_end};
#else
  return {};
#endif
}

Result<Kernels> Kernels::load(const CudaDevice& device, std::span<const std::byte> image) {
  if (image.empty())
    return Error{ErrorCode::unsupported,
                 "this peerscope was built without CUDA's compiler (nvcc), so it has no kernels; "
                 "build it where nvcc is"};
  const Result<const PeerFunctions*> f = peer_functions();
  if (!f) return f.error();
  Kernels kernels;
  kernels.f_ = *f;
  if (Status ok =
          device.check((*f)->cuModuleLoadData(&kernels.module_, image.data()), "cuModuleLoadData");
      !ok)
    return Error{ErrorCode::unsupported,
                 fmt::format("the kernels do not run on this GPU: {}", ok.error().message)};
  const auto get = [&](CudaFunction& function, const std::string& name) {
    Status got = device.check((*f)->cuModuleGetFunction(&function, kernels.module_, name.c_str()),
                              name.c_str());
    // Now: at a kernel's first launch it could wait for all that runs on the GPU, and so for ranks that wait for us.
    if (got && (*f)->cuFuncLoad != nullptr)
      got = device.check((*f)->cuFuncLoad(function), "cuFuncLoad");
    return got;
  };
  if (Status ok = get(kernels.clock_, "peerscope_clock"); !ok) return ok.error();
  if (Status ok = get(kernels.copy_, "peerscope_copy"); !ok) return ok.error();
  if (Status ok = get(kernels.chase_, "peerscope_chase"); !ok) return ok.error();
  if (Status ok = get(kernels.busy_, "peerscope_busy"); !ok) return ok.error();
  for (std::size_t family = 0; family < kFamilies.size(); ++family) {
    for (const Dtype dtype : kTypes) {
      for (std::size_t op = 0; op < kOps.size(); ++op) {
        const std::string name =
            fmt::format("peerscope_{}_{}_{}", kFamilies[family], peerscope::name(dtype), kOps[op]);
        if (Status ok = get(kernels.functions_[family][static_cast<std::size_t>(dtype)][op], name);
            !ok)
          return ok.error();
      }
    }
  }
  return kernels;
}

Kernels::Kernels(Kernels&& other) noexcept
    : f_(other.f_),
      module_(std::exchange(other.module_, nullptr)),
      clock_(other.clock_),
      copy_(other.copy_),
      chase_(other.chase_),
      busy_(other.busy_),
      functions_(other.functions_) {}

Kernels::~Kernels() {
  if (module_ != nullptr) f_->cuModuleUnload(module_);
}

CudaFunction Kernels::find(Family family, Dtype dtype, ReduceOp op) const {
  const std::size_t at = op == ReduceOp::min ? 1 : op == ReduceOp::max ? 2 : 0;
  return functions_[static_cast<std::size_t>(family)][static_cast<std::size_t>(moved_as(dtype))]
                   [at];
}

}  // namespace peerscope::cuda
