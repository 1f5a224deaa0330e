#include "suite/reference.hpp"

#include <cstring>

#include <gtest/gtest.h>

#include "suite/element.hpp"

namespace peerscope {
namespace {

constexpr int kRanks = 3;

Lengths lengths(Kind kind, Dtype dtype, std::size_t elements) {
  return lengths_of({.kind = kind, .dtype = dtype, .bytes = elements * dtype_bytes(dtype)}, kRanks);
}

// What rank 1 must get of a kind that moves: made by hand from the inputs.
std::vector<std::byte> moved(Kind kind, const Reference& reference, const Lengths& of,
                             std::size_t width) {
  std::vector<std::byte> out(of.output * width);
  const std::size_t block = of.output / kRanks;
  if (kind == Kind::broadcast) {
    reference.write_input(0, 0, out);
    return out;
  }
  for (std::size_t r = 0; r < kRanks; ++r) {
    const std::span<std::byte> part(out.data() + r * block * width, block * width);
    reference.write_input(static_cast<int>(r), kind == Kind::all_to_all ? block : 0, part);
  }
  return out;
}

TEST(Reference, KnowsWhereEachElementBelongs) {
  for (const Kind kind : {Kind::broadcast, Kind::all_gather, Kind::all_to_all}) {
    const Lengths of = lengths(kind, Dtype::f16, 999);
    const Reference reference({kind, Dtype::f16, ReduceOp::sum, kRanks}, of.output);
    std::vector<std::byte> got = moved(kind, reference, of, 2);
    EXPECT_EQ(reference.count_wrong(1, of, 0, got), 0u) << name(kind);
    const std::span<const std::byte> tail(got.data() + 2 * 500, got.size() - 2 * 500);
    EXPECT_EQ(reference.count_wrong(1, of, 500, tail), 0u) << "a part of it";
    std::swap_ranges(got.begin(), got.begin() + 2, got.begin() + 20);
    EXPECT_EQ(reference.count_wrong(1, of, 0, got), 2u) << "two elements changed places";
  }
}

TEST(Reference, RepeatsAfterAPrimeNumberOfElements) {
  constexpr std::size_t kMany = 2'500'000;
  const Lengths of = lengths(Kind::broadcast, Dtype::u8, kMany);
  const Reference reference({Kind::broadcast, Dtype::u8, ReduceOp::sum, kRanks}, kMany);
  std::vector<std::byte> got(kMany);
  reference.write_input(0, 0, got);
  EXPECT_EQ(got[0], got[1'000'003]);
  EXPECT_EQ(reference.count_wrong(1, of, 0, got), 0u);
  std::vector<std::byte> shifted(kMany);
  reference.write_input(0, 1'000'000, shifted);
  EXPECT_GT(reference.count_wrong(1, of, 0, shifted), kMany / 2);
}

template <class T>
std::vector<std::byte> summed(const Reference& reference, std::size_t n, T divisor) {
  std::vector<std::byte> out(n * sizeof(T)), input(n * sizeof(T));
  std::vector<T> total(n), one(n);
  for (int rank = 0; rank < kRanks; ++rank) {
    reference.write_input(rank, 0, input);
    std::memcpy(one.data(), input.data(), input.size());
    for (std::size_t i = 0; i < n; ++i) total[i] = static_cast<T>(total[i] + one[i]);
  }
  for (T& x : total) x = static_cast<T>(x / divisor);
  std::memcpy(out.data(), total.data(), out.size());
  return out;
}

TEST(Reference, AcceptsRoundingAndNothingElse) {
  constexpr std::size_t kMany = 1000;
  const Lengths of = lengths(Kind::all_reduce, Dtype::f32, kMany);
  const Reference sum({Kind::all_reduce, Dtype::f32, ReduceOp::sum, kRanks}, kMany);
  std::vector<std::byte> got = summed<float>(sum, kMany, 1);
  EXPECT_EQ(sum.count_wrong(1, of, 0, got), 0u);
  std::memset(got.data(), 0xFF, 8);  // poison: NaN
  EXPECT_EQ(sum.count_wrong(1, of, 0, got), 2u);
  const Reference bytes({Kind::all_reduce, Dtype::i8, ReduceOp::avg, kRanks}, kMany);
  std::vector<std::byte> averages = summed<std::int8_t>(bytes, kMany, kRanks);
  const Lengths of_bytes = lengths(Kind::all_reduce, Dtype::i8, kMany);
  EXPECT_EQ(bytes.count_wrong(1, of_bytes, 0, averages), 0u);
  averages[7] = static_cast<std::byte>(static_cast<int>(averages[7]) + 1);
  EXPECT_EQ(bytes.count_wrong(1, of_bytes, 0, averages), 1u) << "integers are exact";
}

TEST(Reference, SaysNothingOfRanksThatGetNothing) {
  const Lengths of = lengths(Kind::reduce, Dtype::f32, 10);
  const Reference reference({Kind::reduce, Dtype::f32, ReduceOp::sum, kRanks}, 10);
  EXPECT_FALSE(reference.has_output(1));
  EXPECT_EQ(reference.count_wrong(1, of, 0, std::vector<std::byte>(40)), 0u);
  EXPECT_EQ(reference.count_wrong(0, of, 0, std::vector<std::byte>(40, std::byte{0xFF})), 10u);
}

}  // namespace
}  // namespace peerscope
