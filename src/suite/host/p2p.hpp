// Bandwidth and latency between the memories of host ranks, as matrices.
#pragma once

#include <span>

#include "suite/backend.hpp"

namespace peerscope {

std::span<const P2pCase> host_p2p_cases();

// What one processor copies from one rank's memory to another's, in GB/s; 0 if there is no memory.
double host_memcpy_gbs();

}  // namespace peerscope
