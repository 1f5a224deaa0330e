#include "record/layout.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace peerscope {
namespace {

struct Fields {
  std::uint64_t begin, duration, bytes, sequence;
  pscope_op op;
  std::uint64_t status, comm, stream, peer;
};

Record pack(const Fields& f) {
  return {pack_w0(Tag::phase, f.begin), pack_meta(f.op) | f.duration | f.status << kStatusShift,
          pack_w2(f.bytes, f.comm, f.stream), pack_w3(f.sequence, f.peer)};
}

TEST(Record, GivesBackEveryFieldThatWasPacked) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 10'000; ++round) {
    Fields f{random() & kBeginMask,
             random() & kDurationMax,
             random() & kBytesMax,
             random() & kSequenceMask,
             {},
             random() & 31,
             random() & 0xFFF,
             random() & 0xFFF,
             random() & 0xFFFF};
    f.op.kind = random() & 31;
    f.op.algorithm = random() & 31;
    f.op.protocol = random() & 7;
    f.op.dtype = random() & 15;
    f.op.async = random() & 1;
    const Record r = pack(f);
    ASSERT_EQ(r.tag(), Tag::phase);
    ASSERT_EQ(r.begin(), f.begin);
    ASSERT_EQ(r.duration(), f.duration);
    ASSERT_EQ(r.kind(), f.op.kind);
    ASSERT_EQ(r.algorithm(), f.op.algorithm);
    ASSERT_EQ(r.protocol(), f.op.protocol);
    ASSERT_EQ(r.dtype(), f.op.dtype);
    ASSERT_EQ(r.async(), f.op.async == 1);
    ASSERT_FALSE(r.sampled());
    ASSERT_EQ(r.status(), f.status);
    ASSERT_EQ(r.bytes(), f.bytes);
    ASSERT_EQ(r.comm(), f.comm);
    ASSERT_EQ(r.stream(), f.stream);
    ASSERT_EQ(r.sequence(), f.sequence);
    ASSERT_EQ(r.peer(), f.peer);
  }
}

TEST(Record, SaturatesBytesInsteadOfWrapping) {
  const Record r{0, 0, pack_w2(kBytesMax + 1, 5, 7), 0};
  EXPECT_EQ(r.bytes(), kBytesMax);
  EXPECT_EQ(r.comm(), 5);
  EXPECT_EQ(r.stream(), 7);
}

TEST(Record, KeepsWideValuesOutOfTheNeighbouringFields) {
  pscope_op op{};
  op.kind = op.algorithm = op.protocol = op.dtype = op.async = 0xFF;
  const Record r{pack_w0(Tag::op, UINT64_MAX), pack_meta(op), pack_w2(0, 0xFFFFF, 0),
                 pack_w3(UINT64_MAX, 0)};
  EXPECT_EQ(r.tag(), Tag::op);
  EXPECT_EQ(r.duration(), 0u);
  EXPECT_EQ(r.status(), 0);
  EXPECT_FALSE(r.sampled());
  EXPECT_EQ(r.stream(), 0);
  EXPECT_EQ(r.peer(), 0);
}

TEST(Histogram, BucketsBelowEightAreExact) {
  for (std::uint32_t value = 0; value < 8; ++value) EXPECT_EQ(histogram_bucket(value), value);
  EXPECT_EQ(histogram_bucket(8), 8u);
}

TEST(Histogram, BucketsNeverDecreaseAndStayInTheTable) {
  std::uint32_t last = 0;
  for (unsigned shift = 0; shift < 64; ++shift) {
    for (std::uint64_t step = 0; step < 16; ++step) {
      const std::uint64_t value =
          (std::uint64_t{1} << shift) + (shift >= 4 ? step << (shift - 4) : 0);
      const std::uint32_t bucket = histogram_bucket(value);
      ASSERT_GE(bucket, last) << value;
      ASSERT_LT(bucket, kHistogramBuckets);
      last = bucket;
    }
  }
  EXPECT_EQ(histogram_bucket(UINT64_MAX), kHistogramBuckets - 1);
}

TEST(Histogram, MiddleOfABucketIsWithinASixteenthOfItsValues) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 10'000; ++round) {
    const std::uint64_t value = (random() >> (24 + random() % 37)) | 8;
    const std::uint32_t bucket = histogram_bucket(value);
    const double width = std::exp2(bucket / 8 - 1);
    const double middle = (8 + bucket % 8 + 0.5) * width;
    ASSERT_LE(std::abs(middle - static_cast<double>(value)), static_cast<double>(value) / 16)
        << value;
  }
}

TEST(Segment, LeavesRoomForTheBaseInTheSmallestFile) {
  EXPECT_LT(kRingsOffset + 4 * ring_bytes(kFirstRingLog2), std::uint64_t{1} << 20);
  EXPECT_EQ(kRingsOffset % kPageBytes, 0u);
  EXPECT_EQ(ring_bytes(kSmallRingLog2) % kPageBytes, 0u);
}

}  // namespace
}  // namespace peerscope
