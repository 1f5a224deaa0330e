// What NCCL's events mean, whatever version they came in.
//
//   group  > call (the API call: the operation's begin) > operation (scheduled, numbered, launched) > channels (the device)
//
// An operation is recorded when it has been launched: its host interval is from the call to there. Its device times follow
// when all its channels have ended, by its number.
#pragma once

#include <cstdint>

namespace peerscope::nccl {

struct Communicator;

struct Call {
  std::uint8_t kind, dtype;
  std::uint64_t count;
  int root;
  bool captured;
};

struct Operation {
  std::uint8_t kind, dtype, algorithm, protocol;
  bool numbered;  // `sequence` is NCCL's count of this function on this communicator
  std::uint64_t sequence, count;
  int peer;  // or root
  std::uint32_t channels;
};

// Each returns the event's handle, or null where nothing more is wanted of it.
// `depth` 1: the group is NCCL's own, around one call.
void* begin_group(Communicator* comm, bool captured, int depth);
void* begin_call(Communicator* comm, void* group, const Call& call);
void* begin_operation(Communicator* comm, void* call, const Operation& operation);
void* begin_channel(void* operation, std::uint8_t channel, std::uint64_t start_ns);

void note_channel_stop(void* channel, std::uint64_t stop_ns);
void end(void* handle);              // of whatever it is
void end_calls(Communicator& comm);  // no more will come

}  // namespace peerscope::nccl
