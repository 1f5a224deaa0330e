#include "comm/pool.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace peerscope {
namespace {

struct PoolOf {
  explicit PoolOf(std::size_t bytes) : memory(bytes), pool(memory) {}
  std::vector<std::byte> memory;
  Pool pool;
};

TEST(Pool, ExhaustionIsAnErrorThatSaysHowMuchIsFree) {
  PoolOf of(4096);
  const Result<Block> most = of.pool.allocate(3000);
  ASSERT_TRUE(most);
  const Result<Block> more = of.pool.allocate(2000);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, ErrorCode::no_memory);
  EXPECT_NE(more.error().message.find("1 KB of 4 KB are free"), std::string::npos)
      << more.error().message;
  EXPECT_FALSE(of.pool.allocate(SIZE_MAX));
  EXPECT_EQ(of.pool.stats().failures, 2u);
  ASSERT_TRUE(of.pool.release(*most));
  EXPECT_TRUE(of.pool.allocate(4096));
}

TEST(Pool, AWatcherHearsOfEveryChangeThatWasMade) {
  PoolOf of(1 << 16);
  std::vector<std::size_t> used;
  of.pool.watch([&](const PoolStats& stats) { used.push_back(stats.used); });
  const Result<Block> block = of.pool.allocate(1024);
  ASSERT_TRUE(block);
  EXPECT_FALSE(of.pool.allocate(1 << 20));
  ASSERT_TRUE(of.pool.release(*block));
  EXPECT_FALSE(of.pool.release(*block));
  EXPECT_EQ(used, (std::vector<std::size_t>{1024, 1024, 0}));
}

TEST(Pool, CountsUsePeakAndAllocations) {
  PoolOf of(1 << 16);
  const Result<Block> a = of.pool.allocate(1000), b = of.pool.allocate(100);
  ASSERT_TRUE(a && b);
  PoolStats stats = of.pool.stats();
  EXPECT_EQ(stats.capacity, 65536u);
  EXPECT_EQ(stats.requested, 1100u);
  EXPECT_EQ(stats.used, Pool::rounded(1000) + Pool::rounded(100));
  EXPECT_EQ(stats.blocks, 2u);
  ASSERT_TRUE(of.pool.release(*a));
  const PoolStats after = of.pool.stats();
  EXPECT_EQ(after.peak, stats.used);
  EXPECT_EQ(after.used, Pool::rounded(100));
  EXPECT_EQ(after.allocations, 2u);
}

TEST(Pool, FragmentationIsTheShareOfFreeMemoryOutsideTheLargestPiece) {
  PoolOf of(4 * 1024);
  std::vector<Block> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(*of.pool.allocate(1024));
  EXPECT_EQ(of.pool.stats().fragmentation, 0.0);
  ASSERT_TRUE(of.pool.release(blocks[0]));
  ASSERT_TRUE(of.pool.release(blocks[2]));
  EXPECT_DOUBLE_EQ(of.pool.stats().fragmentation, 0.5);
  EXPECT_FALSE(of.pool.allocate(2048)) << "enough is free, but not in one piece";
  ASSERT_TRUE(of.pool.release(blocks[1]));
  EXPECT_EQ(of.pool.stats().fragmentation, 0.0) << "neighbours merge";
  EXPECT_TRUE(of.pool.allocate(3 * 1024));
}

TEST(Pool, RoundingTakesAtMostAQuarterMore) {
  for (std::size_t bytes = 1024; bytes < 100'000; bytes += 37) {
    EXPECT_GE(Pool::rounded(bytes), bytes);
    EXPECT_LE(Pool::rounded(bytes), bytes + bytes / 4);
  }
}

TEST(Pool, RefusesABlockReleasedTwice) {
  PoolOf of(4096);
  const Result<Block> block = of.pool.allocate(10);
  ASSERT_TRUE(block);
  EXPECT_TRUE(of.pool.release(*block));
  EXPECT_FALSE(of.pool.release(*block));
  EXPECT_FALSE(of.pool.release(Block{}));
}

TEST(Pool, BlocksNeverOverlapAndAllMemoryComesBack) {
  PoolOf of(1 << 18);
  std::mt19937 random(3);
  std::vector<Block> held;
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 2) {
      if (const Result<Block> block = of.pool.allocate(1 + random() % 9000)) {
        std::fill_n(block->data, block->bytes, static_cast<std::byte>(block->offset >> 8));
        held.push_back(*block);
      }
    } else if (!held.empty()) {
      std::swap(held[random() % held.size()], held.back());
      const Block& block = held.back();
      ASSERT_EQ(std::count(block.data, block.data + block.bytes,
                           static_cast<std::byte>(block.offset >> 8)),
                static_cast<std::ptrdiff_t>(block.bytes));
      ASSERT_TRUE(of.pool.release(block));
      held.pop_back();
    }
  }
  for (const Block& block : held) ASSERT_TRUE(of.pool.release(block));
  const PoolStats stats = of.pool.stats();
  EXPECT_EQ(stats.used, 0u);
  EXPECT_EQ(stats.requested, 0u);
  EXPECT_EQ(stats.largest_free, stats.capacity);
}

}  // namespace
}  // namespace peerscope
