#include "trace/ops_chunk.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/size_class.hpp"
#include "trace/ops_encoder.hpp"
#include "trace/workload_for_test.hpp"

namespace peerscope {
namespace {

bool same(const Op& a, const Op& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

std::vector<std::uint8_t> encode(const std::vector<Op>& ops, std::uint32_t time_step_ns = 1) {
  OpsEncoder encoder(1, time_step_ns);
  encoder.add(ops);
  std::vector<std::uint8_t> section;
  encoder.encode({}, section);
  return section;
}

void expect_same(std::vector<Op> expected, std::span<const Op> got) {
  std::stable_sort(expected.begin(), expected.end(),
                   [](const Op& a, const Op& b) { return a.begin_ns < b.begin_ns; });
  ASSERT_EQ(expected.size(), got.size());
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_TRUE(same(expected[i], got[i])) << i;
}

std::vector<Op> wild_ops(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto any = [&](std::uint64_t of) { return random() % of; };
  std::vector<Op> ops(n);
  for (std::size_t i = 0; i < n; ++i) {
    Op& op = ops[i];
    op.begin_ns = static_cast<std::int64_t>(i * 1000 + any(900));
    op.host_duration_ns =
        any(5) == 0 ? kUnknownNs : static_cast<std::int64_t>(any(1ull << any(50)));
    if (any(3) == 0) {
      op.device_begin_ns = op.begin_ns + static_cast<std::int64_t>(any(100'000)) - 50'000;
      op.device_duration_ns = static_cast<std::int64_t>(any(1'000'000));
    }
    op.bytes = any(1ull << any(63));
    op.sequence = any(4) == 0 ? random() : i;
    op.comm = any(3);
    op.process = static_cast<std::uint32_t>(any(3));
    op.thread = static_cast<std::uint32_t>(any(2));
    op.weight = any(9) == 0 ? 64 : 1;
    op.rank = static_cast<std::uint16_t>(op.process);
    op.kind = static_cast<Kind>(any(17));
    op.status = static_cast<OpStatus>(any(7));
    op.async = any(2) != 0;
    op.device_only = any(5) == 0;
  }
  return ops;
}

TEST(OpsChunk, GivesBackEveryFieldOfEveryOperation) {
  for (const bool random : {false, true}) {
    const std::vector<Op> ops = TraceWorkload(random).take(65'536);
    auto chunk = OpsChunk::open(encode(ops));
    const std::vector<std::uint8_t> section = encode(ops);
    chunk = OpsChunk::open(section);
    ASSERT_TRUE(chunk) << chunk.error().message;
    expect_same(ops, chunk->ops());
    EXPECT_TRUE(chunk->status());
  }
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const std::vector<Op> ops = wild_ops(1 + seed * 37, seed);
    const std::vector<std::uint8_t> section = encode(ops);
    auto chunk = OpsChunk::open(section);
    ASSERT_TRUE(chunk);
    expect_same(ops, chunk->ops());
  }
}

TEST(OpsChunk, KeepsTheWorstTimesAndSizes) {
  std::vector<Op> ops(4);
  ops[0].begin_ns = INT64_MIN;
  ops[1].begin_ns = INT64_MAX;
  ops[1].bytes = UINT64_MAX;
  ops[1].sequence = UINT64_MAX;
  ops[2].host_duration_ns = INT64_MAX;
  ops[3].device_begin_ns = INT64_MAX;
  ops[3].device_duration_ns = INT64_MAX;
  const std::vector<std::uint8_t> section = encode(ops);
  auto chunk = OpsChunk::open(section);
  ASSERT_TRUE(chunk);
  expect_same(ops, chunk->ops());
}

// A step is at most what was allowed, and at most 1/256 of the median duration.
TEST(OpsChunk, RoundsTimesToWhatNobodyWillMiss) {
  for (const std::uint32_t step : {1u, 2u, 8u, 64u, 1024u}) {
    for (const bool short_ones : {false, true}) {
      std::vector<Op> ops = TraceWorkload(false).take(5000);
      for (std::size_t i = 0; i < ops.size(); ++i) {
        ops[i].process = static_cast<std::uint32_t>(i % 3);
        if (short_ones) ops[i].host_duration_ns /= 100;  // 180 ns
        ops[i].device_begin_ns = ops[i].begin_ns + 777;
        ops[i].device_duration_ns = ops[i].host_duration_ns + 13;
      }
      const std::vector<std::uint8_t> section = encode(ops, step);
      auto chunk = OpsChunk::open(section);
      const auto got = chunk->ops();
      ASSERT_EQ(got.size(), ops.size());
      const std::int64_t most = short_ones ? 0 : std::min<std::int64_t>(step, 64) / 2;
      std::stable_sort(ops.begin(), ops.end(),
                       [](const Op& a, const Op& b) { return a.begin_ns < b.begin_ns; });
      for (std::size_t i = 0; i < ops.size(); ++i) {
        ASSERT_EQ(got[i].sequence, ops[i].sequence);
        EXPECT_LE(std::abs(got[i].begin_ns - ops[i].begin_ns), most);
        EXPECT_LE(std::abs(got[i].host_duration_ns - ops[i].host_duration_ns), most);
        EXPECT_LE(std::abs(got[i].device_begin_ns - ops[i].device_begin_ns), 2 * most);
        EXPECT_LE(std::abs(got[i].device_duration_ns - ops[i].device_duration_ns), most);
      }
    }
  }
}

TEST(OpsChunk, StaysWithinItsBytes) {
  OpsEncoder encoder(1, 1);
  TraceWorkload iterative(false);
  TraceWorkload random(true);
  std::vector<std::uint8_t> section;
  for (int chunk = 0; chunk < 4; ++chunk) {
    encoder.add(iterative.take(65'536));
    encoder.encode({}, section);
  }
  EXPECT_LE(static_cast<double>(section.size()) / (4 * 65'536), 4.0);
  section.clear();
  for (int chunk = 0; chunk < 4; ++chunk) {
    encoder.add(random.take(65'536));
    encoder.encode({}, section);
  }
  EXPECT_LE(static_cast<double>(section.size()) / (4 * 65'536), 8.5);
}

struct Sums {
  std::uint64_t count = 0, bytes = 0, host_sum = 0, host_max = 0, device_count = 0;
  bool operator==(const Sums&) const = default;
};

TEST(OpsChunk, ItsCellsAddUpToItsOperations) {
  std::vector<Op> ops = wild_ops(3000, 7);
  for (Op& op : ops) op.weight = 1;
  const std::vector<std::uint8_t> section = encode(ops);
  auto chunk = OpsChunk::open(section);
  ASSERT_TRUE(chunk);
  ASSERT_TRUE(chunk->has_cells());
  std::map<std::pair<Kind, std::uint32_t>, Sums> expected, got;
  for (const Op& op : ops) {
    Sums& sums = expected[{op.kind, size_class(op.bytes)}];
    ++sums.count;
    sums.bytes += op.bytes;
    if (op.host_duration_ns >= 0) {
      sums.host_sum += static_cast<std::uint64_t>(op.host_duration_ns);
      sums.host_max = std::max(sums.host_max, static_cast<std::uint64_t>(op.host_duration_ns));
    }
    sums.device_count += op.device_duration_ns >= 0 ? 1 : 0;
  }
  for (const ChunkCell& cell : chunk->cells()) {
    Sums& sums = got[{chunk->shapes()[cell.shape].kind(), cell.size_class}];
    sums.count += cell.count;
    sums.bytes += cell.bytes;
    sums.host_sum += cell.host_sum_ns;
    sums.host_max = std::max(sums.host_max, cell.host_max_ns);
    sums.device_count += cell.device_count;
  }
  EXPECT_EQ(got, expected);
  std::uint64_t timed = 0;
  for (const ChunkSeries& series : chunk->series()) {
    for (const auto& [bucket, count] : series.buckets) timed += series.device ? 0 : count;
  }
  EXPECT_EQ(timed,
            static_cast<std::uint64_t>(std::count_if(
                ops.begin(), ops.end(), [](const Op& op) { return op.host_duration_ns >= 0; })));
}

TEST(OpsChunk, DecodesAColumnWithoutTheOthers) {
  const std::vector<Op> ops = TraceWorkload(false).take(1000);
  const std::vector<std::uint8_t> section = encode(ops);
  auto chunk = OpsChunk::open(section);
  const auto sequences = chunk->values(Column::sequence);
  ASSERT_EQ(sequences.size(), 1000u);
  for (std::size_t i = 0; i < sequences.size(); ++i) EXPECT_EQ(sequences[i], ops[i].sequence);
  const auto packed = chunk->packed(Column::bytes);
  ASSERT_TRUE(packed);
  for (std::size_t i = 0; i < ops.size(); ++i)
    EXPECT_EQ(packed->table[packed->index[i]], ops[i].bytes);
}

TEST(OpsChunk, NeverGivesAWrongOperationWhateverBitFlips) {
  const std::vector<Op> ops = wild_ops(200, 3);
  const std::vector<std::uint8_t> good = encode(ops);
  std::vector<Op> expected = ops;
  std::stable_sort(expected.begin(), expected.end(),
                   [](const Op& a, const Op& b) { return a.begin_ns < b.begin_ns; });
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::vector<std::uint8_t> bad = good;
    bad[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    auto chunk = OpsChunk::open(bad);
    if (!chunk) continue;
    const auto got = chunk->ops();
    if (!chunk->status()) {
      EXPECT_TRUE(got.empty());
      continue;
    }
    ASSERT_EQ(got.size(), expected.size());  // the flip was in the padding
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_TRUE(same(got[i], expected[i]));
  }
}

TEST(OpsChunk, EncoderStartsAnewAfterEachChunk) {
  OpsEncoder encoder(1, 1);
  TraceWorkload work(false);
  for (int i = 0; i < 3; ++i) {
    const std::vector<Op> ops = work.take(500);
    encoder.add(ops);
    std::vector<std::uint8_t> section;
    const format::IndexEntry entry = encoder.encode({}, section);
    EXPECT_EQ(entry.operations, 500u);
    EXPECT_EQ(entry.first_ns, ops.front().begin_ns);
    EXPECT_EQ(entry.last_ns, ops.back().begin_ns);
    auto chunk = OpsChunk::open(section);
    expect_same(ops, chunk->ops());
  }
}

}  // namespace
}  // namespace peerscope
