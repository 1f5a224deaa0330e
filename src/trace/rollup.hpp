// The cells of all chunks of a file together: answers about the whole need no chunk.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "trace/ops_chunk.hpp"

namespace peerscope {

// Cells whose `shape` indexes `shapes`, and histograms.
struct Rollup {
  std::vector<Shape> shapes;
  std::vector<ChunkCell> cells;
  std::vector<ChunkSeries> series;
};

class RollupBuilder {
 public:
  // Not complete any more once a chunk had no cells, or there are too many.
  void add(std::span<const Shape> shapes, std::span<const ChunkCell> cells,
           std::span<const ChunkSeries> series);
  void add_incomplete() { complete_ = false; }
  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] Rollup take() const;

 private:
  static constexpr std::size_t kMaxCells = 16'384;
  struct Hash {
    std::size_t operator()(const Shape& shape) const;
  };
  bool complete_ = true;
  std::unordered_map<Shape, std::uint32_t, Hash> numbers_;
  std::vector<Shape> shapes_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, ChunkCell> cells_;  // by shape and size class
  std::map<std::uint32_t, std::map<std::uint16_t, std::uint64_t>> series_;
};

// As the end section holds it; decoding checks everything.
void encode_rollup(const Rollup& rollup, std::vector<std::uint8_t>& out);
Result<Rollup> decode_rollup(std::span<const std::uint8_t> in);

}  // namespace peerscope
