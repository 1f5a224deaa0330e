// Copies between devices: from a callback of the function that makes them, and from CUPTI's record of what the device did.
//
// Each is a copy of communicator "cuda copies": rank and peer are the devices, the host interval is the call, which for all of
// these functions is an enqueue. What a call is captured into a graph for is not recorded then, but each time that it runs.
#pragma once

#include <cstdint>

#include "source/cuda/abi.hpp"
#include "source/cuda/functions.hpp"

namespace peerscope::cuda {

// CUPTI's callback, of the driver's and the runtime's functions.
void on_function(Domain domain, std::uint32_t id, const CallbackData& data);

// From CUPTI's buffers. `host_ns`: when it began, by CLOCK_MONOTONIC; 0: unknown.
void on_peer_copy(const PeerCopyRecord& record, std::uint64_t host_ns);

// Whether device times may come: only then it is worth keeping which call is which.
void keep_calls(bool keep);
std::uint64_t calls_kept();  // so far
// Callbacks come again after a pause in which they did not.
void forget_where_threads_are();

}  // namespace peerscope::cuda
