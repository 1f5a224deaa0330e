#include "comm/half.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "comm/elements.hpp"

namespace peerscope {
namespace {

// From the definition of the format, in double.
double value_of_f16(std::uint16_t half) {
  const int exponent = (half >> 10) & 31, mantissa = half & 1023;
  const double sign = half & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

double value_of_bf16(std::uint16_t half) {
  const int exponent = (half >> 7) & 255, mantissa = half & 127;
  const double sign = half & 0x8000 ? -1 : 1;
  if (exponent == 255) return mantissa ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, -133);
  return sign * std::ldexp(128 + mantissa, exponent - 134);
}

// The neighbour of `x` that is nearest, found by trying: `below` and the pattern after it enclose
// |x|.
template <class ValueOf>
std::uint16_t nearest(float x, std::uint16_t infinity, ValueOf value_of) {
  const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(x));
  std::uint16_t low = 0, high = infinity;
  while (high - low > 1) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    (value_of(middle) <= magnitude ? low : high) = middle;
  }
  // Infinity stands where the next finite number would.
  const double step = high == infinity
                          ? value_of(low) - value_of(static_cast<std::uint16_t>(low - 1))
                          : value_of(high) - value_of(low);
  const double above = magnitude - value_of(low);
  const bool up = above > step / 2 || (above == step / 2 && (low & 1));
  return static_cast<std::uint16_t>((up ? high : low) | sign);
}

TEST(Half, EveryF16PatternHasItsValueAndComesBack) {
  for (unsigned pattern = 0; pattern < 65536; ++pattern) {
    const auto half = static_cast<std::uint16_t>(pattern);
    const float value = f32_from_f16(half);
    if (std::isnan(value_of_f16(half))) {
      ASSERT_TRUE(std::isnan(value)) << pattern;
      ASSERT_TRUE(std::isnan(f32_from_f16(f16_from_f32(value)))) << pattern;
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), value_of_f16(half)) << pattern;
    ASSERT_EQ(f16_from_f32(value), half) << pattern;
  }
}

TEST(Half, EveryBf16PatternHasItsValueAndComesBack) {
  for (unsigned pattern = 0; pattern < 65536; ++pattern) {
    const auto half = static_cast<std::uint16_t>(pattern);
    const float value = f32_from_bf16(half);
    if (std::isnan(value_of_bf16(half))) {
      ASSERT_TRUE(std::isnan(value)) << pattern;
      ASSERT_TRUE(std::isnan(f32_from_bf16(bf16_from_f32(value)))) << pattern;
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), value_of_bf16(half)) << pattern;
    ASSERT_EQ(bf16_from_f32(value), half) << pattern;
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  std::mt19937 random(1);
  const auto check = [](float x) {
    if (std::isnan(x) || std::isinf(x)) return;
    ASSERT_EQ(f16_from_f32(x), nearest(x, 0x7C00, value_of_f16)) << x;
    ASSERT_EQ(bf16_from_f32(x), nearest(x, 0x7F80, value_of_bf16)) << x;
  };
  for (int i = 0; i < 200'000; ++i)
    check(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  for (unsigned pattern = 0; pattern < 0x7BFF;
       ++pattern) {  // the ties of f16, and both sides of each
    const double tie = (value_of_f16(static_cast<std::uint16_t>(pattern)) +
                        value_of_f16(static_cast<std::uint16_t>(pattern + 1))) /
                       2;
    const auto at = static_cast<float>(tie);
    check(at);
    check(std::nextafter(at, 0.0f));
    check(-std::nextafter(at, 1e9f));
  }
  for (const float x : {65504.0f, 65519.9f, 65520.0f, 65536.0f, 1e30f, 0.0f, -0.0f, 1e-40f})
    check(x);
}

// Whatever instructions this processor has: the same bits as the scalar definition.
TEST(Elements, ReduceHalvesExactlyAsTheirScalarDefinition) {
  std::vector<std::uint16_t> a(65536), b(65536), sum(65536);
  std::mt19937 random(2);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<std::uint16_t>(i);
    b[i] = static_cast<std::uint16_t>(random());
  }
  const std::array<const void*, 2> sources{a.data(), b.data()};
  reduce_elements({Dtype::f16, ReduceOp::sum, 1}, sources, sum.data(), sum.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float expected = f32_from_f16(a[i]) + f32_from_f16(b[i]);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(f32_from_f16(sum[i]))) << i;
    } else {
      ASSERT_EQ(sum[i], f16_from_f32(expected)) << i;
    }
  }
}

TEST(Elements, OutputMayBeAnyOfTheSources) {
  for (const std::size_t count :
       {std::size_t{1}, std::size_t{255}, std::size_t{256}, std::size_t{1001}}) {
    for (std::size_t alias = 0; alias < 3; ++alias) {
      std::array<std::vector<std::int32_t>, 3> data;
      for (std::size_t s = 0; s < 3; ++s) data[s].assign(count, static_cast<std::int32_t>(s + 1));
      const std::array<const void*, 3> sources{data[0].data(), data[1].data(), data[2].data()};
      reduce_elements({Dtype::i32, ReduceOp::sum, 1}, sources, data[alias].data(), count);
      for (const std::int32_t x : data[alias]) ASSERT_EQ(x, 6);
    }
  }
}

TEST(Elements, IntegerSumsWrapAndAveragesTruncate) {
  const std::int32_t most = std::numeric_limits<std::int32_t>::max(), one = 1, minus_eight = -8;
  std::int32_t out = 0;
  reduce_elements({Dtype::i32, ReduceOp::sum, 1}, std::array<const void*, 2>{&most, &one}, &out, 1);
  EXPECT_EQ(out, std::numeric_limits<std::int32_t>::min());
  reduce_elements({Dtype::i32, ReduceOp::avg, 2}, std::array<const void*, 2>{&minus_eight, &one},
                  &out, 1);
  EXPECT_EQ(out, -3);
}

// All pairs of bytes, so that the vectorised tiles and the last odd one are met.
template <class T>
void check_bytes(Dtype dtype) {
  std::vector<T> a, b;
  for (int x = 0; x < 256; ++x) {
    for (int y = 0; y < 256; ++y) {
      a.push_back(static_cast<T>(x));
      b.push_back(static_cast<T>(y));
    }
  }
  std::vector<T> out(a.size());
  const std::array<const void*, 2> sources{a.data(), b.data()};
  const auto check = [&](ReduceOp op, int divisor, const auto& expected) {
    reduce_elements({dtype, op, divisor}, sources, out.data(), out.size() - 1);
    for (std::size_t i = 0; i + 1 < out.size(); ++i)
      ASSERT_EQ(out[i], static_cast<T>(expected(a[i], b[i])))
          << name(op) << " " << +a[i] << " " << +b[i];
  };
  check(ReduceOp::sum, 1, [](T x, T y) { return x + y; });
  check(ReduceOp::min, 1, [](T x, T y) { return std::min(x, y); });
  check(ReduceOp::max, 1, [](T x, T y) { return std::max(x, y); });
  for (const int divisor : {2, 3, 7, 64})
    check(ReduceOp::avg, divisor, [&](T x, T y) { return static_cast<T>(x + y) / divisor; });
}

TEST(Elements, BytesWrapAndTheirAveragesTruncate) {
  check_bytes<std::int8_t>(Dtype::i8);
  check_bytes<std::uint8_t>(Dtype::u8);
}

}  // namespace
}  // namespace peerscope
