// The C ABI of operations: which path a call takes. What it costs is in hot.hpp, what it prepares in recorder.cpp.
#include "peerscope/peerscope.h"
#include "record/finished.hpp"
#include "record/hot.hpp"

namespace peerscope {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

bool is_wanted(const Control& control, std::uint32_t wanted, std::uint64_t id) {
  for (std::uint32_t i = 0; i < wanted && i < kMaxFilterComms; ++i) {
    if (id != 0 && control.comms[i].load(kRelaxed) == id) return true;
  }
  return false;
}

bool passes_filter(Recorder& recorder, const pscope_op& op) {
  const Control& control = recorder.segment.header().control;
  // Pairs with the release of `filtered`, which the caller has read: who sees the 1 sees the whole filter.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (const std::uint32_t kinds = control.kinds.load(kRelaxed);
      kinds != 0 && (kinds >> (op.kind % kKinds) & 1) == 0) {
    return false;
  }
  const std::uint64_t most = control.max_bytes.load(kRelaxed);
  if (op.bytes < control.min_bytes.load(kRelaxed) || (most != 0 && op.bytes > most)) return false;
  const CommEntry& comm = recorder.segment.tables().comms[op.comm % kMaxComms];
  if (const std::uint32_t wanted = control.comm_count.load(kRelaxed);
      wanted != 0 && (op.comm == 0 || !is_wanted(control, wanted, comm.id))) {
    return false;
  }
  const std::uint64_t devices = control.devices.load(kRelaxed);
  if (devices == 0 || op.comm == 0) return true;
  if (comm.device >= 64) return (control.flags.load(kRelaxed) & kPassWithoutDevice) != 0;
  return (devices >> comm.device & 1) != 0;
}

// The slot of a token that another thread began, or null if the token is spent.
InFlightSlot* slot_of_other(Recorder& recorder, pscope_token token) {
  const std::uint32_t ring = ring_of(token);
  if (ring >= kMaxRings || recorder.writers[ring].ring == nullptr) return nullptr;
  InFlightSlot& slot = recorder.writers[ring].ring->in_flight[slot_of(token)];
  const bool current = slot.w0.load(std::memory_order_acquire) != 0 &&
                       slot.generation.load(kRelaxed) == generation_of(token);
  return current ? &slot : nullptr;
}

void free_slot_of_other(Recorder& recorder, Writer& self, InFlightSlot& slot, pscope_token token) {
  const std::uint64_t bit = std::uint64_t{1} << slot_of(token);
  slot.w0.store(0, std::memory_order_release);
  Writer& owner = recorder.writers[ring_of(token)];
  if (&owner == &self) {
    self.free_slots |= bit;
  } else {
    owner.remote_free.fetch_or(bit,
                               std::memory_order_release);  // hands the slot back to its thread
  }
}

// Writes a record made of a slot's identity: `tag` says which fact it is.
void write_from_slot(Recorder& recorder, Writer& writer, InFlightSlot& slot, Tag tag, int status) {
  const std::uint64_t begin = slot.w0.load(kRelaxed) & kBeginMask;
  const std::uint64_t now = ticks_now(recorder.clock);
  const std::uint64_t w1 = slot.w1.load(kRelaxed) | static_cast<std::uint64_t>(status & 31)
                                                        << kStatusShift;
  write(writer, pack_w0(tag, begin), w1 | duration_between(begin, now & kBeginMask),
        slot.w2.load(kRelaxed), slot.w3.load(kRelaxed));
  if (at_lap_end(writer)) end_of_lap(writer, now);
}

void write_call_site(Writer& writer, const InFlightSlot& slot, std::uint64_t now) {
  const std::uint16_t name = intern_call_site(writer, slot.call_site.load(kRelaxed));
  const std::uint64_t w2 = slot.w2.load(kRelaxed);
  write(writer, pack_w0(Tag::call_site, now), slot.w1.load(kRelaxed), (w2 & ~kBytesMax) | name,
        slot.w3.load(kRelaxed));
  pay_detail(*writer.recorder.load(kRelaxed), writer);
  if (at_lap_end(writer)) end_of_lap(writer, now);
}

void count_error(Writer& writer, std::uint32_t kind) {
  bump(writer.ring->kinds[kind % kKinds].errors, 1);
}

std::uint32_t kind_of(const InFlightSlot& slot) {
  return static_cast<std::uint32_t>(slot.w1.load(kRelaxed) >> 40) % kKinds;
}

void end_of_other(Recorder& recorder, Writer& writer, pscope_token token, int status) {
  InFlightSlot* slot = slot_of_other(recorder, token);
  if (slot == nullptr || ((token & kAsyncToken) != 0 && slot->host_end.load(kRelaxed) != 0)) return;
  if (status != PSCOPE_STATUS_OK) count_error(writer, kind_of(*slot));
  if (!enter(writer)) return;
  write_from_slot(recorder, writer, *slot, Tag::op, status);
  if (type_of(token) == TokenType::phased)
    write_call_site(writer, *slot, ticks_now(recorder.clock));
  if ((token & kAsyncToken) != 0) {
    slot->host_end.store(ticks_now(recorder.clock), std::memory_order_release);
  } else {
    free_slot_of_other(recorder, writer, *slot, token);
  }
  leave(writer);
}

// Five words, all in registers: its callers save none and jump here.
__attribute__((noinline)) pscope_token begin_timed(Writer& writer, const pscope_op& op,
                                                   std::uint64_t sequence, std::uint32_t level,
                                                   const void* caller) {
  Recorder& recorder = *writer.recorder.load(kRelaxed);
  if (PSCOPE_UNLIKELY(recorder.segment.header().control.filtered.load(kRelaxed) != 0) &&
      !passes_filter(recorder, op)) {
    bump(writer.ring->skipped, 1);
    return make_counted_token(op.kind);
  }
  if (PSCOPE_UNLIKELY(!enter(writer))) return make_counted_token(op.kind);
  Begin begin{sequence, 0, TokenType::timed, level == PSCOPE_LEVEL_BASIC};
  if (level >= PSCOPE_LEVEL_COMPREHENSIVE && can_afford_details(writer)) {
    begin.type = TokenType::phased;
    begin.call_site =
        reinterpret_cast<std::uint64_t>(op.call_site != nullptr ? op.call_site : caller);
  }
  const pscope_token token = open_slot(recorder, writer, op, begin);
  if (level >= PSCOPE_LEVEL_COMPREHENSIVE) earn_budget(recorder, writer, slot_of(token));
  leave(writer);
  return token;
}

// This thread's first operation in this session (or the first since it used another session).
__attribute__((noinline, cold)) pscope_token begin_first(Recorder& recorder, const pscope_op& op,
                                                         const void* caller) {
  Writer* writer = find_writer(recorder);
  if (writer == nullptr) return 0;
  count(*writer, op);
  const std::uint32_t level = __atomic_load_n(recorder.pub.level, __ATOMIC_RELAXED);
  const std::uint64_t sequence = sequence_of(recorder, *writer, op);
  if (level == PSCOPE_LEVEL_BASIC && sequence % kBasicSampling != 0)
    return make_counted_token(op.kind);
  return begin_timed(*writer, op, sequence, level, caller);
}

// Where an operation that is over may be written: level, counters and filter are looked at. The caller leaves it.
Writer* enter_for(Recorder& recorder, const pscope_op& op, std::uint32_t level) {
  if (level == PSCOPE_LEVEL_OFF) return nullptr;
  Writer* writer = writer_of(recorder);
  if (PSCOPE_UNLIKELY(writer == nullptr)) return nullptr;
  count(*writer, op);
  if (level == PSCOPE_LEVEL_BASIC && op.sequence % kBasicSampling != 0) return nullptr;
  if (PSCOPE_UNLIKELY(recorder.segment.header().control.filtered.load(kRelaxed) != 0) &&
      !passes_filter(recorder, op)) {
    bump(writer->ring->skipped, 1);
    return nullptr;
  }
  return PSCOPE_LIKELY(enter(*writer)) ? writer : nullptr;
}

void write_and_leave(Writer& writer, const pscope_op& op, std::uint32_t level, std::uint64_t begin,
                     std::uint64_t duration, std::uint64_t now) {
  const std::uint64_t sampled = level == PSCOPE_LEVEL_BASIC ? 1 : 0;
  write(writer, pack_w0(Tag::op, begin), pack_meta(op) | sampled << 62 | duration,
        pack_w2(op.bytes, op.comm, op.stream), pack_w3(op.sequence, op.peer));
  if (PSCOPE_UNLIKELY(at_lap_end(writer))) end_of_lap(writer, now);
  leave(writer);
}

}  // namespace

void record_finished(Recorder& recorder, const pscope_op& op, std::uint64_t begin_ticks) {
  const std::uint32_t level = __atomic_load_n(recorder.pub.level, __ATOMIC_RELAXED);
  Writer* writer = enter_for(recorder, op, level);
  if (writer == nullptr) return;
  const std::uint64_t now = ticks_now(recorder.clock);
  write_and_leave(*writer, op, level, begin_ticks,
                  duration_between(begin_ticks & kBeginMask, now & kBeginMask), now);
}

void record_timed(Recorder& recorder, const pscope_op& op, std::uint64_t begin_ticks,
                  std::uint64_t duration_ticks, int status) {
  const std::uint32_t level = __atomic_load_n(recorder.pub.level, __ATOMIC_RELAXED);
  Writer* writer = enter_for(recorder, op, level);
  if (writer == nullptr) return;
  if (status != PSCOPE_STATUS_OK) count_error(*writer, op.kind);
  const std::uint64_t status_bits = static_cast<std::uint64_t>(status & 31) << kStatusShift;
  const std::uint64_t duration = duration_between(0, duration_ticks & kBeginMask) | status_bits;
  write_and_leave(*writer, op, level, begin_ticks, duration, ticks_now(recorder.clock));
}

void record_called(Recorder& recorder, const pscope_op& op, std::uint64_t now_ticks) {
  const std::uint32_t level = __atomic_load_n(recorder.pub.level, __ATOMIC_RELAXED);
  Writer* writer = enter_for(recorder, op, level);
  if (writer == nullptr) return;
  pscope_op enqueued = op;
  enqueued.async = 1;
  write_and_leave(*writer, enqueued, level, now_ticks, kDurationMax, now_ticks);
}

void record_observed(Recorder& recorder, const pscope_op& op, std::uint64_t begin_ticks) {
  const std::uint32_t level = __atomic_load_n(recorder.pub.level, __ATOMIC_RELAXED);
  Writer* writer = enter_for(recorder, op, level);
  if (writer == nullptr) return;
  pscope_op enqueued = op;
  enqueued.async = 1;
  write_and_leave(*writer, enqueued, level, begin_ticks, kDurationMax, ticks_now(recorder.clock));
}

}  // namespace peerscope

using namespace peerscope;  // NOLINT(google-build-using-namespace): the C ABI is made of it

extern "C" {

// Level basic ends here 63 times out of 64: what is not needed for that is in begin_timed, so that no register is saved.
pscope_token pscope_op_begin_(pscope_session* session, const pscope_op* op) {
  Recorder& recorder = *as_recorder(session);
  const std::uint32_t level = __atomic_load_n(session->level, __ATOMIC_RELAXED);
  if (PSCOPE_UNLIKELY(level == PSCOPE_LEVEL_OFF)) return 0;
  Writer* writer = t_writer;
  if (PSCOPE_UNLIKELY(writer == nullptr || writer->recorder.load(kRelaxed) != &recorder)) {
    return begin_first(recorder, *op, __builtin_return_address(0));
  }
  count(*writer, *op);
  const std::uint64_t sequence = sequence_of(recorder, *writer, *op);
  // Sampled by the sequence, so that all ranks pick the same operations and they can still be joined.
  if (level == PSCOPE_LEVEL_BASIC && PSCOPE_LIKELY(sequence % kBasicSampling != 0))
    return make_counted_token(op->kind);
  return begin_timed(*writer, *op, sequence, level, __builtin_return_address(0));
}

void pscope_op_end_(pscope_session* session, pscope_token token, int status) {
  if (PSCOPE_UNLIKELY(session == nullptr || token == 0)) return;
  Recorder& recorder = *as_recorder(session);
  Writer* writer = writer_of(recorder);
  if (PSCOPE_UNLIKELY(writer == nullptr)) return;
  const std::uint32_t index = slot_of(token);
  if (PSCOPE_UNLIKELY(ring_of(token) != writer->index || type_of(token) == TokenType::counted)) {
    if (type_of(token) != TokenType::counted) {
      end_of_other(recorder, *writer, token, status);
    } else if (status != PSCOPE_STATUS_OK) {
      count_error(*writer, slot_of(token));
    }
    return;
  }
  const InFlightSlot& slot = writer->ring->in_flight[index];
  if (PSCOPE_UNLIKELY(generation_of(token) != writer->generations[index] ||
                      slot.w0.load(kRelaxed) == 0)) {
    return;  // ended twice, or begun before a fork
  }
  if (PSCOPE_UNLIKELY((token & kAsyncToken) != 0) && slot.host_end.load(kRelaxed) != 0)
    return;  // ended twice
  if (PSCOPE_UNLIKELY(status != PSCOPE_STATUS_OK)) count_error(*writer, kind_of(slot));
  if (PSCOPE_UNLIKELY(!enter(*writer))) return;
  const std::uint64_t now = close_slot(recorder, *writer, index, status);
  if (PSCOPE_UNLIKELY(at_lap_end(*writer))) end_of_lap(*writer, now);
  if (type_of(token) == TokenType::phased) write_call_site(*writer, slot, now);
  leave(*writer);
}

void pscope_op_phase_(pscope_session* session, pscope_token token, uint16_t name) {
  if (PSCOPE_UNLIKELY(session == nullptr || type_of(token) != TokenType::phased)) return;
  Recorder& recorder = *as_recorder(session);
  Writer* writer = writer_of(recorder);
  if (PSCOPE_UNLIKELY(writer == nullptr || ring_of(token) != writer->index)) return;
  const std::uint32_t index = slot_of(token);
  InFlightSlot& slot = writer->ring->in_flight[index];
  if (PSCOPE_UNLIKELY(generation_of(token) != writer->generations[index] ||
                      slot.w0.load(kRelaxed) == 0))
    return;
  if (PSCOPE_UNLIKELY(!enter(*writer))) return;
  const std::uint64_t begin = slot.mark.load(kRelaxed);
  const std::uint64_t sequence = slot.w3.load(kRelaxed) & kSequenceMask;
  const std::uint64_t now = ticks_now(recorder.clock);
  write(*writer, pack_w0(Tag::phase, begin), slot.w1.load(kRelaxed) | duration_between(begin, now),
        slot.w2.load(kRelaxed), pack_w3(sequence, name));
  slot.mark.store(now, kRelaxed);
  pay_detail(recorder, *writer);
  if (PSCOPE_UNLIKELY(at_lap_end(*writer))) end_of_lap(*writer, now);
  leave(*writer);
}

void pscope_op_complete(pscope_session* session, pscope_token token, int status) {
  if (session == nullptr || (token & 2) == 0) return;
  Recorder& recorder = *as_recorder(session);
  Writer* writer = writer_of(recorder);
  if (writer == nullptr) return;
  InFlightSlot* slot = slot_of_other(recorder, token);
  if (slot == nullptr) return;
  if (status != PSCOPE_STATUS_OK) count_error(*writer, kind_of(*slot));
  if (!enter(*writer)) return;
  write_from_slot(recorder, *writer, *slot, Tag::complete, status);
  free_slot_of_other(recorder, *writer, *slot, token);
  leave(*writer);
}

void pscope_op_device_times(pscope_session* session, const pscope_device_times* times) {
  if (session == nullptr || __atomic_load_n(session->level, __ATOMIC_RELAXED) == PSCOPE_LEVEL_OFF)
    return;
  Recorder& recorder = *as_recorder(session);
  Writer* writer = writer_of(recorder);
  if (writer == nullptr || !enter(*writer)) return;
  pscope_op op{};
  op.kind = times->kind;
  op.algorithm = times->algorithm;
  const std::uint64_t duration =
      times->end_ns > times->begin_ns ? times->end_ns - times->begin_ns : 0;
  write(*writer, pack_w0(Tag::device_times, times->begin_ns),
        pack_meta(op) | (duration < kDurationMax ? duration : kDurationMax),
        pack_w2(times->bytes, times->comm, times->device_clock),
        pack_w3(times->sequence, times->channel));
  if (at_lap_end(*writer)) end_of_lap(*writer, ticks_now(recorder.clock));
  leave(*writer);
}

void pscope_event(pscope_session* session, int severity, uint16_t name, uint16_t comm,
                  int64_t value) {
  if (session == nullptr || __atomic_load_n(session->level, __ATOMIC_RELAXED) == PSCOPE_LEVEL_OFF)
    return;
  Recorder& recorder = *as_recorder(session);
  Writer* writer = writer_of(recorder);
  if (writer == nullptr || !enter(*writer)) return;
  const std::uint64_t now = ticks_now(recorder.clock);
  write(*writer, pack_w0(Tag::event, now), static_cast<std::uint64_t>(severity & 7) << 40 | name,
        static_cast<std::uint64_t>(value), pack_w3(comm, PSCOPE_NO_PEER));
  if (at_lap_end(*writer)) end_of_lap(*writer, now);
  leave(*writer);
}

}  // extern "C"
