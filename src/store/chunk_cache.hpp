// Decoded chunks that were asked for last: whoever looks closely looks at the same place again.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "store/chunk_columns.hpp"

namespace peerscope {

// Never changes. Its columns have no sequence numbers.
class StoredChunk {
 public:
  explicit StoredChunk(const ChunkColumns& from);
  StoredChunk(const StoredChunk&) = delete;
  StoredChunk& operator=(const StoredChunk&) = delete;
  [[nodiscard]] const ChunkColumns& columns() const { return columns_; }
  [[nodiscard]] std::size_t memory_bytes() const { return bytes_; }

 private:
  std::vector<Shape> shapes_;
  std::vector<std::uint32_t> shape_;
  std::vector<std::int64_t> begin_, host_, device_begin_, device_;
  std::vector<std::uint64_t> op_bytes_;
  std::size_t bytes_ = 0;
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
