// The recorder's private state and its hot path.
//
// Guest code: no exceptions, no allocation after open (all memory is mapped), no C++ runtime. What can go wrong on the hot
// path ends in a counter.
#pragma once

#include <pthread.h>

#include "record/layout.hpp"
#include "record/segment.hpp"
#include "record/ticks.hpp"

#define PSCOPE_LIKELY(x) __builtin_expect(!!(x), 1)
#define PSCOPE_UNLIKELY(x) __builtin_expect(!!(x), 0)

namespace peerscope {

struct Recorder;

// What one thread needs to write: private memory, touched by this thread only, but for the atomics.
struct alignas(64) Writer {
  std::atomic<Recorder*> recorder{
      nullptr};  // null: not in use. Others change it when the session closes
  RingHeader* ring = nullptr;
  Slot* slots = nullptr;
  std::uint64_t mask = 0;
  std::uint64_t head = 0;
  std::uint64_t free_slots = ~std::uint64_t{0};  // in-flight slots, one bit each
  std::uint64_t lap_begin = 0;                   // ticks
  std::uint64_t lap_head = 0;                    // head at that time
  std::uint64_t own_sequence = 0;                // for operations without a communicator
  std::int64_t detail_balance =
      0;                         // what phases and call sites may still cost: ticks, in millionths
  std::uint64_t last_begin = 0;  // ticks, of the last operation at level comprehensive
  HalfWord busy{0};  // inside a record: a signal handler on this thread must not start another
  std::uint32_t index = 0;           // of the ring
  Word remote_free{0};               // slots that other threads have freed
  Writer* next_of_thread = nullptr;  // writers of other sessions on this thread
  std::uint32_t generations[kInFlightSlots] = {};
  std::uint64_t call_site_keys[kInFlightSlots] = {};  // direct-mapped cache: code address -> name
  std::uint16_t call_site_names[kInFlightSlots] = {};
};

// One session. Lives in a mapping that is never unmapped, so that late calls find a level that is off.
struct Recorder {
  pscope_session pub;  // first: the handle is a pointer to this
  Segment segment;
  ClockSource clock = ClockSource::monotonic;
  double ns_per_tick = 1.0;
  std::uint64_t slow_lap_ticks = 0;
  std::int64_t detail_cost = 0;              // of one phase or call site: ticks, in millionths
  std::int64_t detail_burst = 0;             // the largest balance
  HalfWord private_level{PSCOPE_LEVEL_OFF};  // in force while there is no segment
  HalfWord stale{0};          // 1: this is a forked child, its segment is still to be made
  pthread_mutex_t mutex;      // slow path: attach, register, reopen
  Word spare_blocks[2] = {};  // offsets of touched blocks of kSpareLog2
  Recorder* next = nullptr;   // list of live recorders, for fork
  std::uint32_t detail_budget_ppm = kDetailBudgetPpm;
  char session[48] = {};
  char name[64] = {};
  char runtime_dir[256] = {};
  Writer* writers = nullptr;  // kMaxRings of them, mapped, touched as used
};

inline constexpr unsigned kSpareLog2 = kFirstRingLog2 + kGrowthLog2;

inline Recorder* as_recorder(pscope_session* session) {
  return reinterpret_cast<Recorder*>(session);
}

extern constinit thread_local Writer* t_writer;  // of the session that this thread used last

// ---- slow path (recorder.cpp) ----------------------------------------------------------------------------------------
Writer* find_writer(Recorder& recorder);  // attaches the thread; null: counted, nothing to write to
Writer* add_ring(Recorder& recorder,
                 unsigned log2_capacity);  // null: segment full. The caller holds the mutex
void end_of_lap(Writer& writer, std::uint64_t now_ticks);
bool lock(
    Recorder&
        recorder);  // false: this thread holds it already (a signal handler has interrupted us)
void unlock(Recorder& recorder);

// ---- tables (tables.cpp) -----------------------------------------------------------------------------------------------
std::uint16_t intern_name(Recorder& recorder,
                          const char* text);  // the caller holds the mutex; 0: full or null
std::uint16_t intern_call_site(Writer& writer, std::uint64_t address);

// ---- process-wide hooks (process.cpp) ----------------------------------------------------------------------------------
bool watch_fork(Recorder& recorder);  // after fork the child gets a segment of its own
void unwatch_fork(Recorder& recorder);
void watch_thread_exit(Writer& writer);  // at thread exit the ring becomes free for the next thread
Writer* writers_of_thread();             // a list; this thread's writers of all sessions
void forget_writers_of(const Recorder& recorder);  // takes them out of this thread's list

// ---- opening (open.cpp) ------------------------------------------------------------------------------------------------
const char* attach_segment(Recorder& recorder,
                           const Segment* parent);  // makes and fills one; null, or why not

// ---- hot path ------------------------------------------------------------------------------------------------------------

// Adds to a word that only this thread writes. One instruction where that is possible, so that a signal handler on the
// same thread cannot come in between.
inline void bump(Word& word, std::uint64_t amount) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
  asm volatile("addq %1, %0" : "+m"(word) : "er"(amount));
#else
  word.store(word.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
#endif
}

inline Writer* writer_of(Recorder& recorder) {
  Writer* writer = t_writer;
  if (PSCOPE_LIKELY(writer != nullptr &&
                    writer->recorder.load(std::memory_order_relaxed) == &recorder))
    return writer;
  return find_writer(recorder);
}

// True if this thread may write now; false inside a signal handler that has interrupted a write.
inline bool enter(Writer& writer) {
  if (PSCOPE_UNLIKELY(writer.busy.load(std::memory_order_relaxed) != 0)) {
    bump(writer.ring->dropped, 1);
    return false;
  }
  writer.busy.store(1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return true;
}

inline void leave(Writer& writer) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  writer.busy.store(0, std::memory_order_relaxed);
}

// Writes one record. The caller has entered.
inline void write(Writer& writer, std::uint64_t w0, std::uint64_t w1, std::uint64_t w2,
                  std::uint64_t w3) {
  const std::uint64_t index = writer.head;
  Slot& slot = writer.slots[index & writer.mask];
  // Orders the last head before this record's words: a reader that sees one of them also sees that the slot's old record
  // is gone (its acquire fence pairs with this one). No instruction on x86.
  std::atomic_thread_fence(std::memory_order_release);
  slot.w0.store(w0, std::memory_order_relaxed);
  slot.w1.store(w1, std::memory_order_relaxed);
  slot.w2.store(w2, std::memory_order_relaxed);
  slot.w3.store(w3, std::memory_order_relaxed);
  writer.head = index + 1;
  writer.ring->head.store(index + 1, std::memory_order_release);  // publishes the record
}

inline bool at_lap_end(const Writer& writer) { return (writer.head & writer.mask) == 0; }

}  // namespace peerscope
