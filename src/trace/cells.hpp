// What a chunk knows about itself: counts, sums and histograms, so that many questions need no
// column.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "model/duration_bucket.hpp"
#include "trace/ops_chunk.hpp"

namespace peerscope {

class CellBuilder {
 public:
  void begin(std::span<const Shape> shapes);
  // Operations by columns, equally long; device times may be left out. Where there are too many cells, none will be kept.
  struct Columns {
    std::span<const std::uint64_t> shape, bytes, host_ns, device_ns;  // times: two's complement
  };
  void add(const Columns& columns);
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  [[nodiscard]] const std::vector<ChunkCell>& cells() const { return cells_; }
  [[nodiscard]] std::vector<ChunkSeries> series() const;

 private:
  struct Series {
    std::uint32_t key = 0;
    std::array<std::uint32_t, kDurationBuckets> host, device;
  };
  std::uint16_t new_cell(std::uint32_t shape, std::uint32_t size_class);
  void add_device(std::uint32_t cell, std::int64_t ns);

  bool overflowed_ = false;
  std::span<const Shape> shapes_;
  std::vector<std::uint16_t> cell_of_;  // shape * kSizeClasses + class -> cell + 1
  std::vector<ChunkCell> cells_;
  std::vector<std::uint32_t> series_of_;  // by cell
  std::vector<Series> series_;
};

// The blobs, from and to what they hold. Decoding refuses what cannot be.
void encode_cells(std::span<const ChunkCell> cells, std::vector<std::uint8_t>& out);
void encode_series(std::span<const ChunkSeries> series, std::vector<std::uint8_t>& out);
struct CellLimits {
  std::size_t shapes, cells;
  std::uint64_t operations;
};
Status decode_cells(std::span<const std::uint8_t> blob, std::uint32_t count,
                    const CellLimits& limits, std::vector<ChunkCell>& out);
Status decode_series(std::span<const std::uint8_t> blob, std::uint32_t count,
                     const CellLimits& limits, std::vector<ChunkSeries>& out);

}  // namespace peerscope
