// When device times are measured.
//
// CUPTI's records of peer copies and kernels cost microseconds each, so they are on in short windows only, as many as the
// budget allows: what a window costs is taken as half of its time, and the time that CUPTI's own functions took to open and
// close it. Windows lie at the same times in all processes of a machine, by its clock. All of it is done by a thread of our
// own (docs/adr/0014): no call of the application's ever waits for a flush.
#pragma once

namespace peerscope::cuda {

// Starts the thread; it waits for a context. False, with a sentence on standard error.
bool start_windows();
void on_context();  // there is one now. Any thread
// Ends the thread, and with it a window that is open. For the end of the process, before CUDA goes.
void stop_windows();
void abandon_windows();  // in a forked child, where the thread is not

// Set by the injection: turns CUPTI's callbacks on and off, as the level says.
using SetCallbacks = void (*)(bool on);
void on_level(SetCallbacks set);

}  // namespace peerscope::cuda
