// Elements of NCCL's types, read and written as double.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "comm/half.hpp"
#include "comm/nccl/nccl_abi.hpp"

namespace peerscope {

inline std::size_t width(NcclType type) {
  constexpr std::size_t kWidths[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2};
  return kWidths[static_cast<int>(type)];
}

template <class T>
double load(const std::byte* at) {
  T value{};
  std::memcpy(&value, at, sizeof value);
  return static_cast<double>(value);
}

template <class T>
void store(std::byte* at, double value) {
  T typed{};
  if constexpr (std::is_integral_v<T> && sizeof(T) < 8) {  // wraps
    typed = static_cast<T>(static_cast<std::int64_t>(value));
  } else {
    typed = static_cast<T>(value);
  }
  std::memcpy(at, &typed, sizeof typed);
}

inline std::uint16_t half_at(const std::byte* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, 2);
  return bits;
}

inline double get(const std::byte* at, NcclType type) {
  switch (type) {
    case NcclType::i8:
      return load<std::int8_t>(at);
    case NcclType::u8:
      return load<std::uint8_t>(at);
    case NcclType::i32:
      return load<std::int32_t>(at);
    case NcclType::u32:
      return load<std::uint32_t>(at);
    case NcclType::i64:
      return load<std::int64_t>(at);
    case NcclType::u64:
      return load<std::uint64_t>(at);
    case NcclType::f16:
      return static_cast<double>(f32_from_f16(half_at(at)));
    case NcclType::bf16:
      return static_cast<double>(f32_from_bf16(half_at(at)));
    case NcclType::f64:
      return load<double>(at);
    case NcclType::f32:
      break;
  }
  return load<float>(at);
}

inline void put(std::byte* at, NcclType type, double value) {
  switch (type) {
    case NcclType::i8:
      return store<std::int8_t>(at, value);
    case NcclType::u8:
      return store<std::uint8_t>(at, value);
    case NcclType::i32:
      return store<std::int32_t>(at, value);
    case NcclType::u32:
      return store<std::uint32_t>(at, value);
    case NcclType::i64:
      return store<std::int64_t>(at, value);
    case NcclType::u64:
      return store<std::uint64_t>(at, value);
    case NcclType::f16:
      return store<std::uint16_t>(at, f16_from_f32(static_cast<float>(value)));
    case NcclType::bf16:
      return store<std::uint16_t>(at, bf16_from_f32(static_cast<float>(value)));
    case NcclType::f64:
      return store<double>(at, value);
    case NcclType::f32:
      return store<float>(at, value);
  }
}

}  // namespace peerscope
