#include "cli/nccl_reference.hpp"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using Bytes = std::vector<std::byte>;

template <class T>
std::vector<T> typed(std::span<const std::byte> bytes) {
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

template <class T>
std::uint64_t wrong(const NcclReference& reference, int rank, const NcclLengths& lengths,
                    const std::vector<T>& got, std::size_t first = 0) {
  return reference.count_wrong(rank, lengths, first, std::as_bytes(std::span(got)));
}

TEST(NcclLengths, SizesAreThoseOfNcclTests) {
  const NcclLengths gather = nccl_lengths(Kind::all_gather, 1024, Dtype::f32, 4);
  EXPECT_EQ(gather.count, 64u);
  EXPECT_EQ(gather.send, 64u);
  EXPECT_EQ(gather.recv, 256u);
  EXPECT_EQ(gather.bytes, 1024u);
  const NcclLengths scatter = nccl_lengths(Kind::reduce_scatter, 1024, Dtype::f32, 3);
  EXPECT_EQ(scatter.count, 84u) << "85 would not begin at multiples of 16 bytes";
  EXPECT_EQ(scatter.bytes, 84u * 3 * 4);
  EXPECT_EQ(nccl_lengths(Kind::all_to_all, 8, Dtype::f64, 8).count, 1u) << "at least one element";
  EXPECT_EQ(nccl_lengths(Kind::all_reduce, 6, Dtype::f32, 2).bytes, 4u);
}

TEST(NcclWindows, LargeOutputsAreLookedAtInSamplesOfAMillionElementsFromFirstToLast) {
  EXPECT_EQ(nccl_windows(16 << 20, 4).size(), 1u) << "64 MiB";
  const std::size_t elements = (std::size_t{1} << 30) + 7;
  const auto windows = nccl_windows(elements, 4);
  std::size_t sum = 0;
  for (const NcclWindow& window : windows) sum += window.elements;
  EXPECT_GE(sum, 1u << 20);
  EXPECT_EQ(windows.front().first, 0u);
  EXPECT_EQ(windows.back().first + windows.back().elements, elements);
}

TEST(NcclReference, ASumIsRightOnlyIfEachElementIs) {
  const NcclReference reference({Kind::all_reduce, Dtype::i32, "sum", 3, 0}, 1000);
  const auto a = typed<std::int32_t>(reference.input(0)),
             b = typed<std::int32_t>(reference.input(1)),
             c = typed<std::int32_t>(reference.input(2));
  ASSERT_EQ(a.size(), 1000u);
  std::vector<std::int32_t> sum;
  for (std::size_t i = 0; i < a.size(); ++i) sum.push_back(a[i] + b[i] + c[i]);
  const NcclLengths lengths = nccl_lengths(Kind::all_reduce, 4000, Dtype::i32, 3);
  EXPECT_EQ(wrong(reference, 1, lengths, sum), 0u);
  sum[0] += 1;
  sum[999] -= 1;
  EXPECT_EQ(wrong(reference, 1, lengths, sum), 2u);
  EXPECT_GT(wrong(reference, 1, lengths, a), 500u) << "what a rank gave is no sum";
}

TEST(NcclReference, InputsDifferBetweenRanksAndPlaces) {
  const NcclReference reference({Kind::all_gather, Dtype::u8, "sum", 2, 0}, 10'000);
  const auto a = typed<std::uint8_t>(reference.input(0)),
             b = typed<std::uint8_t>(reference.input(1));
  std::size_t same = 0, shifted = 0;
  for (std::size_t i = 0; i + 1 < a.size(); ++i) {
    same += a[i] == b[i] ? 1 : 0;
    shifted += a[i] == a[i + 1] ? 1 : 0;
  }
  EXPECT_LT(same, 400u);  // 1 in 100 by chance
  EXPECT_LT(shifted, 400u);
}

TEST(NcclReference, SharesSwappedBetweenRanksAreWrong) {
  const NcclReference reference({Kind::all_gather, Dtype::f32, "sum", 2, 0}, 64);
  const NcclLengths lengths = nccl_lengths(Kind::all_gather, 512, Dtype::f32, 2);
  auto got = typed<float>(reference.input(0));
  const auto other = typed<float>(reference.input(1));
  got.insert(got.end(), other.begin(), other.end());
  EXPECT_EQ(wrong(reference, 0, lengths, got), 0u);
  std::rotate(got.begin(), got.begin() + 64, got.end());
  EXPECT_GT(wrong(reference, 0, lengths, got), 100u);
}

TEST(NcclReference, BeyondThePeriodTheInputRepeats) {
  const std::size_t elements = 3'000'000;
  const NcclReference reference({Kind::send, Dtype::i8, "sum", 2, 0}, elements);
  const auto period = typed<std::int8_t>(reference.input(0));
  ASSERT_EQ(period.size(), 1'000'003u);
  std::vector<std::int8_t> got(elements);
  for (std::size_t i = 0; i < elements; ++i) got[i] = period[i % period.size()];
  const NcclLengths lengths = nccl_lengths(Kind::send, elements, Dtype::i8, 2);
  EXPECT_EQ(wrong(reference, 1, lengths, got), 0u);
  const std::vector<std::int8_t> tail(got.begin() + 2'500'000, got.end());
  EXPECT_EQ(wrong(reference, 1, lengths, tail, 2'500'000), 0u);
  EXPECT_GT(wrong(reference, 1, lengths, tail, 2'500'001), 400'000u);
}

TEST(NcclReference, AnAverageOfThreeMayDifferInItsLastBitsButNotMore) {
  const NcclReference reference({Kind::all_reduce, Dtype::f32, "avg", 3, 0}, 16);
  const NcclLengths lengths = nccl_lengths(Kind::all_reduce, 64, Dtype::f32, 3);
  std::vector<float> got;
  const float third = 1.0F / 3;
  for (std::size_t i = 0; i < 16; ++i) {
    float sum = 0;
    for (int rank = 0; rank < 3; ++rank) sum += typed<float>(reference.input(rank))[i] * third;
    got.push_back(sum);
  }
  EXPECT_EQ(wrong(reference, 0, lengths, got), 0u);
  got[3] += 0.001F;
  EXPECT_EQ(wrong(reference, 0, lengths, got), 1u);
}

TEST(NcclReference, NothingIsSaidOfAReducesOtherRanks) {
  const NcclReference reference({Kind::reduce, Dtype::f32, "sum", 2, 1}, 4);
  const NcclLengths lengths = nccl_lengths(Kind::reduce, 16, Dtype::f32, 2);
  const std::vector<float> poison(4, -1);
  EXPECT_EQ(wrong(reference, 0, lengths, poison), 0u);
  EXPECT_EQ(wrong(reference, 1, lengths, poison), 4u);
}

TEST(NcclReference, WithManyRanksSumsStillFitTheSmallestType) {
  const NcclReference reference({Kind::all_reduce, Dtype::i8, "sum", 64, 0}, 5000);
  std::vector<int> sums(5000);
  for (int rank = 0; rank < 64; ++rank) {
    const auto given = typed<std::int8_t>(reference.input(rank));
    for (std::size_t i = 0; i < given.size(); ++i) sums[i] += given[i];
  }
  EXPECT_LE(*std::max_element(sums.begin(), sums.end()), 127);
}

}  // namespace
}  // namespace peerscope
