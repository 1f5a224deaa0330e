// Sleeping on a word of shared memory until another thread or process changes it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace peerscope {

// Returns when woken, when `word` no longer is `seen`, after `longest`, or for no reason. True
// unless time ran out.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t seen,
                std::chrono::nanoseconds longest);
void futex_wake_all(const std::atomic<std::uint32_t>& word);

// A few cycles for the other hyperthread while spinning.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace peerscope
