// A plan (comm/plan.hpp) as the kernel reads it, and how an operation is dealt to blocks.
#pragma once

#include <vector>

#include "comm/call.hpp"
#include "comm/cuda/device/wire.hpp"
#include "comm/plan.hpp"

namespace peerscope::cuda {

struct CompiledPlan {
  std::vector<DeviceStep> steps;
  bool ahead = false;  // sends may run one round ahead: nothing else goes through their channels
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
Shape plan_shape(const Layout& layout, std::uint64_t bytes);

// Fills what the operation, not its launch, is made of. `call.algorithm` is chosen.
void fill(PlanArguments& out, const Call& call, int rank, int ranks);

}  // namespace peerscope::cuda
