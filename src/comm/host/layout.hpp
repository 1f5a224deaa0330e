// The shared memory of one communicator, to the byte. Everything in it is zero at first.
//
//   Header | RankLine[ranks] | Channel[ranks * ranks] | slots of each channel | registered memory
//   of each rank
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/result.hpp"
#include "comm/transport.hpp"

namespace peerscope {

inline constexpr std::size_t kLine = 64;
inline constexpr std::size_t kPage = 4096;
inline constexpr std::uint64_t kRegionMagic = 0x31'6D'6D'6F'63'73'70'00;  // "\0pscomm1"
inline constexpr std::size_t kHistory = 16;  // operations of a rank that others can look up

enum class Presence : std::uint32_t { absent, joining, joined, left };
enum class FailureState : std::uint32_t { none, being_written, told };

// The first failure of any rank: from then on everybody's.
struct alignas(kLine) Failure {
  std::atomic<std::uint32_t> state;  // FailureState; `told` publishes the rest
  std::uint32_t code;                // ErrorCode
  char sentence[440];
};

struct alignas(kLine) Header {
  std::uint64_t magic, id;
  std::uint64_t ranks, slot_bytes, slots, pool_bytes;
  std::uint64_t cores;                // of the creator: the cost model's, so that all choose alike
  std::atomic<std::uint32_t> joined;  // ranks
  std::atomic<std::uint32_t> complete;  // all have joined, and the file has lost its name
  Failure failure;
};

// What a rank has entered: for each of its last operations the sequence publishes the other two.
struct Entered {
  std::atomic<std::uint64_t> sequence;  // one more than the operation's: 0 is none
  std::atomic<std::uint64_t> what, bytes;
};

// Written by its rank, but for the bell and `awaited`.
struct alignas(kLine) RankLine {
  std::atomic<std::uint64_t> arrived;   // collectives entered; release: publishes `history`
  std::atomic<std::uint32_t> presence;  // Presence; release: publishes the process
  std::uint32_t pid;
  std::uint64_t start_ticks, pid_namespace;
  // A rank that goes to sleep says for whom. Sequentially consistent against the cursors of its
  // channels: either the peer sees the bit, or the sleeper sees what the peer did.
  alignas(kLine) std::atomic<std::uint64_t> awaited;
  std::atomic<std::uint32_t> bell;  // the futex; rung by whoever takes the bits
  alignas(kLine) Entered history[kHistory];
};

// Of one ordered pair of ranks. Written by the receiver.
struct alignas(kLine) Channel {
  std::atomic<std::uint64_t> consumed;  // messages read: their slots are free
};

// A message. Short ones are within the header: one cache line crosses, not two.
struct alignas(kLine) Slot {
  static constexpr std::size_t kShort = 24;
  std::atomic<std::uint64_t> posted;  // one more than the message's number: publishes it
  Envelope envelope;
  std::uint64_t bytes;
  alignas(8) std::byte short_message[kShort];

  std::byte* payload(std::size_t of_bytes) {
    return of_bytes <= kShort ? short_message : reinterpret_cast<std::byte*>(this) + sizeof(Slot);
  }
};
static_assert(sizeof(Slot) == kLine && sizeof(Channel) == kLine && sizeof(RankLine) % kLine == 0);

// Where things are, for a number of ranks.
struct Geometry {
  std::size_t ranks = 1, slot_bytes = 0, slots = 0, pool_bytes = 0;

  // `staging_bytes`: for all channels into which one rank sends.
  static Geometry of(int ranks, std::size_t staging_bytes, std::size_t pool_bytes);

  std::size_t lines_at() const { return sizeof(Header); }
  std::size_t channels_at() const { return lines_at() + ranks * sizeof(RankLine); }
  std::size_t slots_at() const { return channels_at() + ranks * ranks * sizeof(Channel); }
  std::size_t pools_at() const {
    return (slots_at() + ranks * (ranks - 1) * slots * slot_stride() + kPage - 1) / kPage * kPage;
  }
  std::size_t total() const { return pools_at() + ranks * pool_bytes; }
  std::size_t slot_stride() const { return sizeof(Slot) + slot_bytes; }
};

}  // namespace peerscope
