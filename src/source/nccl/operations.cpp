#include "source/nccl/operations.hpp"

#include "record/finished.hpp"
#include "source/nccl/device_clock.hpp"
#include "source/nccl/events.hpp"
#include "source/nccl/governor.hpp"
#include "source/nccl/names.hpp"

namespace peerscope::nccl {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint64_t kLongest = 3'600'000'000'000;  // ns: no operation takes an hour

std::uint64_t now_ticks() {
  const Recorder* session = recorder();
  return session == nullptr ? 0 : ticks_now(session->clock);
}

bool is_p2p(std::uint8_t kind) { return kind == PSCOPE_KIND_SEND || kind == PSCOPE_KIND_RECV; }

// Has no meaning for collectives without a root.
std::uint16_t peer_of(std::uint8_t kind, int peer) {
  const bool has = is_p2p(kind) || kind == PSCOPE_KIND_BROADCAST || kind == PSCOPE_KIND_REDUCE ||
                   kind == PSCOPE_KIND_GATHER || kind == PSCOPE_KIND_SCATTER;
  return has && peer >= 0 && peer < static_cast<int>(PSCOPE_NO_PEER)
             ? static_cast<std::uint16_t>(peer)
             : std::uint16_t{PSCOPE_NO_PEER};
}

// One thread at a time calls on a communicator: no lock is needed to count.
std::uint64_t next_of(std::atomic<std::uint64_t>& count) {
  const std::uint64_t value = count.load(kRelaxed);
  count.store(value + 1, kRelaxed);
  return value;
}

// The number of a call, by its kind. NCCL numbers them, too, but only what becomes a task of a kernel, and those of a group in
// the order of their sizes.
std::uint64_t number_call(Communicator& comm, std::uint8_t kind) {
  return next_of(is_p2p(kind) ? comm.next_p2p : comm.calls[kind % PSCOPE_KIND_COUNT]);
}

std::uint32_t bit_of(std::uint8_t kind) { return 1u << (kind % PSCOPE_KIND_COUNT); }

bool was_missed(const Communicator& comm, std::uint8_t kind) {
  return (comm.missed.load(kRelaxed) & bit_of(kind)) != 0;
}
void is_known_again(Communicator& comm, std::uint32_t bits) {
  comm.missed.store(comm.missed.load(kRelaxed) & ~bits, kRelaxed);
}

// Of an operation whose call has `numbered` it, or whose call nobody knows.
std::uint64_t sequence_of(Communicator& comm, const Operation& operation,
                          const std::uint64_t* call) {
  if (!operation.numbered) return number_call(comm, operation.kind);
  if (call != nullptr && !was_missed(comm, operation.kind)) return *call;
  comm.calls[operation.kind % PSCOPE_KIND_COUNT].store(operation.sequence + 1, kRelaxed);
  return operation.sequence;
}

pscope_op op_of(const Communicator& comm, const Operation& operation, std::uint64_t bytes,
                std::uint64_t sequence) {
  pscope_op op{};
  op.bytes = bytes;
  op.sequence = sequence;
  op.comm = comm.id;
  op.peer = peer_of(operation.kind, operation.peer);
  op.kind = operation.kind;
  op.algorithm = operation.algorithm;
  op.protocol = operation.protocol;
  op.dtype = operation.dtype;
  op.async = 1;
  return op;
}

// The operation with its identity, until its channels have ended.
void* await_channels(Communicator& comm, const pscope_op& op, std::uint32_t channels,
                     std::uint64_t begin_ticks, std::uint64_t now) {
  Event* event = take_event(Tag::device, &comm, now);
  if (event == nullptr) return nullptr;
  event->kind = op.kind;
  event->algorithm = op.algorithm;
  event->bytes = op.bytes;
  event->sequence = op.sequence;
  event->peer = op.peer;
  event->expected = channels;
  event->call_ticks = begin_ticks;
  event->first_start_ns.store(UINT64_MAX, kRelaxed);
  event->last_stop_ns.store(0, kRelaxed);
  event->stopped.store(0, kRelaxed);
  event->damaged.store(false, kRelaxed);
  return handle_of(*event, Tag::device).pointer();
}

std::uint64_t class_of(const Communicator& comm, const pscope_op& op) {
  const auto width = static_cast<std::uint64_t>(op.bytes == 0 ? 0 : 64 - __builtin_clzll(op.bytes));
  return std::uint64_t{1} << 63 | std::uint64_t{comm.id} << 24 | std::uint64_t{op.kind} << 8 |
         width;
}

// A call whose operation never came (symmetric memory and copy engines before 2.29, 2.31): that it was made is still true.
void record_call(Communicator& comm, std::uint8_t kind, std::uint8_t dtype, std::uint16_t peer,
                 std::uint64_t bytes, std::uint64_t begin_ticks, std::uint64_t sequence) {
  Recorder* session = recorder();
  if (session == nullptr) return;
  Operation operation{};
  operation.kind = kind;
  operation.dtype = dtype;
  operation.peer = peer;
  record_finished(*session, op_of(comm, operation, bytes, sequence), begin_ticks);
}

Choice& choice_of(Communicator& comm, std::uint64_t bytes, std::uint8_t kind) {
  const std::uint64_t mixed = (bytes ^ std::uint64_t{kind} << 56) * 0x9E37'79B9'7F4A'7C15u;
  return comm.choices[mixed >> 32 & (kChoices - 1)];
}
constexpr std::uint32_t kCallBits = 0xFFFF;  // of Choice::what: kind and dtype

// What NCCL chose for such a call; 0: not known.
std::uint32_t chosen_for(Communicator& comm, std::uint64_t bytes, std::uint8_t kind,
                         std::uint8_t dtype) {
  const Choice& choice = choice_of(comm, bytes, kind);
  const std::uint32_t what = choice.what.load(kRelaxed);
  const bool same = choice.bytes.load(kRelaxed) == bytes &&
                    (what & kCallBits) == (kind | std::uint32_t{dtype} << 8);
  return same ? what : 0;
}
void learn(Communicator& comm, const pscope_op& op) {
  Choice& choice = choice_of(comm, op.bytes, op.kind);
  choice.bytes.store(op.bytes, kRelaxed);
  choice.what.store(op.kind | std::uint32_t{op.dtype} << 8 | std::uint32_t{op.algorithm} << 16 |
                        std::uint32_t{op.protocol} << 24,
                    kRelaxed);
}

// A call of whose task NCCL will say nothing: it is all that is known of the operation, but for what equal calls were like.
void record_lone_call(Communicator& comm, const Call& call) {
  Recorder* session = recorder();
  if (session == nullptr) return;
  const std::uint64_t bytes = size_of(call.kind, call.count, call.dtype, comm.ranks);
  Operation operation{};
  operation.kind = call.kind;
  operation.dtype = call.dtype;
  operation.peer = call.root;
  if (level_now() == PSCOPE_LEVEL_BASIC && !was_missed(comm, call.kind)) {
    // Only counted, but for those that are sampled: of them NCCL shall tell all.
    const pscope_op op = op_of(comm, operation, bytes, number_call(comm, call.kind));
    if ((op.sequence + 1) % kBasicSampling == 0) want_tasks();
    return record_called(*session, op, op.sequence % kBasicSampling == 0 ? now_ticks() : 0);
  }
  if (is_p2p(call.kind)) {
    // Its peer is told from the next one on.
  } else if (was_missed(comm, call.kind)) {
    return want_tasks();  // its number is not known
  } else if (const std::uint32_t chosen = chosen_for(comm, bytes, call.kind, call.dtype);
             chosen != 0) {
    operation.algorithm = static_cast<std::uint8_t>(chosen >> 16);
    operation.protocol = static_cast<std::uint8_t>(chosen >> 24);
  } else {
    want_tasks();
  }
  const pscope_op op = op_of(comm, operation, bytes, number_call(comm, call.kind));
  const std::uint64_t now = now_ticks();
  record_called(*session, op, now);
  note_class(class_of(comm, op), false, now);
  follow_time(now);
}

// The sends and receives of a group begin with the first of them, whose tasks all come after the last call.
void* begin_p2p_call(Communicator& comm) {
  if (comm.p2p_begin_ticks.load(kRelaxed) != 0 && !comm.p2p_told.load(kRelaxed)) return nullptr;
  const std::uint64_t now = now_ticks();
  comm.p2p_begin_ticks.store(now, kRelaxed);
  comm.p2p_told.store(false, kRelaxed);
  comm.expects_channels.store(false, kRelaxed);
  follow_time(now);
  return nullptr;
}

void await_task(Communicator& comm, const Call& call, std::uint64_t bytes, std::uint64_t now) {
  PendingCall& pending = comm.pending;
  pending.sequence.store(number_call(comm, call.kind), kRelaxed);
  pending.bytes.store(bytes, kRelaxed);
  pending.what.store(call.kind | std::uint64_t{call.dtype} << 8 |
                         std::uint64_t{peer_of(call.kind, call.root)} << 16,
                     kRelaxed);
  pending.begin_ticks.store(now, kRelaxed);
}

// What is known of the call that an operation belongs to.
struct MadeCall {
  bool known = false, expects_channels = false;
  std::uint8_t kind = 0, dtype = 0;
  std::uint64_t begin_ticks = 0, bytes = 0, sequence = 0;
};
MadeCall made_by(const Event& event) {
  return {true,        event.expects_channels, event.kind, event.dtype, event.begin_ticks,
          event.bytes, event.sequence};
}
// Of another kind or size: that one's task is still to come.
MadeCall take_pending(Communicator& comm, std::uint8_t kind, std::uint64_t bytes) {
  PendingCall& pending = comm.pending;
  const std::uint64_t what = pending.what.load(kRelaxed);
  if ((what & 0xFF) != kind || pending.bytes.load(kRelaxed) != bytes) return {};
  const std::uint64_t begin = pending.begin_ticks.exchange(0, kRelaxed);
  if (begin == 0) return {};
  const auto dtype = static_cast<std::uint8_t>(what >> 8);
  return {true,  comm.expects_channels.load(kRelaxed), kind, dtype, begin,
          bytes, pending.sequence.load(kRelaxed)};
}
// A captured call was given a handle, which a replay brings back when it is long over: it must not take an eager one's.
MadeCall call_without_event(Communicator& comm, void* handle, const Operation& operation,
                            std::uint64_t bytes) {
  if (handle != nullptr) return {};
  if (!is_p2p(operation.kind)) return take_pending(comm, operation.kind, bytes);
  const std::uint64_t begin = comm.p2p_begin_ticks.load(kRelaxed);
  if (begin == 0) return {};
  comm.p2p_told.store(true, kRelaxed);
  return {true, comm.expects_channels.load(kRelaxed), operation.kind, operation.dtype, begin, bytes,
          0};
}

// At level off nothing is recorded, and nothing is kept for when it is on again.
void* forget_pending(Communicator& comm) {
  comm.pending.begin_ticks.store(0, kRelaxed);
  comm.missed.store(UINT32_MAX, kRelaxed);
  return nullptr;
}

void end_call(Event& call) {
  if (!call.recorded && !call.captured && call.comm != nullptr)
    record_call(*call.comm, call.kind, call.dtype, call.peer, call.bytes, call.begin_ticks,
                is_p2p(call.kind) ? number_call(*call.comm, call.kind) : call.sequence);
  if (call.captured) count_captured();
  give_back(call);
}

// The group's calls end with it: their operations have been launched, or never will be.
void end_group(Event& group) {
  group.open.store(false, kRelaxed);
  for (std::uint32_t at = group.next; at != kNoEvent;) {
    Event* call = event_in_use(at);
    if (call == nullptr || call->tag != Tag::call || call->group != index_of(group)) break;
    at = call->next;
    if (call->recorded) is_known_again(*group.comm, bit_of(call->kind));
    end_call(*call);
  }
  give_back(group);
}

void raise(std::atomic<std::uint64_t>& most, std::uint64_t value) {
  std::uint64_t seen = most.load(kRelaxed);
  while (seen < value && !most.compare_exchange_weak(seen, value, kRelaxed)) continue;
}
void lower(std::atomic<std::uint64_t>& least, std::uint64_t value) {
  std::uint64_t seen = least.load(kRelaxed);
  while (seen > value && !least.compare_exchange_weak(seen, value, kRelaxed)) continue;
}

// All channels have ended: the operation ran from the first start to the last stop.
void finish(Event& event) {
  Recorder* session = recorder();
  const std::uint64_t start = event.first_start_ns.load(kRelaxed);
  const std::uint64_t stop = event.last_stop_ns.load(kRelaxed);
  const bool fine = !event.damaged.load(kRelaxed) && stop > start && stop - start < kLongest;
  if (!fine) {
    count_bad_times();
  } else if (session != nullptr) {
    Communicator& comm = *event.comm;
    narrow_clock(comm, start, stop, event.call_ticks);
    const pscope_device_times times{event.sequence, start,           stop,
                                    event.bytes,    comm.id,         comm.device_clock,
                                    event.kind,     event.algorithm, 0};
    pscope_op_device_times(&session->pub, &times);
    count_sampled();
  }
  give_back(event);
}

}  // namespace

void* begin_group(Communicator* comm, bool captured, int depth) {
  follow_level();
  if (comm == nullptr) return nullptr;
  comm->p2p_begin_ticks.store(0, kRelaxed);
  if (level_now() == PSCOPE_LEVEL_OFF) return forget_pending(*comm);
  if (!tells_tasks(false)) {
    if (captured) avoid_capture(now_ticks());
    if (!captured || !tells_tasks(true)) return nullptr;
  }
  comm->expects_channels.store(measures_channels(), kRelaxed);
  const bool single = depth == 1 && !captured && !comm->lacks_tasks.load(kRelaxed);
  comm->is_single.store(single, kRelaxed);
  if (single) return nullptr;
  const std::uint64_t now = now_ticks();
  if (captured) avoid_capture(now);
  Event* group = take_event(Tag::group, comm, now);
  if (group == nullptr) return nullptr;
  group->captured = captured;
  group->expects_channels = comm->expects_channels.load(kRelaxed);
  group->open.store(true, kRelaxed);
  return handle_of(*group, Tag::group).pointer();
}

void* begin_call(Communicator* comm, void* group_handle, const Call& call) {
  if (comm == nullptr) return nullptr;
  if (level_now() == PSCOPE_LEVEL_OFF) return forget_pending(*comm);
  const bool p2p = is_p2p(call.kind);
  if (p2p) want_peers();
  if (p2p && !call.captured && tells_tasks(true) && !tells_tasks(false))
    return begin_p2p_call(*comm);
  end_calls(*comm);
  if (!tells_tasks(p2p)) {
    if (call.captured) {
      count_captured();
    } else {
      record_lone_call(*comm, call);
    }
    return nullptr;
  }
  if (!comm->lacks_tasks.load(kRelaxed)) tasks_are_told();
  const std::uint64_t now = now_ticks();
  const std::uint64_t bytes = size_of(call.kind, call.count, call.dtype, comm->ranks);
  // Of a group over several communicators only the first is told: that group has a handle.
  if (group_handle == nullptr && comm->is_single.load(kRelaxed) && !call.captured) {
    if (p2p) {
      if (comm->p2p_begin_ticks.load(kRelaxed) == 0) comm->p2p_begin_ticks.store(now, kRelaxed);
    } else {
      await_task(*comm, call, bytes, now);
    }
    follow_time(now);
    return nullptr;
  }
  Event* group = find_event(group_handle, Tag::group);
  Event* event = take_event(Tag::call, comm, now);
  if (event != nullptr) {
    event->captured = call.captured;
    event->kind = call.kind;
    event->dtype = call.dtype;
    event->bytes = bytes;
    event->peer = peer_of(call.kind, call.root);
    event->sequence = call.captured || p2p ? 0 : number_call(*comm, call.kind);
    event->expects_channels =
        group != nullptr ? group->expects_channels : comm->expects_channels.load(kRelaxed);
    if (group != nullptr) {
      event->group = index_of(*group);
      event->next = group->next;
      group->next = index_of(*event);
    }
  }
  follow_time(now);
  return event == nullptr ? nullptr : handle_of(*event, Tag::call).pointer();
}

void* begin_operation(Communicator* comm, void* call_handle, const Operation& operation) {
  Recorder* session = recorder();
  if (comm == nullptr || session == nullptr) return nullptr;
  if (level_now() == PSCOPE_LEVEL_OFF) return forget_pending(*comm);
  Event* event = find_event(call_handle, Tag::call);
  if (event != nullptr && event->captured) return nullptr;  // nothing runs now
  const std::uint64_t bytes =
      size_of(operation.kind, operation.count, operation.dtype, comm->ranks);
  const MadeCall call =
      event != nullptr ? made_by(*event) : call_without_event(*comm, call_handle, operation, bytes);
  // Level basic counts: it has no use for the time of most. Sends and receives always have tasks: their launch is timed where
  // the device's time is, too.
  const bool basic = level_now() == PSCOPE_LEVEL_BASIC;
  const bool lean = call.known && (basic || (is_p2p(operation.kind) && !call.expects_channels));
  const std::uint64_t now = lean ? call.begin_ticks : ticks_now(session->clock);
  const std::uint64_t begin = call.known ? call.begin_ticks : now;
  // The call keeps the user's count and type; operations of some kinds are counted in bytes.
  const bool by_call = call.known && call.kind == operation.kind;
  pscope_op op = op_of(*comm, operation, by_call ? call.bytes : bytes,
                       sequence_of(*comm, operation, by_call ? &call.sequence : nullptr));
  if (by_call) op.dtype = call.dtype;
  if (operation.numbered) learn(*comm, op);
  if (event == nullptr) is_known_again(*comm, bit_of(operation.kind));
  const bool expects = call.known ? call.expects_channels : measures_channels();
  if (by_call && lean) {
    record_called(*session, op, begin);
  } else {
    record_finished(*session, op, begin);
  }
  if (event != nullptr) event->recorded = true;
  if (basic) return nullptr;
  if (!call.known) follow_time(now);
  note_class(class_of(*comm, op), expects, now);
  if (!expects || operation.channels == 0 || operation.channels > kChannels) return nullptr;
  return await_channels(*comm, op, operation.channels, begin, now);
}

void* begin_channel(void* operation, std::uint8_t channel, std::uint64_t start_ns) {
  Event* event = find_event(operation, Tag::device);
  if (event == nullptr || channel >= kChannels) return nullptr;
  // NCCL keeps 64 times a channel: a reader that is late finds those of another operation.
  std::atomic<std::uint64_t>& last_start = event->comm->channel_start_ns[channel];
  const bool overlaps = start_ns < event->comm->channel_stop_ns[channel].load(kRelaxed) &&
                        start_ns != last_start.load(kRelaxed);
  if (start_ns == 0 || overlaps) event->damaged.store(true, kRelaxed);
  last_start.store(start_ns, kRelaxed);
  lower(event->first_start_ns, start_ns);
  Handle handle = Handle::of(operation);
  handle.tag = Tag::channel;
  handle.channel = channel;
  return handle.pointer();
}

void note_channel_stop(void* channel, std::uint64_t stop_ns) {
  const Handle handle = Handle::of(channel);
  Event* event = find_event(channel, Tag::channel);
  if (event == nullptr || handle.channel >= kChannels) return;
  raise(event->last_stop_ns, stop_ns);
  raise(event->comm->channel_stop_ns[handle.channel], stop_ns);
}

void end_calls(Communicator& comm) {
  if (comm.pending.begin_ticks.load(kRelaxed) == 0) return;
  const std::uint64_t begin = comm.pending.begin_ticks.exchange(0, kRelaxed);
  if (begin == 0) return;
  comm.lacks_tasks.store(true, kRelaxed);
  want_tasks();                      // which calls have none must be seen
  is_known_again(comm, UINT32_MAX);  // what was missed will not be known
  const std::uint64_t what = comm.pending.what.load(kRelaxed);
  record_call(comm, static_cast<std::uint8_t>(what), static_cast<std::uint8_t>(what >> 8),
              static_cast<std::uint16_t>(what >> 16), comm.pending.bytes.load(kRelaxed), begin,
              comm.pending.sequence.load(kRelaxed));
}

void end(void* handle) {
  switch (Handle::of(handle).tag) {
    case Tag::channel:
      if (Event* event = find_event(handle, Tag::channel)) {
        const std::uint32_t stopped = event->stopped.fetch_add(1, std::memory_order_acq_rel) + 1;
        if (stopped == event->expected) finish(*event);
      }
      return;
    case Tag::group:
      if (Event* event = find_event(handle, Tag::group)) end_group(*event);
      return;
    case Tag::call:  // ends with its group; one without ends here
      if (Event* event = find_event(handle, Tag::call)) {
        if (event->group == kNoEvent) end_call(*event);
      }
      return;
    default:
      return;  // launched: what remains is up to its channels
  }
}

}  // namespace peerscope::nccl
