// The slow path: a thread's first operation, the end of a lap.
#include "record/recorder.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace peerscope {

constinit thread_local Writer* t_writer = nullptr;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constinit thread_local bool t_locked = false;  // this thread holds some recorder's mutex

std::uint32_t thread_id() { return static_cast<std::uint32_t>(syscall(SYS_gettid)); }

// A ring without an owner: one that a thread has left, or one made at open.
Writer* free_writer(Recorder& recorder) {
  const std::uint32_t rings = recorder.segment.header().ring_count.load(kRelaxed);
  for (std::uint32_t i = 0; i < rings; ++i) {
    if (recorder.writers[i].recorder.load(kRelaxed) == nullptr &&
        recorder.writers[i].ring != nullptr)
      return &recorder.writers[i];
  }
  return nullptr;
}

}  // namespace

bool lock(Recorder& recorder) {
  if (t_locked) return false;
  t_locked = true;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  pthread_mutex_lock(&recorder.mutex);
  return true;
}

void unlock(Recorder& recorder) {
  pthread_mutex_unlock(&recorder.mutex);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_locked = false;
}

Writer* add_ring(Recorder& recorder, unsigned log2_capacity) {
  SegmentHeader& header = recorder.segment.header();
  const std::uint32_t index = header.ring_count.load(kRelaxed);
  if (index >= kMaxRings) return nullptr;
  const std::uint64_t offset = allocate(recorder.segment, ring_bytes(log2_capacity));
  if (offset == 0) return nullptr;
  touch(recorder.segment, offset, ring_bytes(log2_capacity));
  RingHeader& ring = recorder.segment.ring(offset);
  ring.blocks[0].offset.store(offset + sizeof(RingHeader), kRelaxed);
  ring.blocks[0].log2_capacity.store(log2_capacity, kRelaxed);
  ring.block_count.store(1, kRelaxed);
  recorder.segment.tables().ring_offsets[index].store(offset, kRelaxed);
  header.ring_count.store(index + 1, std::memory_order_release);  // publishes the ring

  Writer& writer = recorder.writers[index];
  writer.ring = &ring;
  writer.free_slots = ~std::uint64_t{0};
  writer.slots = recorder.segment.slots(offset + sizeof(RingHeader));
  writer.mask = (std::uint64_t{1} << log2_capacity) - 1;
  writer.index = index;
  return &writer;
}

namespace {

// Makes the calling thread the owner of a ring. The caller holds the mutex.
Writer* attach_thread(Recorder& recorder) {
  Writer* writer = free_writer(recorder);
  if (writer == nullptr) writer = add_ring(recorder, kSmallRingLog2);
  if (writer == nullptr) return nullptr;
  writer->recorder.store(&recorder, kRelaxed);
  writer->busy.store(0, kRelaxed);
  writer->lap_begin = ticks_now(recorder.clock);
  writer->lap_head = writer->head;
  writer->detail_balance = recorder.detail_burst;
  const std::uint32_t tid = thread_id();
  writer->ring->tid.store(tid, kRelaxed);
  writer->ring->owners.fetch_add(1, kRelaxed);
  // What follows in this ring is this thread's; what is before it may not have been read yet.
  write(*writer, pack_w0(Tag::thread_start, writer->lap_begin), 0, tid, pack_w3(0, PSCOPE_NO_PEER));
  if (at_lap_end(*writer)) end_of_lap(*writer, writer->lap_begin);
  watch_thread_exit(*writer);
  return writer;
}

// In a forked child: a segment of its own, with the parent's names, so that ids stay valid.
void reopen(Recorder& recorder) {
  Segment parent = recorder.segment;
  recorder.segment = Segment{};
  for (std::uint32_t i = 0; i < kMaxRings && recorder.writers[i].ring != nullptr; ++i) {
    Writer& writer = recorder.writers[i];
    writer.recorder.store(nullptr, kRelaxed);
    writer.ring = nullptr;
    writer.head = 0;
    writer.free_slots = ~std::uint64_t{0};
    writer.remote_free.store(0, kRelaxed);
  }
  for (Word& block : recorder.spare_blocks) block.store(0, kRelaxed);
  attach_segment(recorder, parent.base != nullptr ? &parent : nullptr);
  unmap_segment(parent);
}

}  // namespace

namespace {

Writer* writer_of_this_thread(const Recorder& recorder) {
  Writer* writer = writers_of_thread();
  while (writer != nullptr && writer->recorder.load(kRelaxed) != &recorder)
    writer = writer->next_of_thread;
  return writer;
}

}  // namespace

Writer* find_writer(Recorder& recorder) {
  if (Writer* writer = writer_of_this_thread(recorder); writer != nullptr) return t_writer = writer;
  if (!lock(recorder)) {  // inside a signal handler that has interrupted this very function
    if (recorder.stale.load(kRelaxed) == 0 && recorder.segment.base != nullptr) {
      recorder.segment.header().unrecorded.fetch_add(1, kRelaxed);
    }
    return nullptr;
  }
  if (recorder.stale.load(kRelaxed) != 0) {
    reopen(recorder);
    recorder.stale.store(
        0, std::memory_order_release);  // publishes the segment to those who take no lock
  }
  Writer* writer =
      writer_of_this_thread(recorder);  // a signal handler may have attached us before the lock
  if (writer == nullptr && recorder.segment.base != nullptr) writer = attach_thread(recorder);
  if (writer == nullptr && recorder.segment.base != nullptr) {
    recorder.segment.header().unrecorded.fetch_add(1, kRelaxed);
  }
  unlock(recorder);
  if (writer != nullptr) t_writer = writer;
  return writer;
}

namespace {

bool valid_offer(const Recorder& recorder, std::uint64_t offset, unsigned log2_capacity) {
  // Only what has been allocated: behind it the file is a hole, and a touch may find the file system full.
  const std::uint64_t used = recorder.segment.header().used.load(kRelaxed);
  return log2_capacity >= kSmallRingLog2 && log2_capacity <= kLargestRingLog2 &&
         used <= recorder.segment.bytes && offset >= kRingsOffset && offset <= used &&
         block_bytes(log2_capacity) <= used - offset;
}

bool move_to_block(Writer& writer, std::uint64_t offset, unsigned log2_capacity) {
  RingHeader& ring = *writer.ring;
  const std::uint32_t count = ring.block_count.load(kRelaxed);
  if (count >= kMaxBlocks || !valid_offer(*writer.recorder.load(kRelaxed), offset, log2_capacity))
    return false;
  ring.blocks[count].base.store(writer.head, kRelaxed);
  ring.blocks[count].offset.store(offset, kRelaxed);
  ring.blocks[count].log2_capacity.store(log2_capacity, kRelaxed);
  ring.block_count.store(
      count + 1, std::memory_order_release);  // publishes the block, before any record in it
  ring.wanted_log2.store(0, kRelaxed);
  writer.slots = writer.recorder.load(kRelaxed)->segment.slots(offset);
  writer.mask = (std::uint64_t{1} << log2_capacity) - 1;
  return true;
}

// The ring is too small for its rate: move on if a reader offers a larger block or a spare one is left, else ask.
void grow(Writer& writer) {
  Recorder& recorder = *writer.recorder.load(kRelaxed);
  RingHeader& ring = *writer.ring;
  if (ring.offer.load(kRelaxed) != 0) {
    const std::uint64_t offer =
        ring.offer.exchange(0, std::memory_order_acquire);  // pairs with the reader's release
    const std::uint64_t page = offer >> 8;
    const bool inside = page <= recorder.segment.bytes / kPageBytes;
    if (inside && move_to_block(writer, page * kPageBytes, static_cast<unsigned>(offer & 0xFF)))
      return;
  }
  const auto log2_capacity = static_cast<unsigned>(__builtin_ctzll(writer.mask + 1));
  if (log2_capacity < kSpareLog2) {
    for (Word& spare : recorder.spare_blocks) {
      const std::uint64_t offset = spare.load(kRelaxed) != 0 ? spare.exchange(0, kRelaxed) : 0;
      if (offset != 0 && move_to_block(writer, offset, kSpareLog2)) return;
    }
  }
  if (log2_capacity < kLargestRingLog2 && ring.wanted_log2.load(kRelaxed) == 0) {
    const unsigned wanted = log2_capacity + kGrowthLog2;
    ring.wanted_log2.store(wanted < kLargestRingLog2 ? wanted : kLargestRingLog2, kRelaxed);
  }
}

}  // namespace

void end_of_lap(Writer& writer, std::uint64_t now_ticks) {
  Recorder& recorder = *writer.recorder.load(kRelaxed);
  const std::uint64_t records = writer.head - writer.lap_head;
  const std::uint64_t ticks = (now_ticks - writer.lap_begin) & kBeginMask;
  writer.lap_head = writer.head;
  writer.lap_begin = now_ticks;
  if (records == 0) return;
  // After a change of block the first lap is a short one: what a whole lap would have taken.
  const std::uint64_t lap = ticks / records * (writer.mask + 1);
  writer.ring->lap_ticks.store(lap, kRelaxed);
  if (lap < recorder.slow_lap_ticks) {
    grow(writer);
  } else {
    writer.ring->wanted_log2.store(0, kRelaxed);
  }
  SegmentHeader& header = recorder.segment.header();
  if (calibration_is_due(header, clock_ns(CLOCK_MONOTONIC)))
    add_calibration(header, read_clock_pair(recorder.clock));
}

}  // namespace peerscope
