// What the kernel says of a process on this machine.
#pragma once

#include <cstdint>

namespace peerscope {

// Stopped by a signal or a debugger (state T or t). False if it runs, sleeps or is not there.
bool is_process_stopped(std::uint32_t pid);

}  // namespace peerscope
