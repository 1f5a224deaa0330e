// What is remembered of an event between its callbacks, in a fixed pool that is never freed: NCCL may call back late, from any
// thread, even for what is over. A handle names a slot and its generation, so that whatever is stale is recognised.
#pragma once

#include <atomic>
#include <cstdint>

#include "source/nccl/communicator.hpp"

namespace peerscope::nccl {

enum class Tag : std::uint8_t {
  none = 0,
  group = 1,    // from its begin to its end on the user's thread
  call = 2,     // an API call, until its group ends
  device = 3,   // an operation whose channels are awaited
  channel = 4,  // one of them: not a slot of its own, the handle names the operation's
  relay = 5,    // not a slot here: an event of which a chained plugin has a handle, too
};

// Handles are never 0, which NCCL takes for "not interested".
struct Handle {
  std::uint32_t generation = 0;
  std::uint16_t index = 0;
  std::uint8_t channel = 0;
  Tag tag = Tag::none;

  static Handle of(void* pointer) {
    const auto bits = reinterpret_cast<std::uint64_t>(pointer);
    return {static_cast<std::uint32_t>(bits >> 32), static_cast<std::uint16_t>(bits >> 16),
            static_cast<std::uint8_t>(bits >> 8), static_cast<Tag>(bits & 0xFF)};
  }
  [[nodiscard]] void* pointer() const {
    return reinterpret_cast<void*>(std::uint64_t{generation} << 32 | std::uint64_t{index} << 16 |
                                   std::uint64_t{channel} << 8 | static_cast<std::uint64_t>(tag));
  }
};

inline constexpr std::uint32_t kNoEvent = UINT32_MAX;

// All zero at first, so that the pool takes no room in the file; take_event() sets what is not.
struct alignas(64) Event {
  std::atomic<std::uint32_t> generation{0};  // odd: in use
  Tag tag = Tag::none;
  bool captured = false;  // into a CUDA graph: nothing ran
  bool recorded = false;
  bool expects_channels = false;  // NCCL had kernel channels in its mask when the group began
  std::atomic<bool> open{false};  // a group: its end has not come
  Communicator* comm = nullptr;
  std::uint64_t begin_ticks = 0;
  std::uint64_t bytes = 0, sequence = 0;
  std::uint16_t peer = 0;
  std::uint8_t kind = 0, algorithm = 0, dtype = 0;
  std::uint32_t group = 0;  // a call: its group, or kNoEvent
  std::uint32_t next = 0;   // a group: its calls; a call: the next one; or kNoEvent
  // An operation on the device.
  std::uint32_t expected = 0;    // channels
  std::uint64_t call_ticks = 0;  // when it was called: it began on the device after that
  std::atomic<std::uint64_t> first_start_ns{0}, last_stop_ns{0};
  std::atomic<std::uint32_t> stopped{0};
  std::atomic<bool> damaged{false};  // a channel's times cannot be
};

// A free slot, initialised; null if there is none within reach: counted as lost by the caller.
Event* take_event(Tag tag, Communicator* comm, std::uint64_t now_ticks);
void give_back(Event& event);

Handle handle_of(const Event& event, Tag tag, std::uint8_t channel = 0);
// Null if the handle is stale, or of another sort. Tag::channel finds the channel's operation.
Event* find_event(void* handle, Tag tag);
Event* event_in_use(std::uint32_t index);  // null if it is free
std::uint32_t index_of(const Event& event);

}  // namespace peerscope::nccl
