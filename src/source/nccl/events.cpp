#include "source/nccl/events.hpp"

namespace peerscope::nccl {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint32_t kEvents = 8192;  // a power of two that a handle's index can name
constexpr int kTries = 16;
// What has waited so long for its end will not see it: in ticks, a second or two.
constexpr std::uint64_t kTooLong = std::uint64_t{1} << 32;

constinit Event g_events[kEvents];  // pages that are not used cost nothing
constinit std::atomic<std::uint32_t> g_next{0};

// Takes a slot whose generation is `seen`, by making it odd, or the next odd number.
bool claim(Event& event, std::uint32_t seen) {
  const std::uint32_t claimed = (seen | 1) == seen ? seen + 2 : seen + 1;
  return event.generation.compare_exchange_strong(seen, claimed, std::memory_order_acquire,
                                                  kRelaxed);
}

bool is_abandoned(const Event& event, std::uint64_t now_ticks) {
  return !event.captured && now_ticks - event.begin_ticks > kTooLong;
}

}  // namespace

Event* take_event(Tag tag, Communicator* comm, std::uint64_t now_ticks) {
  for (int i = 0; i < kTries; ++i) {
    Event& event = g_events[g_next.fetch_add(1, kRelaxed) % kEvents];
    const std::uint32_t seen = event.generation.load(kRelaxed);
    const bool in_use = (seen & 1) != 0;
    if (in_use && !is_abandoned(event, now_ticks)) continue;
    if (!claim(event, seen)) continue;
    if (in_use) count_lost();
    event.tag = tag;
    event.captured = event.recorded = event.expects_channels = false;
    event.open.store(false, kRelaxed);
    event.comm = comm;
    event.begin_ticks = now_ticks;
    event.peer = PSCOPE_NO_PEER;
    event.algorithm = 0;
    event.group = event.next = kNoEvent;
    return &event;
  }
  count_lost();
  return nullptr;
}

void give_back(Event& event) { event.generation.fetch_add(1, std::memory_order_release); }

std::uint32_t index_of(const Event& event) { return static_cast<std::uint32_t>(&event - g_events); }

Handle handle_of(const Event& event, Tag tag, std::uint8_t channel) {
  return {event.generation.load(kRelaxed), static_cast<std::uint16_t>(index_of(event)), channel,
          tag};
}

Event* event_in_use(std::uint32_t index) {
  if (index >= kEvents) return nullptr;
  Event& event = g_events[index];
  return (event.generation.load(std::memory_order_acquire) & 1) != 0 ? &event : nullptr;
}

Event* find_event(void* pointer, Tag tag) {
  const Handle handle = Handle::of(pointer);
  if (handle.tag != tag) return nullptr;
  Event* event = event_in_use(handle.index);
  return event != nullptr && event->generation.load(kRelaxed) == handle.generation ? event
                                                                                   : nullptr;
}

}  // namespace peerscope::nccl
