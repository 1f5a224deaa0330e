// Private to elements*.cpp: the loops for one type and operation.
#pragma once

#include <cstddef>

#include "comm/call.hpp"

namespace peerscope {

using ElementKernel = void (*)(const void* const* sources, std::size_t ranks, void* output,
                               std::size_t count, int divisor);

// nullptr where this processor (or this build) cannot run them, or the type has no arithmetic.
ElementKernel avx2_element_kernel(Dtype dtype, ReduceOp op);

}  // namespace peerscope
