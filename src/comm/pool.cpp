#include "comm/pool.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

#include <fmt/format.h>

#include "base/units.hpp"

namespace peerscope {

Pool::Pool(std::span<std::byte> memory) : memory_(memory) {
  stats_.capacity = memory.size() / kAlignment * kAlignment;
  if (stats_.capacity > 0) add_free(0, stats_.capacity);
}

std::size_t Pool::rounded(std::size_t bytes) {
  if (bytes <= kAlignment) return kAlignment;
  if (bytes > SIZE_MAX / 2) return bytes;  // no pool is that large: let the request fail, not wrap
  const std::size_t step = std::max(kAlignment, std::bit_floor(bytes - 1) / 4);
  return (bytes + step - 1) / step * step;
}

void Pool::add_free(std::size_t offset, std::size_t bytes) {
  free_.emplace(offset, bytes);
  free_by_size_.emplace(bytes, offset);
}

void Pool::remove_free(std::size_t offset, std::size_t bytes) {
  free_.erase(offset);
  free_by_size_.erase({bytes, offset});
}

Result<Block> Pool::take(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t size = rounded(bytes);
  const auto fit = free_by_size_.lower_bound({size, 0});
  if (fit == free_by_size_.end()) {
    ++stats_.failures;
    const std::size_t largest = free_by_size_.empty() ? 0 : free_by_size_.rbegin()->first;
    return Error{ErrorCode::no_memory,
                 fmt::format("the pool of registered memory has no block of {}: {} of {} are free, "
                             "the largest piece "
                             "is {}; release blocks or open the communicator with a larger pool",
                             format_bytes(bytes), format_bytes(stats_.capacity - stats_.used),
                             format_bytes(stats_.capacity), format_bytes(largest))};
  }
  const auto [free_bytes, offset] = *fit;
  remove_free(offset, free_bytes);
  if (free_bytes > size) add_free(offset + size, free_bytes - size);
  taken_.emplace(offset, Taken{bytes, size});
  ++stats_.allocations;
  stats_.used += size;
  stats_.requested += bytes;
  stats_.peak = std::max(stats_.peak, stats_.used);
  return Block{memory_.data() + offset, offset, bytes};
}

Status Pool::give_back(const Block& block) {
  const std::lock_guard lock(mutex_);
  const auto found = taken_.find(block.offset);
  if (found == taken_.end() || block.data != memory_.data() + block.offset) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("no block of this pool begins at offset {}: released twice?", block.offset)};
  }
  std::size_t offset = found->first, bytes = found->second.bytes;
  stats_.used -= bytes;
  stats_.requested -= found->second.requested;
  taken_.erase(found);
  const auto next = free_.lower_bound(offset);
  if (next != free_.begin()) {
    const auto [before, before_bytes] = *std::prev(next);
    if (before + before_bytes == offset) {
      remove_free(before, before_bytes);
      offset = before;
      bytes += before_bytes;
    }
  }
  if (const auto after = free_.find(offset + bytes); after != free_.end()) {
    const std::size_t after_bytes = after->second;
    remove_free(offset + bytes, after_bytes);
    bytes += after_bytes;
  }
  add_free(offset, bytes);
  return Done{};
}

void Pool::watch(std::function<void(const PoolStats&)> watcher) { watcher_ = std::move(watcher); }

void Pool::tell() const {
  if (!watcher_) return;
  const std::lock_guard lock(telling_);
  watcher_(stats());
}

Result<Block> Pool::allocate(std::size_t bytes) {
  Result<Block> block = take(bytes);
  tell();
  return block;
}

Status Pool::release(const Block& block) {
  const Status done = give_back(block);
  if (done) tell();
  return done;
}

PoolStats Pool::stats() const {
  const std::lock_guard lock(mutex_);
  PoolStats stats = stats_;
  stats.blocks = taken_.size();
  stats.largest_free = free_by_size_.empty() ? 0 : free_by_size_.rbegin()->first;
  const std::size_t free_bytes = stats.capacity - stats.used;
  if (free_bytes > 0) {
    stats.fragmentation =
        1.0 - static_cast<double>(stats.largest_free) / static_cast<double>(free_bytes);
  }
  return stats;
}

}  // namespace peerscope
