// When device times are measured.
//
// NCCL tells a profiler when a kernel's channels began and ended on the device, and charges 30 to 95 % of a small collective
// for it. Its mask of events may be changed while it runs, and is read at the begin of each group: so host events are always
// on, and channels in short windows, as many as the budget allows. Windows lie at the same times in all processes of a
// machine, by its time-stamp counter: all ranks of a collective are measured together. What occurs rarely has short windows
// of its own, opened when what usually comes before it comes.
#pragma once

#include <atomic>
#include <cstdint>

#include "record/ticks.hpp"

namespace peerscope::nccl {

// The first and each further communicator's mask: NCCL has one for the process.
void attach_mask(int* mask, int version);
void set_chained_mask(const int* mask);  // of the chained plugin: always part of ours

// For each group's begin: follows the level, which may have changed.
void follow_level();
// For each operation's begin, with the time.
void follow_time(std::uint64_t now_ticks);
// A stream is being captured into a CUDA graph: channels would cost each replay a host function.
void avoid_capture(std::uint64_t now_ticks);
// An operation of this class begins; `sampled`: its channels are measured.
void note_class(std::uint64_t key, bool sampled, std::uint64_t now_ticks);

bool measures_channels();  // what NCCL has read, or is about to

// Of a call NCCL can tell that it was made (from version 5 on), and what becomes of it: its task, with algorithm, protocol or
// peer. The second costs as much again: it is asked for in windows, and where something is not known yet.
bool tells_tasks(bool p2p);  // of the call that begins: what NCCL has just read
void want_tasks();           // of the next groups, until tasks_are_told
void tasks_are_told();
void want_peers();  // of sends and receives, from now on; at level basic only of those that are sampled

}  // namespace peerscope::nccl
