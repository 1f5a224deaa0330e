// Operations that do not end: from when on, and who keeps whom.
#pragma once

#include <vector>

#include "analyze/detect/detect.hpp"

namespace peerscope {

bool is_dead(const Snapshot& snapshot, std::uint32_t pid);
bool is_stopped(const Snapshot& snapshot, std::uint32_t pid);

// Whether an operation takes so much longer than others of its kind and size that it will not end.
bool hangs(const Snapshot& snapshot, const InFlight& entry, const DetectOptions& options);

// Ranks of the communicator: what the operation says, else what is known of it.
int ranks_of_communicator(const Snapshot& snapshot, const Op& op);

// All that are in flight in the same operation of the same communicator.
std::vector<const InFlight*> together(const Snapshot& snapshot, const Op& op);

// The ranks that others wait for and that do not wait themselves: the cause, as far as one can see.
// Sorted. Empty: all wait for each other, or nothing is known.
std::vector<int> culprits(const Snapshot& snapshot, std::uint64_t comm);

}  // namespace peerscope
