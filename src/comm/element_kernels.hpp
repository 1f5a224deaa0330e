// The loops behind elements.hpp. Included twice, by elements.cpp for any processor and by
// elements_avx2.cpp for those with AVX2 and F16C, each time into an unnamed namespace: nothing
// compiled for the one may be linked into the other.
//
// All sources of a tile are read into an accumulator on the stack before the tile is written: hence
// `output` may be one of the sources, and the loops see no aliasing and a fixed length, which is
// what a compiler needs to vectorise at -O2.
#pragma once

// elements_avx2.cpp includes these itself, before it switches to AVX2: they are shared with
// everybody.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "comm/element_kernel.hpp"
#include "comm/half.hpp"

namespace peerscope {
namespace {

inline constexpr std::size_t kTile = 256;

// A type that is its own accumulator.
template <class T>
struct Plain {
  using Stored = T;
  using Wide = T;
  static Wide widen(Stored x) { return x; }
  static Stored narrow(Wide x) { return x; }
};
using F32 = Plain<float>;
using I32 = Plain<std::int32_t>;
using I8 = Plain<std::int8_t>;
using U8 = Plain<std::uint8_t>;

struct Bf16 {
  using Stored = std::uint16_t;
  using Wide = float;
  static Wide widen(Stored x) { return f32_from_bf16(x); }
  static Stored narrow(Wide x) { return bf16_from_f32(x); }
};

struct F16 {
  using Stored = std::uint16_t;
  using Wide = float;
#ifdef PSCOPE_WITH_F16C
  static Wide widen(Stored x) { return _cvtsh_ss(x); }
  static Stored narrow(Wide x) {
    return static_cast<Stored>(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT));
  }
#else
  static Wide widen(Stored x) { return f32_from_f16(x); }
  static Stored narrow(Wide x) { return f16_from_f32(x); }
#endif
};

struct Sum {
  static float apply(float a, float b) { return a + b; }
  template <class T>
  static T apply(T a, T b) {  // integers wrap, without the undefined behaviour
    return static_cast<T>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
  }
};
struct Min {
  template <class T>
  static T apply(T a, T b) {
    return a < b ? a : b;
  }
};
struct Max {
  template <class T>
  static T apply(T a, T b) {
    return a > b ? a : b;
  }
};

// Integers towards zero, by way of a floating-point type that holds them exactly: that vectorises. A
// quotient by a small number that is not whole is too far from the next whole one to be rounded to it.
template <class Wide>
[[gnu::always_inline]] inline void divide(Wide* wide, std::size_t n, int divisor) {
  using Real = std::conditional_t<sizeof(Wide) == 4 && std::is_integral_v<Wide>, double, float>;
  const auto by = static_cast<Real>(divisor);
  for (std::size_t i = 0; i < n; ++i) {
    const Real quotient = static_cast<Real>(wide[i]) / by;
    if constexpr (std::is_integral_v<Wide>) {
      wide[i] = static_cast<Wide>(static_cast<std::int32_t>(quotient));
    } else {
      wide[i] = quotient;
    }
  }
}

template <class Codec>
[[gnu::always_inline]] inline void load(typename Codec::Wide* wide,
                                        const typename Codec::Stored* from, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) wide[i] = Codec::widen(from[i]);
}

template <class Codec, class Op>
[[gnu::always_inline]] inline void combine(typename Codec::Wide* wide,
                                           const typename Codec::Stored* from, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) wide[i] = Op::apply(wide[i], Codec::widen(from[i]));
}

template <class Codec>
[[gnu::always_inline]] inline void store(typename Codec::Stored* to,
                                         const typename Codec::Wide* wide, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) to[i] = Codec::narrow(wide[i]);
}

#ifdef PSCOPE_WITH_F16C
// Eight at a time: the compiler does not find these conversions by itself.
template <>
[[gnu::always_inline]] inline void load<F16>(float* wide, const std::uint16_t* from,
                                             std::size_t n) {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(wide + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  }
  for (; i < n; ++i) wide[i] = F16::widen(from[i]);
}

template <>
[[gnu::always_inline]] inline void store<F16>(std::uint16_t* to, const float* wide, std::size_t n) {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(wide + i), _MM_FROUND_TO_NEAREST_INT));
  }
  for (; i < n; ++i) to[i] = F16::narrow(wide[i]);
}
#endif

template <class Codec, class Op>
struct Tile {
  using Stored = typename Codec::Stored;
  using Wide = typename Codec::Wide;

  [[gnu::always_inline]] static inline void run(const void* const* sources, std::size_t ranks,
                                                Stored* output, std::size_t first, std::size_t n,
                                                int divisor) {
    alignas(64) Wide wide[kTile];
    alignas(64) Wide next[kTile];
    const auto at = [&](std::size_t source) {
      return static_cast<const Stored*>(sources[source]) + first;
    };
    load<Codec>(wide, at(0), n);
    for (std::size_t source = 1; source < ranks; ++source) {
      if constexpr (std::is_same_v<Codec, F16>) {
        load<Codec>(next, at(source), n);
        for (std::size_t i = 0; i < n; ++i) wide[i] = Op::apply(wide[i], next[i]);
      } else {
        combine<Codec, Op>(wide, at(source), n);
      }
    }
    if (divisor != 1) divide(wide, n, divisor);
    store<Codec>(output + first, wide, n);
  }
};

template <class Codec, class Op>
void reduce_as(const void* const* sources, std::size_t ranks, void* output, std::size_t count,
               int divisor) {
  auto* const to = static_cast<typename Codec::Stored*>(output);
  std::size_t first = 0;
  for (; first + kTile <= count; first += kTile)
    Tile<Codec, Op>::run(sources, ranks, to, first, kTile, divisor);
  if (first < count) Tile<Codec, Op>::run(sources, ranks, to, first, count - first, divisor);
}

template <class Codec>
ElementKernel kernel_of(ReduceOp op) {
  switch (op) {
    case ReduceOp::min:
      return reduce_as<Codec, Min>;
    case ReduceOp::max:
      return reduce_as<Codec, Max>;
    default:
      return reduce_as<Codec, Sum>;  // avg: a sum with a divisor
  }
}

ElementKernel kernel_for(Dtype dtype, ReduceOp op) {
  switch (dtype) {
    case Dtype::f32:
      return kernel_of<F32>(op);
    case Dtype::i32:
      return kernel_of<I32>(op);
    case Dtype::i8:
      return kernel_of<I8>(op);
    case Dtype::u8:
      return kernel_of<U8>(op);
    case Dtype::f16:
      return kernel_of<F16>(op);
    case Dtype::bf16:
      return kernel_of<Bf16>(op);
    default:
      return nullptr;
  }
}

}  // namespace
}  // namespace peerscope
