// Ties the clock that NCCL's device times are of to the host's, by what must be: an operation cannot begin on the device
// before it was called, nor be reported before it has ended. The narrowest such bracket of each second is handed to the
// recorder, with its width: readers say how uncertain a time is.
#pragma once

#include <cstdint>

namespace peerscope::nccl {

struct Communicator;

// An operation ran from start to stop on the device; it was called at `call_ticks`, by the recorder's clock, and is over now.
void narrow_clock(Communicator& comm, std::uint64_t start_ns, std::uint64_t stop_ns,
                  std::uint64_t call_ticks);

}  // namespace peerscope::nccl
