// CUPTI's records of what devices did: the memory it puts them in, and what is made of them.
#pragma once

#include <cstdint>

namespace peerscope::cuda {

// Gives CUPTI our memory. False, with a sentence on standard error, if it refuses.
bool register_buffers();

// Reads CUPTI's clock between two readings of the host's, and hands that to the session. False: CUPTI refused.
bool tie_clock();

// How often CUPTI has asked us for memory or brought it back. Where records must have been made and this stands still,
// somebody else has taken our place: CUPTI knows one client.
std::uint64_t signs_of_life();
std::uint64_t operations_found();  // copies and known kernels

void stop_reading();  // the process ends, or was forked: what comes from now on is left alone

}  // namespace peerscope::cuda
