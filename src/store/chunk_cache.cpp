#include "store/chunk_cache.hpp"

#include <algorithm>

namespace peerscope {

Result<std::shared_ptr<const StoredChunk>> StoredChunk::of(OpsChunk chunk) {
  const std::shared_ptr<StoredChunk> stored(new StoredChunk(std::move(chunk)));
  auto columns = ChunkColumns::of(stored->chunk_);
  if (!columns) return columns.error();
  stored->columns_ = *columns;
  return std::shared_ptr<const StoredChunk>(stored);
}

std::size_t StoredChunk::memory_bytes() const {
  constexpr std::size_t kWords = 5;  // begin, two durations, device begin, bytes
  return sizeof *this + columns_.size() * (kWords * sizeof(std::uint64_t) + sizeof(std::uint32_t)) +
         columns_.shapes.size_bytes();
}

Result<std::shared_ptr<const StoredChunk>> ChunkCache::get(const TraceReader& trace,
                                                           std::size_t chunk) {
  const std::uint64_t id = trace.chunk_id(chunk);
  const auto wanted = [&](const Entry& e) { return e.trace == trace.trace_id() && e.chunk == id; };
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = std::find_if(entries_.begin(), entries_.end(), wanted);
        found != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, found);
      return entries_.front().stored;
    }
  }
  auto opened = trace.chunk(chunk);
  if (!opened) return opened.error();
  auto made = StoredChunk::of(std::move(*opened));
  if (!made) return made.error();
  const std::shared_ptr<const StoredChunk>& stored = *made;
  const std::lock_guard lock(mutex_);
  // Another thread may have been faster: then there are two for a while, and the older goes.
  entries_.push_front({trace.trace_id(), id, stored});
  bytes_ += stored->memory_bytes();
  while (bytes_ > most_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.back().stored->memory_bytes();
    entries_.pop_back();
  }
  return stored;
}

std::size_t ChunkCache::memory_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace peerscope
