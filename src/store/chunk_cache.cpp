#include "store/chunk_cache.hpp"

#include <algorithm>

namespace peerscope {
namespace {

template <class T>
std::vector<T> copy_of(std::span<const T> from, std::size_t& bytes) {
  bytes += from.size_bytes();
  return {from.begin(), from.end()};
}

}  // namespace

StoredChunk::StoredChunk(const ChunkColumns& from)
    : shapes_(copy_of(from.shapes, bytes_)),
      shape_(copy_of(from.shape, bytes_)),
      begin_(copy_of(from.begin, bytes_)),
      host_(copy_of(from.host, bytes_)),
      device_begin_(copy_of(from.device_begin, bytes_)),
      device_(copy_of(from.device, bytes_)),
      op_bytes_(copy_of(from.bytes, bytes_)) {
  columns_.shapes = shapes_;
  columns_.shape = shape_;
  columns_.begin = begin_;
  columns_.host = host_;
  columns_.device_begin = device_begin_;
  columns_.device = device_;
  columns_.bytes = op_bytes_;
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
  const auto columns = ChunkColumns::of(*opened);
  if (!columns) return columns.error();
  auto stored = std::make_shared<const StoredChunk>(*columns);
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
