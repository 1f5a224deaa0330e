// The communicators of this process, and the session that they are recorded in.
#pragma once

#include <atomic>
#include <cstdint>

#include "record/recorder.hpp"

namespace peerscope::nccl {

inline constexpr std::uint32_t kChannels = 64;  // MAXCHANNELS of all versions

// At device time `device_ns` the host's clock was between `host_ns` and `width_ns` later. Touched by the one thread of NCCL
// that reports a communicator's channels.
struct Bracket {
  std::uint64_t since_ns = 0, width_ns = 0, device_ns = 0, host_ns = 0;  // width 0: none yet
  bool given = false;  // one was handed to the recorder
};

// The collective of a group that NCCL made for it alone, until its task comes: before the next call, but for plans with
// network operations while a graph's are under way. Most operations are such; what is kept here instead of in events spares
// them five of eight callbacks.
struct PendingCall {
  std::atomic<std::uint64_t> begin_ticks{0};  // 0: none
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> what{0};  // kind, dtype << 8, peer << 16
  std::atomic<std::uint64_t> sequence{0};
};

// How NCCL did a collective the last time: equal calls are done alike.
struct Choice {
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint32_t> what{0};  // kind, dtype << 8, algorithm << 16, protocol << 24; 0: none
};
inline constexpr std::uint32_t kChoices = 64;

struct Communicator {
  std::atomic<std::uint32_t> state{
      0};  // 0 free, 1 in use, 2 finalized: late callbacks still find it
  std::uint64_t hash = 0;
  std::uint32_t rank = 0, ranks = 0;
  std::uint16_t id = 0;  // in the session
  std::uint16_t device = 0;
  std::uint16_t device_clock = 0;
  // Collectives called so far, by kind: all ranks count alike. Where calls were missed (level off) NCCL's number of the next
  // one is right.
  std::atomic<std::uint64_t> calls[PSCOPE_KIND_COUNT] = {};
  std::atomic<std::uint32_t> missed{0};  // a bit for each kind
  Choice choices[kChoices];
  std::atomic<std::uint64_t> next_p2p{0};
  // When a channel's last work ended, by the device's clock: the next cannot have begun before.
  std::atomic<std::uint64_t> channel_stop_ns[kChannels] = {};
  // When its last work began: a send and a receive of one group are one work, and have the same times.
  std::atomic<std::uint64_t> channel_start_ns[kChannels] = {};
  std::atomic<bool> expects_channels{false};  // NCCL had them in its mask when the last group began
  // The last group held one call of its own, whose events are not asked for.
  std::atomic<bool> is_single{false};
  // Calls have come whose task never did (symmetric memory, copy engines): their ends are asked for.
  std::atomic<bool> lacks_tasks{false};
  PendingCall pending;
  // Sends and receives of such a group (an all-to-all is one, with many): when its first call was made.
  std::atomic<std::uint64_t> p2p_begin_ticks{0};
  std::atomic<bool> p2p_told{
      false};               // its tasks have begun to come: the next call is another group's
  Bracket bracket;          // see device_clock.hpp
  void* chained = nullptr;  // the chained plugin's context
};

// Opens the session at the first call. Null (with a line on standard error, once) if it cannot be opened or there are too
// many communicators.
Communicator* open_communicator(std::uint64_t hash, const char* name, int ranks, int rank);
// The same for versions that name a communicator in each event: how many ranks it has is not known there.
bool open_communicator_later();  // false: there will be no session
Communicator* find_communicator(std::uint64_t hash, const char* name, int rank);
void close_communicator(Communicator& comm);

Recorder* recorder();  // null: no session
std::uint32_t level_now();

// Counters of what could not be recorded, shown with the session's metrics.
void count_lost();       // events: the pool was full, or an end never came
void count_bad_times();  // device times that contradict themselves
void count_captured();   // operations captured into a CUDA graph
void count_sampled();    // operations whose device time was measured

void say(const char* format, ...)
    __attribute__((format(printf, 1, 2)));  // one line on standard error

}  // namespace peerscope::nccl
