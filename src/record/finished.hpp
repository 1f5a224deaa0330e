// For sources of our own that learn of an operation when it is over, such as plugins.
#pragma once

#include "record/recorder.hpp"

namespace peerscope {

// Records an operation that began at `begin_ticks` (ticks_now of the recorder's clock) and ends now. `op.sequence` must be
// the communicator's own count; level basic samples by it. Never in flight; `op.call_site` is not looked at.
void record_finished(Recorder& recorder, const pscope_op& op, std::uint64_t begin_ticks);

// Records an operation that began and lasted as said, and ended with `status` (a pscope_status).
void record_timed(Recorder& recorder, const pscope_op& op, std::uint64_t begin_ticks,
                  std::uint64_t duration_ticks, int status);

// Records an operation that begins now, and of whose end on the host nobody will hear.
void record_called(Recorder& recorder, const pscope_op& op, std::uint64_t now_ticks);

// Records an operation that only the device has told of: what the host did for it, and for how long, is unknown. Its device
// times follow by themselves. `begin_ticks`: when it began on the device, by the recorder's clock.
void record_observed(Recorder& recorder, const pscope_op& op, std::uint64_t begin_ticks);

}  // namespace peerscope
