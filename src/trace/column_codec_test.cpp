#include "trace/column_codec.hpp"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/crc32c.hpp"
#include "trace/kernels.hpp"

namespace peerscope {
namespace {

using testing::ElementsAreArray;

std::vector<std::uint64_t> random_values(std::size_t n, std::uint64_t mask, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> values(n);
  for (std::uint64_t& value : values) value = random() & mask;
  return values;
}

ColumnReader reopen(const ColumnWriter& writer) {
  auto reader = ColumnReader::open(writer.columns(), writer.streams(),
                                   SectionBytes::in_memory(writer.body()), 0);
  EXPECT_TRUE(reader);
  return *reader;
}

TEST(Crc32c, IsThatOfTheStandard) {
  EXPECT_EQ(crc32c("123456789", 9), 0xE306'9283u);
  EXPECT_EQ(crc32c("", 0), 0u);
}

TEST(ColumnCodec, GivesBackWhatItGotAtEveryWidthAndLength) {
  for (unsigned bits = 0; bits <= 64; ++bits) {
    for (const std::size_t n : {1u, 2u, 15u, 16u, 17u, 1000u, 65'536u}) {
      const std::uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
      const auto values = random_values(n, mask, bits * 1000 + n);
      auto copy = values, copy_signed = values, copy_repeating = values;
      ColumnWriter writer(1);
      writer.add(3, copy, Texture::noise);
      writer.add_signed(4, copy_signed, Texture::noise);
      writer.add_repeating(5, copy_repeating);
      const ColumnReader reader = reopen(writer);
      for (const std::uint8_t id : std::initializer_list<std::uint8_t>{3, 4, 5}) {
        const auto back = reader.values(id, n);
        ASSERT_TRUE(back) << back.error().message;
        ASSERT_EQ(*back, values) << "bits " << bits << " n " << n << " column " << int{id};
      }
    }
  }
}

TEST(ColumnCodec, StoresFewDifferentValuesAsATable) {
  std::vector<std::uint64_t> values;
  for (std::size_t i = 0; i < 65'536; ++i) values.push_back(16'384ull << (i % 3));
  const auto expected = values;
  ColumnWriter writer(1);
  writer.add_repeating(5, values);
  EXPECT_LT(writer.body().size(), 200u);
  EXPECT_EQ(*reopen(writer).values(5, expected.size()), expected);
}

TEST(ColumnCodec, NoticesEveryFlippedBit) {
  auto values = random_values(300, 0xFFFF, 1);
  ColumnWriter writer(1);
  writer.add(3, values, Texture::noise);
  std::vector<std::uint8_t> body(writer.body().begin(), writer.body().end());
  for (std::size_t at = 0; at < body.size(); ++at) {
    body[at] = static_cast<std::uint8_t>(body[at] ^ 1U << (at % 8));
    const auto reader =
        ColumnReader::open(writer.columns(), writer.streams(), SectionBytes::in_memory(body), 0);
    ASSERT_TRUE(reader);
    EXPECT_FALSE(reader->values(3, 300));
    body[at] = static_cast<std::uint8_t>(body[at] ^ 1U << (at % 8));
  }
}

TEST(ColumnCodec, SaysThatAColumnIsMissingOrTooShort) {
  auto values = random_values(300, 0xFFFF, 1);
  ColumnWriter writer(1);
  writer.add(3, values, Texture::noise);
  const ColumnReader reader = reopen(writer);
  EXPECT_FALSE(reader.values(4, 300));
  EXPECT_FALSE(reader.values(3, 301));
  EXPECT_FALSE(ColumnReader::open(writer.columns(), writer.streams(),
                                  SectionBytes::in_memory(writer.body().subspan(1)), 0));
}

TEST(Kernels, RangeIsUnsigned) {
  const std::vector<std::uint64_t> values{5, ~0ull, 1ull << 63, 7};
  const kernels::Range range = kernels::range_of(values.data(), values.size());
  EXPECT_EQ(range.min, 5u);
  EXPECT_EQ(range.max, ~0ull);
}

// 32 bits or 64: the same numbers wherever 32 are said to be enough, over more than one block.
TEST(Kernels, TimesAreNumberedAlikeAtBothWidths) {
  std::mt19937_64 random(7);
  for (const std::size_t n : {1u, 511u, 512u, 513u, 1300u}) {
    for (const unsigned shift : {0u, 1u, 6u}) {
      std::vector<std::uint64_t> begins, durations;
      for (std::size_t i = 0; i < n; ++i) {
        begins.push_back(1'000'000'000 + i * 20'000 - random() % 50'000);  // not always in order
        durations.push_back(random() % 9 == 0 ? UINT64_MAX : random() % 30'000);
      }
      std::vector<std::uint32_t> begin32(n), duration32(n);
      std::vector<std::uint64_t> begin64(n), duration64(n);
      const kernels::Times narrow = kernels::number_times(begins.data(), durations.data(), n, shift,
                                                          begin32.data(), duration32.data());
      const kernels::Times wide = kernels::number_times(begins.data(), durations.data(), n, shift,
                                                        begin64.data(), duration64.data());
      EXPECT_EQ(narrow.too_wide, 0u);
      EXPECT_EQ(narrow.first_ns, wide.first_ns);
      EXPECT_EQ(narrow.last_ns, wide.last_ns);
      std::uint64_t expected = 0;  // where the one before ended, in steps
      const std::uint64_t half = shift == 0 ? 0 : 1ull << (shift - 1);
      for (std::size_t i = 0; i < n; ++i) {
        const auto since =
            static_cast<std::int64_t>(begins[i] - begins[0] + half) >> static_cast<int>(shift);
        ASSERT_EQ(begin64[i], static_cast<std::uint64_t>(since) - expected);
        const std::uint64_t steps = (durations[i] + half) >> shift;
        ASSERT_EQ(duration64[i], durations[i] == UINT64_MAX ? 0 : steps + 1);
        expected = static_cast<std::uint64_t>(since) + (duration64[i] == 0 ? 0 : steps);
        ASSERT_EQ(static_cast<std::int64_t>(static_cast<std::int32_t>(begin32[i])),
                  static_cast<std::int64_t>(begin64[i]));
        ASSERT_EQ(duration32[i], duration64[i]);
      }
    }
  }
}

TEST(Kernels, SaysWhenTimesDoNotFitInto32Bits) {
  const auto fits = [](std::uint64_t second_begin, std::uint64_t duration) {
    const std::uint64_t begins[]{1ull << 40, second_begin};
    const std::uint64_t durations[]{duration, 5};
    std::uint32_t begin[2], out[2];
    return kernels::number_times(begins, durations, 2, 0, begin, out).too_wide == 0;
  };
  constexpr std::uint64_t kFirst = 1ull << 40;
  EXPECT_TRUE(fits(kFirst + (1u << 30) - 1, 0));
  EXPECT_FALSE(fits(kFirst + (1u << 30), 0));
  EXPECT_TRUE(fits(kFirst - (1u << 30), 0));
  EXPECT_FALSE(fits(kFirst - (1u << 30) - 1, 0));
  EXPECT_TRUE(fits(kFirst + UINT32_MAX, UINT32_MAX - 1));  // begins as it ended
  EXPECT_FALSE(fits(kFirst + UINT32_MAX, UINT32_MAX));
}

}  // namespace
}  // namespace peerscope
