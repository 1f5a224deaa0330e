#include <algorithm>
#include <bit>

#include <gtest/gtest.h>

#include "model/busbw.hpp"
#include "model/duration_bucket.hpp"
#include "model/kinds.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

TEST(Kinds, EveryValueOfTheAbiHasANameThatParsesBack) {
  for (int i = 0; i < PSCOPE_KIND_COUNT; ++i)
    EXPECT_EQ(parse_kind(name(static_cast<Kind>(i))), static_cast<Kind>(i));
  for (int i = 0; i < PSCOPE_ALGORITHM_COUNT; ++i) {
    EXPECT_EQ(parse_algorithm(name(static_cast<Algorithm>(i))), static_cast<Algorithm>(i));
  }
  for (int i = 0; i < PSCOPE_DTYPE_COUNT; ++i) {
    EXPECT_EQ(parse_dtype(name(static_cast<Dtype>(i))), static_cast<Dtype>(i));
    EXPECT_EQ(dtype_bytes(static_cast<Dtype>(i)) == 0, i == PSCOPE_DTYPE_UNKNOWN);
  }
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(parse_level(name(static_cast<Level>(i))), static_cast<Level>(i));
  EXPECT_EQ(name(static_cast<Kind>(31)), "?");
  EXPECT_FALSE(parse_kind("allreduce!"));
}

// Figures from nccl-tests' doc/PERFORMANCE.md.
TEST(Busbw, FactorsAreThoseOfNcclTests) {
  EXPECT_DOUBLE_EQ(busbw_factor(Kind::all_reduce, 2), 1.0);
  EXPECT_DOUBLE_EQ(busbw_factor(Kind::all_reduce, 8), 1.75);
  EXPECT_DOUBLE_EQ(busbw_factor(Kind::all_gather, 8), 0.875);
  EXPECT_DOUBLE_EQ(busbw_factor(Kind::reduce_scatter, 4), 0.75);
  EXPECT_DOUBLE_EQ(busbw_factor(Kind::all_to_all, 4), 0.75);
  EXPECT_DOUBLE_EQ(busbw_factor(Kind::broadcast, 8), 1.0);
  EXPECT_DOUBLE_EQ(busbw_factor(Kind::reduce, 8), 1.0);
  EXPECT_DOUBLE_EQ(busbw(Kind::all_reduce, 4, 1e6, 1e6), 1.5e9);
  EXPECT_EQ(algbw(100, 0), 0.0);
}

TEST(SizeClass, PowersOfTwoAreTheTopOfTheirClass) {
  EXPECT_EQ(size_class(0), 0);
  EXPECT_EQ(size_class(1), 1);
  EXPECT_EQ(size_class(16384), size_class(16383));
  EXPECT_NE(size_class(16384), size_class(16385));
  for (std::uint64_t bytes : {1ull, 2ull, 3ull, 4097ull, 1ull << 20, (1ull << 40) + 1}) {
    EXPECT_GE(size_class_top(size_class(bytes)), bytes);
    if (bytes == 1) continue;
    EXPECT_LT(size_class_top(static_cast<std::uint8_t>(size_class(bytes) - 1)), bytes);
  }
}

// Computed by way of doubles, which must be exact wherever it matters.
TEST(DurationBucket, BucketsByExponentAreThoseOfTheHighestBit) {
  const auto by_bits = [](std::uint64_t ns) {
    ns = std::min(ns, kLargestDuration);
    const int shift = static_cast<int>(std::bit_width(ns | 8)) - 4;
    return (static_cast<std::size_t>(shift) << 3) + static_cast<std::size_t>(ns >> shift);
  };
  const auto class_by_bits = [](std::uint64_t bytes) {
    return bytes == 0 ? 0U : 1U + static_cast<unsigned>(std::bit_width(bytes - 1));
  };
  const auto check = [&](std::uint64_t value) {
    ASSERT_EQ(duration_bucket(value), by_bits(value)) << value;
    ASSERT_EQ(size_class(value), class_by_bits(value)) << value;
  };
  for (std::uint64_t value = 0; value < 100'000; ++value) check(value);
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (std::uint64_t near = 0; near < 40; ++near) check((std::uint64_t{1} << bit) + near - 20);
  }
  check(UINT64_MAX);
}

}  // namespace
}  // namespace peerscope
