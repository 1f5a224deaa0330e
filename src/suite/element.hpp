// Elements of each type as double, and random ones.
#pragma once

#include <cstdint>
#include <cstring>

#include "comm/half.hpp"
#include "model/kinds.hpp"

namespace peerscope {

template <Dtype kDtype>
double read_element(const std::byte* at) {
  const auto load = [at]<class T>(T value) {
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  if constexpr (kDtype == Dtype::f32) return static_cast<double>(load(float{}));
  if constexpr (kDtype == Dtype::f16)
    return static_cast<double>(f32_from_f16(load(std::uint16_t{})));
  if constexpr (kDtype == Dtype::bf16)
    return static_cast<double>(f32_from_bf16(load(std::uint16_t{})));
  if constexpr (kDtype == Dtype::i32) return load(std::int32_t{});
  if constexpr (kDtype == Dtype::i8) return load(std::int8_t{});
  if constexpr (kDtype == Dtype::u8) return load(std::uint8_t{});
}

// Calls `f.template operator()<dtype>()` for a type that can be reduced. False for others.
template <class F>
bool with_reducible(Dtype dtype, const F& f) {
  switch (dtype) {
    case Dtype::f32:
      f.template operator()<Dtype::f32>();
      return true;
    case Dtype::f16:
      f.template operator()<Dtype::f16>();
      return true;
    case Dtype::bf16:
      f.template operator()<Dtype::bf16>();
      return true;
    case Dtype::i32:
      f.template operator()<Dtype::i32>();
      return true;
    case Dtype::i8:
      f.template operator()<Dtype::i8>();
      return true;
    case Dtype::u8:
      f.template operator()<Dtype::u8>();
      return true;
    default:
      return false;
  }
}

constexpr bool is_integer(Dtype dtype) {
  return dtype == Dtype::i32 || dtype == Dtype::i8 || dtype == Dtype::u8;
}

// A sum as the type holds it.
inline double wrapped(Dtype dtype, double sum) {
  const auto whole = [sum] { return static_cast<std::int64_t>(sum); };
  if (dtype == Dtype::i32) return static_cast<std::int32_t>(whole());
  if (dtype == Dtype::i8) return static_cast<std::int8_t>(whole());
  if (dtype == Dtype::u8) return static_cast<std::uint8_t>(whole());
  return sum;
}

// Half a unit in the last place, relative: what one rounding may cost.
constexpr double rounding_of(Dtype dtype) {
  return dtype == Dtype::f32 ? 0x1p-24 : dtype == Dtype::f16 ? 0x1p-11 : 0x1p-8;
}

// SplitMix64's output function: number `at` of a stream, in any order.
constexpr std::uint64_t random_at(std::uint64_t stream, std::uint64_t at) {
  std::uint64_t z = stream + (at + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// Floats are uniform in -1..1, everything else is any bits.
inline void write_random(Dtype dtype, std::uint64_t bits, std::byte* at) {
  const float value =
      static_cast<float>(static_cast<std::int32_t>(bits >> 40) - (1 << 23)) * 0x1p-23f;
  const std::uint16_t half = dtype == Dtype::f16 ? f16_from_f32(value) : bf16_from_f32(value);
  if (dtype == Dtype::f32) {
    std::memcpy(at, &value, 4);
  } else if (dtype == Dtype::f16 || dtype == Dtype::bf16) {
    std::memcpy(at, &half, 2);
  } else {
    std::memcpy(at, &bits, dtype_bytes(dtype));
  }
}

}  // namespace peerscope
