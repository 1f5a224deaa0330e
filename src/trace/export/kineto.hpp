// What PyTorch's profiler (Kineto) says about a collective, and how it calls things.
#pragma once

#include <string>

#include "trace/meta.hpp"

namespace peerscope {

// "ncclDevKernel_AllReduce_bf16_RING_LL"
std::string kernel_name(const Op& op);
// The members of "args" that a shape decides, each followed by a comma: "Collective name", "dtype",
// "Group size", "Process Group Ranks", ...
std::string kineto_args(const TraceMeta& meta, const Op& op);
// The value of "distributedInfo": the job as this rank sees it, and its communicators.
std::string kineto_distributed_info(const TraceMeta& meta, std::uint16_t rank);
// Elements that a rank gives and gets.
struct Elements {
  std::uint64_t in = 0, out = 0;
};
Elements elements_of(const Op& op);

}  // namespace peerscope
