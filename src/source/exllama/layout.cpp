#include "source/exllama/layout.hpp"

#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace peerscope::exllama {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kKi = 1024;
constexpr int kBlocks = 4;

// Offsets from compiling each release's own header.
constexpr Layout kLayouts[] = {
    {.releases = "v1.1.0 to v1.4.1",
     .bytes = 43776,
     .ll_epoch = 448,
     .ll_sequence = 512,
     .peer_ptrs = 0,
     .jobs_head = 576,
     .jobs_tail = 640,
     .stage_device = 704,
     .stage_device_mb = 1728,
     .stage_cpu = 10944,
     .jobs = 11008,
     .chunk_bytes = 128 * kKi,
     .ring_bytes = 17 * 2048 * kKi,
     .wire_dtype = true},
    {.releases = "v0.0.41 to v1.0.0",
     .bytes = 34560,
     .ll_epoch = 448,
     .ll_sequence = 512,
     .peer_ptrs = 0,
     .jobs_head = 576,
     .jobs_tail = 640,
     .stage_device = 704,
     .stage_device_mb = 0,
     .stage_cpu = 1728,
     .jobs = 1792,
     .chunk_bytes = 64 * kKi,
     .ring_bytes = 17 * 512 * kKi,
     .wire_dtype = false},
    {.releases = "v0.0.30 to v0.0.40",
     .bytes = 34432,
     .ll_epoch = 0,
     .ll_sequence = 0,
     .peer_ptrs = 0,
     .jobs_head = 448,
     .jobs_tail = 512,
     .stage_device = 576,
     .stage_device_mb = 0,
     .stage_cpu = 1600,
     .jobs = 1664,
     .chunk_bytes = 64 * kKi,
     .ring_bytes = 17 * 512 * kKi,
     .wire_dtype = false},
    {.releases = "v0.0.6 to v0.0.29",
     .bytes = 34432,
     .ll_epoch = 0,
     .ll_sequence = 0,
     .peer_ptrs = 0,
     .jobs_head = 448,
     .jobs_tail = 512,
     .stage_device = 576,
     .stage_device_mb = 0,
     .stage_cpu = 1600,
     .jobs = 1664,
     .chunk_bytes = 16 * kKi,
     .ring_bytes = 17 * 128 * kKi,
     .wire_dtype = false},
    {.releases = "the fork with TPBackendP2P (of v0.0.8)",
     .bytes = 34560,
     .ll_epoch = 0,
     .ll_sequence = 0,
     .peer_ptrs = 448,
     .jobs_head = 576,
     .jobs_tail = 640,
     .stage_device = 704,
     .stage_device_mb = 0,
     .stage_cpu = 1728,
     .jobs = 1792,
     .chunk_bytes = 16 * kKi,
     .ring_bytes = 17 * 128 * kKi,
     .wire_dtype = false},
};

template <class T>
T load(std::span<const std::byte> bytes, std::size_t at) {
  T value{};
  if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::uint32_t word(std::span<const std::byte> bytes, std::size_t at) {
  return load<std::uint32_t>(bytes, at);
}

std::array<std::uint32_t, kMaxDevices> words(std::span<const std::byte> bytes, std::size_t at,
                                             std::size_t stride) {
  std::array<std::uint32_t, kMaxDevices> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = word(bytes, at + i * stride);
  return all;
}

std::int32_t ahead(std::uint32_t a, std::uint32_t b) {  // of 31-bit counters
  return static_cast<std::int32_t>((a - b) << 1) >> 1;
}

// Striped all-reduces have a flag for each block: a chunk is there when all of them say so. The
// device's own flag follows at the end.
std::uint32_t sent(const Layout& layout, std::span<const std::byte> bytes, std::size_t device,
                   std::uint32_t own) {
  const std::uint32_t plain = own & kStageMask;
  if (layout.stage_device_mb == 0) return plain;
  std::uint32_t least = 0;
  for (std::size_t block = 0; block < kBlocks; ++block) {
    const std::uint32_t stage =
        word(bytes, layout.stage_device_mb + (device * kBlocks + block) * kLine) & kStageMask;
    if (block == 0 || ahead(stage, least) < 0) least = stage;
  }
  return ahead(least, plain) > 0 ? least : plain;
}

// Flags lie in cache lines of their own: the rest of each is empty.
bool line_is_clean(std::span<const std::byte> bytes, std::size_t at) {
  for (std::size_t i = at + 4; i < at + kLine; i += 4) {
    if (word(bytes, i) != 0) return false;
  }
  return true;
}

std::string dirty_line(const Layout& layout, std::span<const std::byte> bytes) {
  std::vector<std::size_t> lines{layout.jobs_head, layout.jobs_tail, layout.stage_cpu};
  if (layout.ll_epoch != 0) lines.push_back(layout.ll_epoch);
  for (std::size_t i = 0; i < kMaxDevices; ++i) lines.push_back(layout.stage_device + i * kLine);
  for (std::size_t i = 0; layout.stage_device_mb != 0 && i < kMaxDevices * kBlocks; ++i)
    lines.push_back(layout.stage_device_mb + i * kLine);
  for (const std::size_t at : lines) {
    if (!line_is_clean(bytes, at))
      return fmt::format("the cache line at byte {} holds more than its counter", at);
  }
  return {};
}

std::string bad_job(const Layout& layout, std::span<const std::byte> bytes) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 36;
  for (std::uint32_t i = 0; i < kMaxJobs; ++i) {
    const Job job = decode_job(bytes.subspan(layout.jobs + i * sizeof(Job)));
    const bool end = job.bytes == 0 && job.devices == 0;
    const bool reduce = job.bytes != 0 && job.bytes % 16 == 0 && job.bytes <= kMostBytes &&
                        job.devices != 0 && job.devices >> kMaxDevices == 0;
    const bool wire = !layout.wire_dtype || job.wire <= 1;
    if ((end || reduce) && wire) continue;
    return fmt::format("job {} of the ring is none ({} bytes, devices {:#x})", i, job.bytes,
                       job.devices);
  }
  return {};
}

std::string bad_pointer(const Layout& layout, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; layout.peer_ptrs != 0 && i < kMaxDevices; ++i) {
    const auto pointer = load<std::uint64_t>(bytes, layout.peer_ptrs + i * 8);
    if (pointer != 0 && (pointer < 65536 || pointer >> 57 != 0))
      return fmt::format("the pointer at byte {} is none", layout.peer_ptrs + i * 8);
  }
  return {};
}

std::string bad_counter(const Layout& layout, std::span<const std::byte> bytes,
                        const State& state) {
  if (state.sync_timeout > 1) return "sync_timeout is neither 0 nor 1";
  if (state.head >= kMaxJobs || state.tail >= kMaxJobs)
    return fmt::format("head {} and tail {} of the ring of {} jobs", state.head, state.tail,
                       kMaxJobs);
  if (state.released > kStageMask) return "the stage of the CPU has its top bit set";
  // A device leads the sum by what its part of the ring holds at most; by less where nothing is under
  // way as far as the jobs say (they are pushed after the first devices have begun).
  const Job last =
      decode_job(bytes.subspan(layout.jobs + (state.head + kMaxJobs - 1) % kMaxJobs * sizeof(Job)));
  const bool idle = state.head == state.tail && last.bytes == 0;
  const bool ring_fills = !idle || layout.stage_device_mb != 0;
  const auto most =
      static_cast<std::int32_t>(ring_fills ? layout.ring_bytes / 17 / layout.chunk_bytes + 1 : 2);
  for (int i = 0; i < kMaxDevices; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (state.arrived[at] != 0 && ahead(state.arrived[at], state.released) > most)
      return fmt::format("device {} is {} stages ahead of the sum", i,
                         ahead(state.arrived[at], state.released));
    if (static_cast<std::int32_t>(state.barrier[at] - state.barrier_epoch) > 1)
      return fmt::format("device {} is in barrier {}, of {}", i, state.barrier[at],
                         state.barrier_epoch);
    if (layout.ll_epoch != 0 &&
        static_cast<std::int32_t>(state.ll_sequence[at] - state.ll_epoch) > 1)
      return fmt::format("device {} is in broadcast {}, of {}", i, state.ll_sequence[at],
                         state.ll_epoch);
  }
  return {};
}

}  // namespace

std::span<const Layout> layouts() { return kLayouts; }

std::size_t header_bytes(const Layout& layout) { return layout.jobs; }

State decode(const Layout& layout, std::span<const std::byte> bytes) {
  State state;
  state.sync_timeout = word(bytes, 0);
  state.barrier_epoch = word(bytes, 4);
  state.barrier = words(bytes, 16, 4);
  state.broadcast = words(bytes, 80, 4);
  state.reduce_produced = words(bytes, 144, 4);
  state.reduce_consumed = words(bytes, 208, 4);
  state.gather_produced = words(bytes, 272, 4);
  state.gather_consumed = words(bytes, 336, 4);
  if (layout.ll_epoch != 0) {
    state.ll_epoch = word(bytes, layout.ll_epoch);
    state.ll_sequence = words(bytes, layout.ll_sequence, 4);
  }
  state.head = word(bytes, layout.jobs_head);
  state.tail = word(bytes, layout.jobs_tail);
  const auto own = words(bytes, layout.stage_device, kLine);
  for (std::size_t i = 0; i < own.size(); ++i) {
    state.arrived[i] = sent(layout, bytes, i, own[i]);
    if ((own[i] & ~kStageMask) == 0) state.contributes |= 1u << i;
  }
  state.released = word(bytes, layout.stage_cpu);
  return state;
}

Job decode_job(std::span<const std::byte> bytes) {
  return {load<std::uint64_t>(bytes, 0), load<std::uint32_t>(bytes, 8),
          load<std::uint32_t>(bytes, 12)};
}

std::string contradiction(const Layout& layout, std::span<const std::byte> bytes) {
  if (bytes.size() < layout.bytes) return fmt::format("it has {} bytes only", bytes.size());
  std::string why = bad_counter(layout, bytes, decode(layout, bytes));
  if (why.empty()) why = bad_pointer(layout, bytes);
  if (why.empty()) why = dirty_line(layout, bytes);
  if (why.empty()) why = bad_job(layout, bytes);
  return why;
}

std::uint32_t chunks_of(const Layout& layout, const Job& job) {
  return static_cast<std::uint32_t>((job.bytes + layout.chunk_bytes - 1) / layout.chunk_bytes);
}

}  // namespace peerscope::exllama
