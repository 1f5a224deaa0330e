#include "comm/elements.hpp"

#include "comm/element_kernels.hpp"

namespace peerscope {

bool can_reduce(Dtype dtype) { return kernel_for(dtype, ReduceOp::sum) != nullptr; }

void reduce_elements(const Reduction& reduction, std::span<const void* const> sources, void* output,
                     std::size_t count) {
  ElementKernel kernel = avx2_element_kernel(reduction.dtype, reduction.op);
  if (!kernel) kernel = kernel_for(reduction.dtype, reduction.op);
  if (kernel && count > 0) kernel(sources.data(), sources.size(), output, count, reduction.divisor);
}

}  // namespace peerscope
