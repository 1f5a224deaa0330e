// Bandwidth and latency between GPUs, as nvbandwidth measures them: matrices.
#pragma once

#include <span>

#include "suite/backend.hpp"

namespace peerscope {

std::span<const P2pCase> cuda_p2p_cases();

// What the slowest pair's copy engine writes, in GB/s; 0: unknown.
double cuda_write_gbs(int ranks);

}  // namespace peerscope
