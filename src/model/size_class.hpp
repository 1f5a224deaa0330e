// Sizes fall into powers of two, rounded up: 0; 1; 2; 3-4; 5-8; ... so that 16 KB is the top of its
// class, not the bottom.
#pragma once

#include <bit>
#include <cstdint>

namespace peerscope {

inline constexpr std::uint32_t kSizeClasses = 66;

// 0 for 0 bytes, else 1 + ceil(log2(bytes)): 1 B -> 1, 2 B -> 2, 16 KB -> 15. At most 65.
constexpr std::uint8_t size_class(std::uint64_t bytes) {
  if (bytes <= 1) return static_cast<std::uint8_t>(bytes);
  const std::uint64_t last = bytes - 1;
  if (last >> 53 != 0) [[unlikely]]
    return static_cast<std::uint8_t>(1 + std::bit_width(last));
  // The exponent of the number as a double: cheaper than to look for the highest bit, see duration_bucket.
  const auto bits =
      std::bit_cast<std::uint64_t>(static_cast<double>(static_cast<std::int64_t>(last)));
  return static_cast<std::uint8_t>((bits >> 52) - 1023 + 2);
}

// The largest size in the class: size_class_top(size_class(16384)) == 16384.
constexpr std::uint64_t size_class_top(std::uint8_t size_class) {
  if (size_class == 0) return 0;
  return size_class > 64 ? UINT64_MAX : std::uint64_t{1} << (size_class - 1);
}

}  // namespace peerscope
