// Starts the ranks of a benchmark as processes or threads, and watches them.
#pragma once

#include <functional>

#include "base/result.hpp"

namespace peerscope {

// Runs `body` once for each rank. Meanwhile calls `watch` every few milliseconds; when it says false, processes are ended
// (threads end by themselves). The first rank's error is returned.
Status run_ranks(int ranks, bool threads, const std::function<Status(int rank)>& body,
                 const std::function<bool()>& watch);

}  // namespace peerscope
