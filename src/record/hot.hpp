// Begin and end of an operation: what a recorded operation costs is in this file.
#pragma once

#include "record/recorder.hpp"

namespace peerscope {

// A token: generation 32 | ring 16 | unused 7 | async 1 | slot 6 | type 2
enum class TokenType : std::uint8_t { none = 0, counted = 1, timed = 2, phased = 3 };

constexpr pscope_token make_token(TokenType type, std::uint32_t slot, std::uint32_t ring,
                                  std::uint32_t generation) {
  return static_cast<std::uint64_t>(generation) << 32 | (ring & 0xFFFF) << 16 | slot << 2 |
         static_cast<unsigned>(type);
}
constexpr pscope_token kAsyncToken = 1u << 8;
constexpr pscope_token make_counted_token(std::uint32_t kind) { return kind % kKinds << 2 | 1; }
constexpr TokenType type_of(pscope_token token) { return static_cast<TokenType>(token & 3); }
constexpr std::uint32_t slot_of(pscope_token token) { return (token >> 2) & 63; }
constexpr std::uint32_t ring_of(pscope_token token) { return (token >> 16) & 0xFFFF; }
constexpr std::uint32_t generation_of(pscope_token token) {
  return static_cast<std::uint32_t>(token >> 32);
}

inline void count(Writer& writer, const pscope_op& op) {
  KindCounters& counters = writer.ring->kinds[op.kind % kKinds];
  bump(counters.operations, 1);
  bump(counters.bytes, op.bytes);
}

// The communicator's own count. Relaxed: ranks agree on it because each issues its collectives in one order, and where
// several threads share a rank's communicator without an order there is nothing to agree on.
inline std::uint64_t sequence_of(Recorder& recorder, Writer& writer, const pscope_op& op) {
  if (op.sequence != PSCOPE_SEQUENCE_AUTO) return op.sequence;
  if (op.comm == 0) return writer.own_sequence++;
  CommEntry& comm = recorder.segment.tables().comms[op.comm % kMaxComms];
  const bool collective = op.kind >= PSCOPE_KIND_BROADCAST && op.kind <= PSCOPE_KIND_BARRIER;
  Word& next = collective ? comm.next_collective : comm.next_other;
  const std::uint64_t sequence = next.load(std::memory_order_relaxed);
  next.store(sequence + 1, std::memory_order_relaxed);
  return sequence;
}

struct Begin {
  std::uint64_t sequence;
  std::uint64_t call_site;  // comprehensive only
  TokenType type;           // timed or phased
  bool sampled;
};

// Opens an in-flight slot. The caller has entered. 0: none free; counted as dropped.
inline pscope_token open_slot(Recorder& recorder, Writer& writer, const pscope_op& op,
                              const Begin& begin) {
  if (PSCOPE_UNLIKELY(writer.free_slots == 0)) {
    writer.free_slots = writer.remote_free.exchange(
        0, std::memory_order_acquire);  // pairs with the release of the bit
    if (writer.free_slots == 0) {
      bump(writer.ring->dropped, 1);
      return make_counted_token(op.kind);
    }
  }
  const auto index = static_cast<std::uint32_t>(__builtin_ctzll(writer.free_slots));
  writer.free_slots &= writer.free_slots - 1;
  InFlightSlot& slot = writer.ring->in_flight[index];
  const std::uint32_t generation = ++writer.generations[index];
  // Orders the slot's last release (w0 = 0) before its new words: a reader that sees one of them does not see the old w0.
  std::atomic_thread_fence(std::memory_order_release);
  slot.w1.store(pack_meta(op) | static_cast<std::uint64_t>(begin.sampled) << 62,
                std::memory_order_relaxed);
  slot.w2.store(pack_w2(op.bytes, op.comm, op.stream), std::memory_order_relaxed);
  slot.w3.store(pack_w3(begin.sequence, op.peer), std::memory_order_relaxed);
  slot.generation.store(generation, std::memory_order_relaxed);
  if (op.async != 0) slot.host_end.store(0, std::memory_order_relaxed);
  if (begin.type == TokenType::phased)
    slot.call_site.store(begin.call_site, std::memory_order_relaxed);
  const std::uint64_t now = ticks_now(recorder.clock);
  if (begin.type == TokenType::phased) slot.mark.store(now, std::memory_order_relaxed);
  slot.w0.store(pack_w0(Tag::op, now),
                std::memory_order_release);  // publishes the slot: the operation is in flight
  const pscope_token token = make_token(begin.type, index, writer.index, generation);
  return op.async != 0 ? token | kAsyncToken : token;
}

// The governor of level comprehensive: each thread earns its budget's share of the time that passes, and pays for what
// it writes beside the operation itself. Who is in debt is recorded as at level detailed.
inline bool can_afford_details(const Writer& writer) { return writer.detail_balance >= 0; }
inline void pay_detail(const Recorder& recorder, Writer& writer) {
  writer.detail_balance -= recorder.detail_cost;
}
inline void earn_budget(const Recorder& recorder, Writer& writer, std::uint32_t slot) {
  const std::uint32_t ppm =
      recorder.segment.header().control.detail_budget_ppm.load(std::memory_order_relaxed);
  const std::uint64_t begin =
      writer.ring->in_flight[slot].w0.load(std::memory_order_relaxed) & kBeginMask;
  const std::uint64_t elapsed = (begin - writer.last_begin) & 0xFFFF'FFFF;
  writer.last_begin = begin;
  if (PSCOPE_UNLIKELY(ppm > 1'000'000)) {
    writer.detail_balance = INT64_MAX / 2;  // no limit: more than any operation's details can cost
    return;
  }
  const std::int64_t balance = writer.detail_balance + static_cast<std::int64_t>(elapsed * ppm);
  writer.detail_balance = balance < recorder.detail_burst ? balance : recorder.detail_burst;
}

inline std::uint64_t duration_between(std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t ticks = (end - begin) & kBeginMask;
  return ticks < kDurationMax ? ticks : kDurationMax;
}

// An asynchronous operation stays in flight until it completes, as long as there is room for others. Slots that other
// threads have completed are room, too.
inline bool may_stay(Writer& writer) {
  constexpr int kRoomForOthers = 16;
  if (__builtin_popcountll(writer.free_slots) > kRoomForOthers) return true;
  writer.free_slots |= writer.remote_free.exchange(
      0, std::memory_order_acquire);  // pairs with the release of the bit
  return __builtin_popcountll(writer.free_slots) > kRoomForOthers;
}

// Writes the operation's record and frees its slot. The caller has entered and has checked the generation.
inline std::uint64_t close_slot(Recorder& recorder, Writer& writer, std::uint32_t index,
                                int status) {
  InFlightSlot& slot = writer.ring->in_flight[index];
  const std::uint64_t w0 = slot.w0.load(std::memory_order_relaxed);
  const std::uint64_t w1 = slot.w1.load(std::memory_order_relaxed) |
                           static_cast<std::uint64_t>(status & 31) << kStatusShift;
  const std::uint64_t w2 = slot.w2.load(std::memory_order_relaxed);
  const std::uint64_t w3 = slot.w3.load(std::memory_order_relaxed);
  const std::uint64_t now = ticks_now(recorder.clock);
  write(writer, w0, w1 | duration_between(w0 & kBeginMask, now & kBeginMask), w2, w3);
  if (PSCOPE_UNLIKELY((w1 >> 63) != 0) && may_stay(writer)) {
    slot.host_end.store(now, std::memory_order_release);
    return now;
  }
  slot.w0.store(0, std::memory_order_release);
  writer.free_slots |= std::uint64_t{1} << index;
  return now;
}

}  // namespace peerscope
