// Loads, stores and waiting, as two GPUs (or, in tests without one, two threads) understand each other.
#pragma once

#include "comm/cuda/device/wire.hpp"

#ifdef __CUDACC__
#define PSCOPE_DEVICE __device__ __forceinline__
#define PSCOPE_UNROLL _Pragma("unroll")
#else
#include <chrono>
#include <thread>
#define PSCOPE_DEVICE inline
#define PSCOPE_UNROLL
#endif

namespace peerscope::cuda {

struct alignas(16) Vector {
  std::uint32_t x, y, z, w;
};

struct alignas(16) Posted {
  std::uint64_t count, what;
};

// The threads of a block. Without a GPU a block is one thread.
struct Block {
  std::uint32_t index, count;     // of the blocks
  std::uint32_t thread, threads;  // within the block
#ifdef __CUDA_ARCH__
  static PSCOPE_DEVICE Block mine() { return {blockIdx.x, gridDim.x, threadIdx.x, blockDim.x}; }
  PSCOPE_DEVICE void sync() const { __syncthreads(); }
  PSCOPE_DEVICE bool all(bool mine) const { return __syncthreads_and(mine) != 0; }
  PSCOPE_DEVICE std::uint32_t lane() const { return thread % kLanes; }
  PSCOPE_DEVICE std::uint32_t warp() const { return thread / kLanes; }
  PSCOPE_DEVICE std::uint32_t lanes() const { return kLanes; }
  PSCOPE_DEVICE void sync_warp() const { __syncwarp(); }
#else
  static Block mine() { return {}; }  // never called: tests make their own
  void sync() const {}
  bool all(bool mine) const { return mine; }
  [[nodiscard]] std::uint32_t lane() const { return 0; }
  [[nodiscard]] std::uint32_t warp() const { return 0; }
  [[nodiscard]] std::uint32_t lanes() const { return 1; }
  void sync_warp() const {}
#endif
};

#ifdef __CUDA_ARCH__

PSCOPE_DEVICE std::uint64_t clock_now() {
  std::uint64_t ns;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(ns));
  return ns;
}
PSCOPE_DEVICE std::uint64_t load_acquire(const std::uint64_t* at) {
  std::uint64_t value;
  asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(at) : "memory");
  return value;
}
PSCOPE_DEVICE void store_release(std::uint64_t* at, std::uint64_t value) {
  asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(at), "l"(value) : "memory");
}
// How many chunks were posted, and of what the last one is: one access.
PSCOPE_DEVICE Posted load_posted_flag(const Posted* at) {
  Posted p;
  asm volatile(
      "{ .reg .b128 line; ld.acquire.sys.global.b128 line, [%2]; mov.b128 {%0, %1}, line; }"
      : "=l"(p.count), "=l"(p.what)
      : "l"(at)
      : "memory");
  return p;
}
PSCOPE_DEVICE void store_posted_flag(Posted* at, const Posted& p) {
  asm volatile(
      "{ .reg .b128 line; mov.b128 line, {%1, %2}; st.release.sys.global.b128 [%0], line; }" ::"l"(
          at),
      "l"(p.count), "l"(p.what)
      : "memory");
}
PSCOPE_DEVICE void store_relaxed(std::uint64_t* at, std::uint64_t value) {
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(at), "l"(value) : "memory");
}
// To the larger of the two; nobody waits for it.
PSCOPE_DEVICE void raise(std::uint64_t* at, std::uint64_t value) {
  asm volatile("red.relaxed.gpu.global.max.u64 [%0], %1;" ::"l"(at), "l"(value) : "memory");
}
PSCOPE_DEVICE std::uint64_t load_relaxed(const std::uint64_t* at) {
  std::uint64_t value;
  asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(at) : "memory");
  return value;
}
PSCOPE_DEVICE std::uint32_t load_relaxed(const std::uint32_t* at) {
  std::uint32_t value;
  asm volatile("ld.relaxed.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
  return value;
}
PSCOPE_DEVICE void store_relaxed(std::uint32_t* at, std::uint32_t value) {
  asm volatile("st.relaxed.sys.global.u32 [%0], %1;" ::"l"(at), "r"(value) : "memory");
}
// 16 bytes that another rank may be writing: all of them or none (b128 accesses are single copies from sm_70 on).
PSCOPE_DEVICE Vector load_line(const Vector* at) {
  std::uint64_t low, high;
  asm volatile(
      "{ .reg .b128 line; ld.relaxed.sys.global.b128 line, [%2]; mov.b128 {%0, %1}, line; }"
      : "=l"(low), "=l"(high)
      : "l"(at)
      : "memory");
  return {static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32),
          static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32)};
}
PSCOPE_DEVICE void store_line(Vector* at, const Vector& v) {
  const std::uint64_t low = v.x | std::uint64_t{v.y} << 32, high = v.z | std::uint64_t{v.w} << 32;
  asm volatile(
      "{ .reg .b128 line; mov.b128 line, {%1, %2}; st.relaxed.sys.global.b128 [%0], line; }" ::"l"(
          at),
      "l"(low), "l"(high)
      : "memory");
}
// What a peer wrote before it posted: not from a cache that it did not reach.
PSCOPE_DEVICE Vector load_posted(const Vector* at) {
  Vector v;
  asm volatile("ld.relaxed.sys.global.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(at)
               : "memory");
  return v;
}
template <class T>
PSCOPE_DEVICE T load_posted_element(const T* at) {
  return *static_cast<const volatile T*>(at);
}
PSCOPE_DEVICE std::uint32_t set_if_zero(std::uint32_t* at, std::uint32_t value) {
  return atomicCAS(at, 0u, value);
}
PSCOPE_DEVICE void fence_system() { __threadfence_system(); }
PSCOPE_DEVICE void wait_for_kernel_before([[maybe_unused]] bool early) {
#if __CUDA_ARCH__ >= 900
  if (early) {
    asm volatile("griddepcontrol.launch_dependents;");
    asm volatile("griddepcontrol.wait;" ::: "memory");
  }
#endif
}
PSCOPE_DEVICE void rest() {}

#else

inline std::uint64_t clock_now() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}
inline std::uint64_t load_acquire(const std::uint64_t* at) {
  return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}
inline void store_release(std::uint64_t* at, std::uint64_t value) {
  __atomic_store_n(at, value, __ATOMIC_RELEASE);
}
inline Posted load_posted_flag(const Posted* at) {  // `what` first: it is published by the count
  Posted p;
  p.count = __atomic_load_n(&at->count, __ATOMIC_ACQUIRE);
  p.what = __atomic_load_n(&at->what, __ATOMIC_ACQUIRE);
  return __atomic_load_n(&at->count, __ATOMIC_ACQUIRE) == p.count
             ? p
             : Posted{p.count, ~std::uint64_t{0}};
}
inline void store_posted_flag(Posted* at, const Posted& p) {
  __atomic_store_n(&at->what, p.what, __ATOMIC_RELEASE);
  __atomic_store_n(&at->count, p.count, __ATOMIC_RELEASE);
}
inline void store_relaxed(std::uint64_t* at, std::uint64_t value) {
  __atomic_store_n(at, value, __ATOMIC_RELEASE);
}
inline void raise(std::uint64_t* at, std::uint64_t value) {
  std::uint64_t now = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (now < value &&
         !__atomic_compare_exchange_n(at, &now, value, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
  }
}
inline std::uint64_t load_relaxed(const std::uint64_t* at) {
  return __atomic_load_n(at, __ATOMIC_RELAXED);
}
inline std::uint32_t load_relaxed(const std::uint32_t* at) {
  return __atomic_load_n(at, __ATOMIC_RELAXED);
}
inline void store_relaxed(std::uint32_t* at, std::uint32_t value) {
  __atomic_store_n(at, value, __ATOMIC_RELAXED);
}
// By halves: the second has the flag, so it is stored last and loaded first.
inline Vector load_line(const Vector* at) {
  const auto* half = reinterpret_cast<const std::uint64_t*>(at);
  const std::uint64_t high = __atomic_load_n(half + 1, __ATOMIC_ACQUIRE);
  const std::uint64_t low = __atomic_load_n(half, __ATOMIC_ACQUIRE);
  return {static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32),
          static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32)};
}
inline void store_line(Vector* at, const Vector& v) {
  auto* half = reinterpret_cast<std::uint64_t*>(at);
  __atomic_store_n(half, v.x | std::uint64_t{v.y} << 32, __ATOMIC_RELEASE);
  __atomic_store_n(half + 1, v.z | std::uint64_t{v.w} << 32, __ATOMIC_RELEASE);
}
inline Vector load_posted(const Vector* at) { return *at; }
template <class T>
T load_posted_element(const T* at) {
  return *at;
}
inline std::uint32_t set_if_zero(std::uint32_t* at, std::uint32_t value) {
  std::uint32_t none = 0;
  __atomic_compare_exchange_n(at, &none, value, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  return none;
}
inline void fence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void wait_for_kernel_before(bool) {}
inline void rest() { std::this_thread::yield(); }

#endif

PSCOPE_DEVICE Control& control_of(const Arguments& a, std::uint32_t rank) {
  return *reinterpret_cast<Control*>(a.regions[rank]);
}
PSCOPE_DEVICE BlockState& state_of(const Arguments& a, std::uint32_t block) {
  return reinterpret_cast<BlockState*>(a.regions[a.rank] + a.layout.states)[block];
}

// The first of our threads that gives up says why, and tells everybody.
PSCOPE_DEVICE void give_up(const Arguments& a, Fault fault, std::uint32_t peer, std::uint32_t block,
                           std::uint64_t waited_ns, std::uint64_t theirs) {
  Control& ours = control_of(a, a.rank);
  if (set_if_zero(&ours.failing, 1) != 0) return;
  Failure& f = *a.failure;
  f.fault = static_cast<std::uint32_t>(fault);
  f.peer = peer;
  f.block = block;
  f.waited_ns = waited_ns;
  f.mine = a.what;
  f.theirs = theirs;
  f.operation = load_acquire(&ours.entered);
  fence_system();
  store_relaxed(&f.state, 1);
  for (std::uint32_t rank = 0; rank < a.ranks; ++rank)
    store_relaxed(&control_of(a, rank).aborted, fault == Fault::told ? peer + 1 : a.rank + 1);
  fence_system();
}

// Whether somebody has given up: 0, or 1 + who. A kernel that finds it so at its begin must not send: what the one that failed has
// sent, with the same counts, may still be waiting for a rank that is late.
PSCOPE_DEVICE std::uint32_t load_aborted(const Arguments& a) {
  return load_relaxed(&control_of(a, a.rank).aborted);
}

// A wait that ends: by the device's clock, or because somebody gave up.
class Patience {
 public:
  PSCOPE_DEVICE explicit Patience(const Arguments& a) : a_(a) {}
  // True: it is over, and it has been said why.
  PSCOPE_DEVICE bool is_over(Fault fault, std::uint32_t peer, std::uint32_t block) {
    rest();
    if (++spins_ % 64 != 0) return false;
    const std::uint32_t aborted = load_aborted(a_);
    if (aborted != 0) {
      give_up(a_, Fault::told, aborted - 1, block, 0, 0);
      return true;
    }
    const std::uint64_t now = clock_now();
    if (since_ == 0) since_ = now;
    if (now - since_ < a_.timeout_ns) return false;
    give_up(a_, fault, peer, block, now - since_, 0);
    return true;
  }

 private:
  const Arguments& a_;
  std::uint32_t spins_ = 0;
  std::uint64_t since_ = 0;
};

// Begin and end of an operation, seen by one thread of block 0, and of a plan's other blocks the end.
class Stamper {
 public:
  PSCOPE_DEVICE Stamper(const Arguments& a, const Block& block, bool is_first = true)
      : a_(a), is_first_(is_first && block.index == 0), is_mine_(block.thread == 0) {
    if (!is_mine_) return;
    std::uint64_t* counts = state_of(a, 0).operations;
    count_ = counts + (a.collective != 0 ? 0 : 1);
    // Of a block that is so late that block 0 has ended, the end goes to the next operation, which it precedes.
    number_ = load_relaxed(count_);
    if (!is_first_) return;
    Control& ours = control_of(a, a.rank);
    store_relaxed(&ours.what, a.what);
    store_relaxed(&ours.entered, counts[0] + counts[1] + 1);
    begin_ = clock_now();
  }
  // Of a plan. Before `end`.
  PSCOPE_DEVICE void end_block() const {
    if (!is_mine_ || a_.stamped == 0) return;
    auto* ends = reinterpret_cast<std::uint64_t*>(a_.regions[a_.rank] + a_.layout.ends);
    raise(ends + (a_.collective != 0 ? 0 : kStamps) + number_ % kStamps, clock_now());
  }
  PSCOPE_DEVICE void end() const {
    if (!is_mine_ || !is_first_) return;
    store_relaxed(count_, number_ + 1);
    if (a_.stamped == 0) return;
    auto* ring = reinterpret_cast<Vector*>(a_.regions[a_.rank] + a_.layout.stamps) +
                 (a_.collective != 0 ? 0 : kStamps);
    const std::uint64_t ns = clock_now() - begin_;
    const auto turn = static_cast<std::uint32_t>(number_ / kStamps + 1) & 0xFFFFu;
    store_line(
        ring + number_ % kStamps,
        {static_cast<std::uint32_t>(begin_), static_cast<std::uint32_t>(begin_ >> 32),
         ns > 0xFFFFFFFFu ? 0xFFFFFFFFu : static_cast<std::uint32_t>(ns), a_.id | turn << 16});
  }

 private:
  const Arguments& a_;
  const bool is_first_, is_mine_;
  std::uint64_t* count_ = nullptr;
  std::uint64_t number_ = 0, begin_ = 0;
};

}  // namespace peerscope::cuda
