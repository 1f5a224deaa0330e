// Element types and reductions on 16-byte vectors: f16 and bf16 in f32, rounded once; i32, i8 and u8 wrap.
#pragma once

#include "comm/cuda/device/memory.hpp"
#include "comm/half.hpp"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace peerscope::cuda {

// What an element becomes while it is reduced. `Wide` holds it exactly.
struct F32 {
  using Element = float;
  using Wide = float;
  static PSCOPE_DEVICE Wide widen(Element e) { return e; }
  static PSCOPE_DEVICE Element narrow(Wide w) { return w; }
};
struct F16 {
  using Element = std::uint16_t;
  using Wide = float;
#ifdef __CUDA_ARCH__
  static PSCOPE_DEVICE Wide widen(Element e) { return __half2float(__ushort_as_half(e)); }
  static PSCOPE_DEVICE Element narrow(Wide w) { return __half_as_ushort(__float2half_rn(w)); }
#else
  static Wide widen(Element e) { return f32_from_f16(e); }
  static Element narrow(Wide w) { return f16_from_f32(w); }
#endif
};
struct Bf16 {
  using Element = std::uint16_t;
  using Wide = float;
#ifdef __CUDA_ARCH__
  static PSCOPE_DEVICE Wide widen(Element e) {
    return __uint_as_float(static_cast<std::uint32_t>(e) << 16);
  }
  static PSCOPE_DEVICE Element narrow(Wide w) {
    return __bfloat16_as_ushort(__float2bfloat16_rn(w));
  }
#else
  static Wide widen(Element e) { return f32_from_bf16(e); }
  static Element narrow(Wide w) { return bf16_from_f32(w); }
#endif
};
template <class T>
struct Whole {
  using Element = T;
  using Wide = std::int32_t;
  static PSCOPE_DEVICE Wide widen(Element e) { return static_cast<Wide>(e); }
  static PSCOPE_DEVICE Element narrow(Wide w) { return static_cast<Element>(w); }
};
using I32 = Whole<std::int32_t>;
using I8 = Whole<std::int8_t>;
using U8 = Whole<std::uint8_t>;

struct Sum {
  static PSCOPE_DEVICE float apply(float a, float b) { return a + b; }
  static PSCOPE_DEVICE std::int32_t apply(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
  }
};
struct Min {
  template <class T>
  static PSCOPE_DEVICE T apply(T a, T b) {
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  static PSCOPE_DEVICE T apply(T a, T b) {
    return a < b ? b : a;
  }
};

template <class Type>
inline constexpr int kPerVector = 16 / static_cast<int>(sizeof(typename Type::Element));

// The elements of a vector, wide.
template <class Type>
struct WideVector {
  typename Type::Wide value[kPerVector<Type>];
};

template <class Type>
PSCOPE_DEVICE WideVector<Type> widen(const Vector& v) {
  using Element = typename Type::Element;
  WideVector<Type> wide;
  const std::uint32_t words[4] = {v.x, v.y, v.z, v.w};
  constexpr int kPerWord = kPerVector<Type> / 4;
  PSCOPE_UNROLL
  for (int i = 0; i < kPerVector<Type>; ++i) {
    if constexpr (sizeof(Element) == 4) {
      Element e;
      __builtin_memcpy(&e, &words[i], 4);
      wide.value[i] = Type::widen(e);
    } else {
      wide.value[i] = Type::widen(
          static_cast<Element>(words[i / kPerWord] >> (i % kPerWord * 8 * sizeof(Element))));
    }
  }
  return wide;
}

template <class Type>
PSCOPE_DEVICE Vector narrow(const WideVector<Type>& wide) {
  using Element = typename Type::Element;
  std::uint32_t words[4] = {};
  constexpr int kPerWord = kPerVector<Type> / 4;
  PSCOPE_UNROLL
  for (int i = 0; i < kPerVector<Type>; ++i) {
    const Element e = Type::narrow(wide.value[i]);
    if constexpr (sizeof(Element) == 4) {
      __builtin_memcpy(&words[i], &e, 4);
    } else {
      std::uint32_t bits = 0;
      if constexpr (sizeof(Element) == 2) {
        bits = e;
      } else {
        bits = static_cast<std::uint8_t>(e);
      }
      words[i / kPerWord] |= bits << (i % kPerWord * 8 * sizeof(Element));
    }
  }
  return {words[0], words[1], words[2], words[3]};
}

template <class Type, class Op>
PSCOPE_DEVICE void combine(WideVector<Type>& into, const Vector& with) {
  const WideVector<Type> other = widen<Type>(with);
  PSCOPE_UNROLL
  for (int i = 0; i < kPerVector<Type>; ++i)
    into.value[i] = Op::apply(into.value[i], other.value[i]);
}

// Of whole numbers the wrapped sum is divided, as the host device does, whatever hops it came by.
template <class Type>
PSCOPE_DEVICE typename Type::Wide quotient(typename Type::Wide sum, std::uint32_t divisor) {
  if constexpr (sizeof(typename Type::Element) == 1) sum = Type::widen(Type::narrow(sum));
  return sum / static_cast<typename Type::Wide>(divisor);
}

template <class Type>
PSCOPE_DEVICE void divide(WideVector<Type>& wide, std::uint32_t divisor) {
  PSCOPE_UNROLL
  for (int i = 0; i < kPerVector<Type>; ++i) wide.value[i] = quotient<Type>(wide.value[i], divisor);
}

}  // namespace peerscope::cuda
