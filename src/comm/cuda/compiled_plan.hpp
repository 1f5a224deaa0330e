// A plan (comm/plan.hpp) as the kernel reads it, and how an operation is dealt to blocks.
#pragma once

#include <vector>

#include "comm/call.hpp"
#include "comm/cuda/device/wire.hpp"
#include "comm/plan.hpp"

namespace peerscope::cuda {

struct CompiledPlan {
  std::vector<DeviceStep> steps;
  bool halves =
      false;  // what sends and what does the rest may be two: nothing else goes through their channels
};
CompiledPlan compile(const Plan& plan, int rank);

// Kind, type, reduction, algorithm and root, packed: ranks that disagree find out by it. Sizes are mixed in.
std::uint64_t pack_what(const Call& call, std::uint64_t bytes);

// Blocks and threads of a kernel. All ranks come to the same.
struct Shape {
  std::uint32_t blocks = 1, threads = 32;
};
Shape low_latency_shape(const Layout& layout, std::uint64_t bytes);
std::uint64_t low_latency_limit(const Layout& layout);  // bytes
Shape plan_shape(const Layout& layout,
                 std::uint64_t bytes);  // twice the blocks where a plan has halves
// The larger a chunk, the fewer flags; the smaller, the sooner its receiver begins.
std::uint32_t chunk_for(const Layout& layout, std::uint64_t bytes, std::uint32_t blocks);

// Fills what the operation, not its launch, is made of. `call.algorithm` is chosen.
void fill(PlanArguments& out, const Call& call, int rank, int ranks);

}  // namespace peerscope::cuda
