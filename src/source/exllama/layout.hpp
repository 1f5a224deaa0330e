// Where ExLlamaV3 keeps the state of its native tensor-parallel backend: the layouts of `PGContext`,
// the first bytes of /dev/shm/<uuid>_g, by release. It has no version field: which one it is follows
// from the files beside it, and must agree with what it holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace peerscope::exllama {

inline constexpr int kMaxDevices = 16;
inline constexpr std::uint32_t kMaxJobs = 2048;  // slots of the ring of all-reduces
inline constexpr std::size_t kContextFileBytes = 128 * 1024;
inline constexpr std::uint32_t kStageMask = 0x7fffffffu;  // the top bit: "has nothing to add"

struct Layout {
  const char* releases;
  std::size_t bytes;        // of PGContext
  std::size_t ll_epoch;     // 0: has none, nor the file _ll
  std::size_t ll_sequence;  // of each device, 4 bytes apart
  std::size_t peer_ptrs;    // 0: has none
  std::size_t jobs_head, jobs_tail;
  std::size_t stage_device;     // of each device, 64 bytes apart
  std::size_t stage_device_mb;  // of each device and block, 64 bytes apart; 0: has none
  std::size_t stage_cpu;
  std::size_t jobs;         // 16 bytes each
  std::size_t chunk_bytes;  // of an all-reduce: what one stage carries
  std::size_t ring_bytes;   // of the file _r
  bool wire_dtype;          // jobs say what travels
};

std::span<const Layout> layouts();

// One all-reduce as the ring has it. bytes 0: the end of a forward pass.
struct Job {
  std::uint64_t bytes = 0;  // as they travel: 16 bits an element
  std::uint32_t devices = 0;
  std::uint32_t wire = 0;  // 1: fp16, else bf16
};

// The counters at one moment.
struct State {
  std::uint32_t sync_timeout = 0, barrier_epoch = 0, ll_epoch = 0;
  std::uint32_t head = 0, tail = 0;
  std::uint32_t released = 0;     // chunks of all-reduces that were summed up and given back
  std::uint32_t contributes = 0;  // devices whose last chunk had something to add
  std::array<std::uint32_t, kMaxDevices> barrier{}, broadcast{}, reduce_produced{},
      reduce_consumed{}, gather_produced{}, gather_consumed{}, ll_sequence{};
  std::array<std::uint32_t, kMaxDevices> arrived{};  // chunks that each device has sent
};

// `bytes` holds at least what lies before the ring of jobs.
State decode(const Layout& layout, std::span<const std::byte> bytes);
Job decode_job(std::span<const std::byte> bytes);
std::size_t header_bytes(const Layout& layout);  // all but the ring of jobs

// What contradicts that this is `layout`, as a clause; empty: nothing does. `bytes` holds all of it.
std::string contradiction(const Layout& layout, std::span<const std::byte> bytes);

std::uint32_t chunks_of(const Layout& layout, const Job& job);

}  // namespace peerscope::exllama
