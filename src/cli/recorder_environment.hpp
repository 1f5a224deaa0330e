// Settings that recorders read from their environment: ours, and that of the processes we start.
#pragma once

#include "config/config.hpp"

namespace peerscope {

// Sets what record.* says and the environment does not. Call it while there is one thread.
void tell_recorders(const Config& config);

}  // namespace peerscope
