// What host and device agree on, to the byte: a rank's region of device memory, and the arguments of its kernels. Plain data.
//
//   Control | BlockState[blocks] | posted | consumed | headers | stamps | ends | low-latency lines | chunks | registered memory
//
// A region is written by its owner and, through peer mappings, by the other ranks. Between two ranks each block of a kernel has
// a channel of its own: `slots` chunks in the receiver's region, a count of what was posted there, and in the sender's region a
// count of what was consumed. Counts go on from kernel to kernel, so that a graph may be replayed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peerscope::cuda {

inline constexpr int kMostRanks = 64;
inline constexpr int kMostBlocks = 256;     // of a kernel of low-latency operations
inline constexpr int kMostPlanBlocks = 64;  // of one that follows a plan; twice as many with halves
inline constexpr int kWarpsPerBlock = 16;   // at most, of low-latency operations
inline constexpr int kPlanThreads = 512;    // one block has a multiprocessor for itself
inline constexpr int kLanes = 32;
inline constexpr std::uint64_t kStamps = 16384;  // a ring of them; a power of two
// A sector each: no two are written by different ranks.
inline constexpr std::size_t kFlagBytes = 32;

// Why a rank gave up. Written once, by whichever thread was first.
enum class Fault : std::uint32_t { none, timeout_data, timeout_room, mismatch, told };

struct Failure {        // in host memory that the device maps
  std::uint32_t state;  // 1: the rest is written
  std::uint32_t fault;  // Fault
  std::uint32_t peer;
  std::uint32_t block;
  std::uint64_t waited_ns;
  std::uint64_t mine, theirs;  // mismatch: what each has packed of the operation
  std::uint64_t operation;     // how many came before, of ours
};

struct Control {
  std::uint32_t aborted;  // 1 + the rank that gave up first; written by anybody
  std::uint32_t failing;  // the first of our threads that fails sets it
  std::uint64_t entered;  // operations begun, and what the last one is: for whoever waits for us
  std::uint64_t what;
  std::uint64_t pad[5];
};

// Kept between the kernels of a rank, by block.
struct BlockState {
  std::uint64_t epoch[kWarpsPerBlock];                   // low-latency operations of each warp
  std::uint64_t sent[kMostRanks], received[kMostRanks];  // chunks
  // How far the sending half of the block is with reading the input: of which operation, and how many rounds.
  std::uint64_t progress;
  std::uint64_t plans[2];  // operations that went by a plan: of what sends, of what does the rest
  std::uint64_t operations[2];  // block 0: collectives; others. The numbers of stamps
};

// When an operation ran, by the device's clock: one store of 16 bytes. Of one that goes by a plan, whose blocks may end far from one
// another, the end is the latest of `ends`, which only rise: what an earlier lap has left there is before this one's begin.
struct alignas(16) Stamp {
  std::uint64_t begin_ns;
  std::uint32_t duration_ns;  // saturates
  std::uint16_t id;           // of the call: the host knows what it was
  std::uint16_t turn;         // low bits of its number / kStamps, + 1: 0 is a slot never written
};

// Where things are in a region, for a number of ranks.
struct Layout {
  std::uint32_t ranks, blocks, plan_blocks, slots, chunk_bytes, lines_per_warp;
  std::uint64_t states, posted, consumed, headers, stamps, ends, lines, chunks, pool, total;
};

// One step of a plan (comm/plan.hpp).
struct DeviceStep {
  std::int32_t block;  // -1: the whole tensor
  std::uint8_t source_count, target_count, finishes, phase;
  std::uint8_t sources[kMostRanks], targets[kMostRanks];
};

// Of one operation of one rank.
struct Arguments {
  std::byte* regions[kMostRanks];  // by rank; ours is the local one
  Layout layout;
  std::uint32_t rank, ranks;
  const std::byte* input;
  std::byte* output;
  std::uint64_t elements;    // of the whole tensor, as the kernel knows them: 4 bytes at most
  std::uint64_t timeout_ns;  // of each wait
  std::uint64_t what;        // packed: all ranks must agree
  Failure* failure;
  std::uint16_t id;                  // for the stamp
  std::uint8_t stamped, collective;  // whether and in which count
  std::uint8_t early;                // launched before the kernel in front of it has ended
  std::uint8_t input_is_block, output_is_block;
  std::uint8_t halves;  // two blocks of threads for each block: one sends, the other does the rest
  std::uint8_t overlaps;  // output is written where input is read
  std::uint32_t divisor;
  std::uint32_t chunk_bytes;  // of this operation: at most the layout's
};
struct PlanArguments {
  Arguments common;
  const DeviceStep* steps;
  std::uint32_t step_count;
  std::uint64_t begins[kMostRanks + 1];  // of each block of the tensor, in elements
};

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) / to * to;
}

// `together`: how many blocks of a plan's kernel may run at once on a rank's share of its GPU: all must, and one may be two halves.
constexpr Layout make_layout(int ranks, std::uint64_t pool_bytes,
                             int together = 2 * kMostPlanBlocks) {
  const auto least = [](int a, int b) { return a < b ? a : b; };
  const auto at_least_one = [](int n) { return static_cast<std::uint32_t>(n < 1 ? 1 : n); };
  Layout l{};
  l.ranks = static_cast<std::uint32_t>(ranks);
  l.plan_blocks =
      at_least_one(least(ranks <= 8 ? kMostPlanBlocks : kMostPlanBlocks / 4, together / 2));
  l.blocks = at_least_one(least(ranks <= 8 ? kMostBlocks : kMostBlocks / 8, 2 * together));
  l.slots = 4;
  // A fence for each chunk costs some 2 us in which its block sends nothing: the larger, the fewer.
  l.chunk_bytes = ranks <= 2 ? 256 << 10 : ranks <= 4 ? 128 << 10 : 32 << 10;
  l.lines_per_warp = (ranks <= 4 ? 2 : 1) * kLanes;
  const std::uint64_t channels = std::uint64_t{l.plan_blocks} * l.ranks;
  const std::uint64_t states = l.blocks > l.plan_blocks ? l.blocks : l.plan_blocks;
  l.states = align_up(sizeof(Control), 256);
  l.posted = align_up(l.states + states * sizeof(BlockState), 256);
  l.consumed = l.posted + channels * kFlagBytes;
  l.headers = l.consumed + channels * kFlagBytes;
  l.stamps = align_up(l.headers + channels * l.slots * 16, 256);
  l.ends = l.stamps + 2 * kStamps * sizeof(Stamp);
  l.lines = l.ends + 2 * kStamps * sizeof(std::uint64_t);
  l.chunks = align_up(
      l.lines + 2 * std::uint64_t{l.blocks} * l.ranks * kWarpsPerBlock * l.lines_per_warp * 16,
      4096);
  l.pool = align_up(l.chunks + channels * l.slots * l.chunk_bytes, 4096);
  l.total = l.pool + pool_bytes;
  return l;
}

}  // namespace peerscope::cuda
