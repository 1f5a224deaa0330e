// Reads memory that a kernel may be writing, as a copy engine does: no word is torn, and of 16 bytes the flag, which is stored last,
// is read first (device/memory.hpp).
#pragma once

#include <cstdint>
#include <cstring>

namespace peerscope {

inline void copy_as_dma(void* to, const void* from, std::size_t bytes) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  const bool aligned = (reinterpret_cast<std::uintptr_t>(from) | bytes) % kWord == 0;
  if (!aligned) {
    std::memcpy(to, from, bytes);
    return;
  }
  for (std::size_t i = bytes / kWord; i-- > 0;) {
    const std::uint64_t word =
        __atomic_load_n(static_cast<const std::uint64_t*>(from) + i, __ATOMIC_ACQUIRE);
    std::memcpy(static_cast<char*>(to) + i * kWord, &word, kWord);
  }
}

}  // namespace peerscope
