// Decoded chunks that were asked for last: whoever looks closely looks at the same place again.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

#include "store/chunk_columns.hpp"

namespace peerscope {

// A chunk with its columns decoded, all but the sequence numbers. Nothing else is asked of it, so that any number of
// threads may read it.
class StoredChunk {
 public:
  static Result<std::shared_ptr<const StoredChunk>> of(OpsChunk chunk);
  [[nodiscard]] const ChunkColumns& columns() const { return columns_; }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  explicit StoredChunk(OpsChunk chunk) : chunk_(std::move(chunk)) {}
  OpsChunk chunk_;
  ChunkColumns columns_;
};

class ChunkCache {
 public:
  explicit ChunkCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  // Any thread.
  Result<std::shared_ptr<const StoredChunk>> get(const TraceReader& trace, std::size_t chunk);
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Entry {
    std::uint64_t trace = 0, chunk = 0;
    std::shared_ptr<const StoredChunk> stored;
  };
  const std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // used last first
  std::size_t bytes_ = 0;
};

}  // namespace peerscope
