// Hands each rank's file descriptor to every other rank, through Unix sockets.
#pragma once

#include <chrono>
#include <vector>

#include "comm/communicator.hpp"

namespace peerscope {

// `bootstrap` ties the ranks together. The answer has a descriptor for each rank, the caller's to close; -1 for our own.
// All ranks succeed or all fail: after an error the bootstrap must not be used.
Result<std::vector<int>> exchange_descriptors(Communicator& bootstrap, int own,
                                              std::chrono::nanoseconds timeout);

// The smallest of all ranks' values.
Result<std::int32_t> least_of_all(Communicator& bootstrap, std::int32_t value);

}  // namespace peerscope
