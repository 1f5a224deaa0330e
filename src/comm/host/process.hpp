// Which process it is, and whether it still runs.
#pragma once

#include <cstdint>

namespace peerscope {

// A pid alone may be reused, and means nothing in another pid namespace.
struct ProcessId {
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot, as /proc tells; 0: unknown
  std::uint64_t pid_namespace = 0;
};

ProcessId this_process();

// True only if it is certain: dead, a zombie, or its pid belongs to another process by now.
bool is_gone(const ProcessId& process);

}  // namespace peerscope
