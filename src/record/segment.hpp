// A segment file: made, mapped, allocated from. Guest code; system calls only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "record/layout.hpp"

namespace peerscope {

struct Segment {
  std::byte* base = nullptr;  // null: no segment
  std::uint64_t bytes = 0;
  int file = -1;
  char path[320] = {};

  [[nodiscard]] SegmentHeader& header() const { return *reinterpret_cast<SegmentHeader*>(base); }
  [[nodiscard]] Tables& tables() const { return *reinterpret_cast<Tables*>(base + kTablesOffset); }
  [[nodiscard]] RingHeader& ring(std::uint64_t offset) const {
    return *reinterpret_cast<RingHeader*>(base + offset);
  }
  [[nodiscard]] Slot* slots(std::uint64_t offset) const {
    return reinterpret_cast<Slot*>(base + offset);
  }
};

struct SegmentOptions {
  const char*
      runtime_dir;      // null or "": the environment's, /dev/shm/peerscope-UID, /tmp/peerscope-UID
  const char* session;  // part of the file's name; letters, digits, '.', '_' and '-' only
  std::uint64_t bytes;  // wanted size; halved until it can be mapped, down to kSmallestSegment
};

inline constexpr std::uint64_t kDefaultSegmentBytes = 64ull << 20;
inline constexpr std::uint64_t kSmallestSegment = 1ull << 20;
inline constexpr std::uint64_t kLargestSegment = 16ull << 30;

// Makes and maps SESSION.PID.N.seg (under another name until it is published), mode 0600 in a directory of mode 0700, with header and tables allocated and zero.
// Returns null, or why not (a static sentence).
const char* create_segment(Segment& segment, const SegmentOptions& options);

// Gives the file its name, once all is in it: from here on readers find it.
bool publish_segment(const Segment& segment);

// Takes `bytes` (rounded up to pages) from the file: their offset, or 0 if the segment or the file system is full. Memory
// that is returned is backed: touching it cannot fault for want of space. Owner and readers may call it at once.
std::uint64_t allocate(const Segment& segment, std::uint64_t bytes);

// Brings pages into memory and into this process' page table, so that the hot path meets no first touch (12 µs in a VM).
void touch(const Segment& segment, std::uint64_t offset, std::uint64_t bytes);

void unmap_segment(Segment& segment);

// "PEERSCOPE_RUNTIME_DIR" or candidate number `i` of the default places; false when there are no more.
bool runtime_dir_candidate(int i, char* out, std::size_t out_bytes);

// What tells a process from another with the same pid. 0 if it is not there.
std::uint64_t process_start_time(std::uint32_t pid);
std::uint64_t read_boot_id();

}  // namespace peerscope
