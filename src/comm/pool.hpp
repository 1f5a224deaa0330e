// Registered memory handed out in blocks: what other ranks may read and write by Communicator::copy
// and get.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <utility>

#include "base/result.hpp"

namespace peerscope {

struct Block {
  std::byte* data = nullptr;
  std::size_t offset = 0;  // within the pool: what peers name in `Remote`
  std::size_t bytes = 0;   // as asked for
};

struct PoolStats {
  std::size_t capacity = 0;
  std::size_t used = 0;       // rounded up to size classes
  std::size_t requested = 0;  // as asked for; used - requested is lost to rounding
  std::size_t peak = 0;       // of `used`
  std::size_t blocks = 0;     // handed out and not released
  std::size_t largest_free = 0;
  std::uint64_t allocations = 0;
  std::uint64_t failures = 0;
  double fragmentation = 0.0;  // 1 - largest_free / free: 0 when the free memory is in one piece
};

// Best fit over size classes of four to an octave (at most a quarter is lost to rounding),
// neighbours merge on release. The memory belongs to the caller. Any thread may call; not for the
// hot path.
class Pool {
 public:
  explicit Pool(std::span<std::byte> memory);

  // `no_memory` says how much is free and how much of it in one piece.
  Result<Block> allocate(std::size_t bytes);
  // `invalid_argument` if the block is not (or no longer) one of this pool.
  Status release(const Block& block);
  PoolStats stats() const;
  // Hears of every change, after it, from whoever made it. Set before others use the pool.
  void watch(std::function<void(const PoolStats&)> watcher);

  // Every block begins at a multiple of it.
  static constexpr std::size_t kAlignment = 256;
  // The size class of a request: what it takes from the pool.
  static std::size_t rounded(std::size_t bytes);

 private:
  struct Taken {
    std::size_t requested, bytes;
  };
  void add_free(std::size_t offset, std::size_t bytes);
  void remove_free(std::size_t offset, std::size_t bytes);
  Result<Block> take(std::size_t bytes);
  Status give_back(const Block& block);
  void tell() const;

  mutable std::mutex mutex_, telling_;  // the second: who tells last tells the latest
  std::span<std::byte> memory_;
  std::map<std::size_t, Taken> taken_;                          // by offset
  std::map<std::size_t, std::size_t> free_;                     // offset -> bytes
  std::set<std::pair<std::size_t, std::size_t>> free_by_size_;  // (bytes, offset)
  PoolStats stats_;
  std::function<void(const PoolStats&)> watcher_;
};

}  // namespace peerscope
