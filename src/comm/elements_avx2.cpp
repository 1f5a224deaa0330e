// The same loops for processors with AVX2 and F16C, chosen at run time.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "comm/element_kernel.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#include "comm/half.hpp"

#define PSCOPE_WITH_F16C \
  1  // the compiler does not say so itself: its macros were defined before the pragma
#pragma GCC push_options
#pragma GCC target("avx2,f16c")
#include "comm/element_kernels.hpp"  // last: everything in it is compiled for AVX2
#pragma GCC pop_options

namespace peerscope {

ElementKernel avx2_element_kernel(Dtype dtype, ReduceOp op) {
  static const bool available =
      __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("f16c") != 0;
  return available ? kernel_for(dtype, op) : nullptr;
}

}  // namespace peerscope
#else
namespace peerscope {

ElementKernel avx2_element_kernel(Dtype, ReduceOp) { return nullptr; }

}  // namespace peerscope
#endif
