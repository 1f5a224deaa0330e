#include "suite/host/host_rank.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "record/ticks.hpp"

namespace peerscope {
namespace {

double now_ns() { return static_cast<double>(clock_ns(CLOCK_MONOTONIC)); }

// Arithmetic in registers: as much work each time, whatever the machine does beside it.
std::uint64_t compute(std::uint64_t turns) {
  std::uint64_t x = turns | 1;
  for (std::uint64_t i = 0; i < turns; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x;
}

double time_of_compute(std::uint64_t turns) {
  static std::atomic<std::uint64_t> sink;
  const double begin = now_ns();
  sink.store(compute(turns), std::memory_order_relaxed);
  return now_ns() - begin;
}

}  // namespace

void HostRank::Free::operator()(void* memory) const { std::free(memory); }

Result<void*> HostRank::allocate(std::size_t bytes) {
  const std::size_t rounded = std::max<std::size_t>((bytes + 255) / 256 * 256, 256);
  void* memory = std::aligned_alloc(256, rounded);
  if (memory == nullptr) return Error{ErrorCode::no_memory, "no memory for a buffer of this size"};
  blocks_.emplace(memory, memory);
  return memory;
}

void HostRank::release(void* memory) { blocks_.erase(memory); }

Result<Block> HostRank::register_memory(std::size_t bytes) {
  return allocate_registered(comm_, bytes);
}

Status HostRank::upload(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
  return Done{};
}

Status HostRank::download(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
  return Done{};
}

Status HostRank::fill(void* to, std::byte value, std::size_t bytes) {
  std::memset(to, static_cast<int>(value), bytes);
  return Done{};
}

Result<BatchTime> HostRank::run(const Call& call, int count, bool) {
  const double begin = now_ns();
  for (int i = 0; i < count; ++i) {
    compute_for(compute_us);
    if (Status done = comm_.run(call); !done) return done.error();
  }
  return BatchTime{.host_ns = now_ns() - begin};
}

// The computation is as long as the communication takes alone, on a thread beside each rank.
Result<OverlapTime> HostRank::overlap(const Call& call, int count) {
  OverlapTime out;
  Result<BatchTime> alone = run(call, count, false);
  if (!alone) return alone.error();
  out.comm_alone_ns = alone->host_ns;
  constexpr std::uint64_t kProbe = 1 << 16;
  const double per_turn = std::max(time_of_compute(kProbe), 1.0) / kProbe;
  const auto turns = static_cast<std::uint64_t>(out.comm_alone_ns / per_turn);
  if (Status met = comm_.barrier(); !met) return met.error();
  out.compute_alone_ns = time_of_compute(turns);
  if (Status met = comm_.barrier(); !met) return met.error();
  std::thread beside([&] {
    unpin(allowed_);
    out.compute_beside_ns = time_of_compute(turns);
  });
  Result<BatchTime> both = run(call, count, false);
  beside.join();
  if (!both) return both.error();
  out.comm_beside_ns = both->host_ns;
  return out;
}

}  // namespace peerscope
