// Element arithmetic of the reductions: f32, f16, bf16, i32, i8, u8.
#pragma once

#include <cstddef>
#include <span>

#include "comm/call.hpp"

namespace peerscope {

bool can_reduce(Dtype dtype);

// What to do with the elements of one reduction.
struct Reduction {
  Dtype dtype = Dtype::f32;
  ReduceOp op = ReduceOp::sum;
  int divisor = 1;  // the result is divided by it
};

// output[i] = sources[0][i] op sources[1][i] op ..., in this order, in f32 (integers in their
// own type), rounded once at the end. `output` may be one of the sources, or overlap none of them.
void reduce_elements(const Reduction& reduction, std::span<const void* const> sources, void* output,
                     std::size_t count);

}  // namespace peerscope
