// What a chunk knows about itself: counts, sums and histograms, so that many questions need no
// column.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "model/duration_bucket.hpp"
#include "model/size_class.hpp"
#include "trace/ops_chunk.hpp"

namespace peerscope {

class CellBuilder {
 public:
  void begin(std::span<const Shape> shapes);
  // One operation; times in two's complement, negative ones are unknown. Where there are too many
  // cells, none will be kept.
  void add(std::uint32_t shape, std::uint64_t bytes, std::uint64_t host_ns) {
    Building& cell = cell_of(shape, bytes);
    cell.bytes += bytes;
    if (static_cast<std::int64_t>(host_ns) >= 0) [[likely]] {
      cell.host.add(host_ns);
      ++buckets_[cell.host_buckets + duration_bucket(host_ns)];
    } else {
      ++cell.without_host;
    }
  }
  // Its device time, after add().
  void add_device(std::uint32_t shape, std::uint64_t bytes, std::uint64_t device_ns) {
    if (static_cast<std::int64_t>(device_ns) < 0) return;
    Building& cell = cell_of(shape, bytes);
    cell.device.add(device_ns);
    ++buckets_[cell.host_buckets + kDurationBuckets + duration_bucket(device_ns)];
  }
  void finish();
  // Also right after begin(): where there are too many shapes, add() must not be called.
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  // After finish().
  [[nodiscard]] const std::vector<ChunkCell>& cells() const { return cells_; }
  [[nodiscard]] std::vector<ChunkSeries> series() const;

 private:
  struct Times {
    std::uint64_t count = 0, sum_ns = 0, min_ns = UINT64_MAX, max_ns = 0;
    void add(std::uint64_t ns) {
      ++count;
      sum_ns += ns;
      min_ns = std::min(min_ns, ns);
      max_ns = std::max(max_ns, ns);
    }
  };
  struct Building {
    std::uint32_t shape = 0, size_class = 0;
    std::size_t host_buckets = 0;  // where its series' begin; those of device times follow
    std::uint64_t bytes = 0, without_host = 0;
    Times host, device;
  };
  Building& cell_of(std::uint32_t shape, std::uint64_t bytes) {
    const std::uint16_t place = cell_of_[shape * kSizeClasses + size_class(bytes)];
    return place != 0 ? building_[place - 1U] : new_cell(shape, size_class(bytes));
  }
  Building& new_cell(std::uint32_t shape, std::uint32_t size_class);

  bool overflowed_ = false;
  std::span<const Shape> shapes_;
  std::vector<std::uint16_t> cell_of_;  // shape * kSizeClasses + class -> cell + 1
  std::vector<Building> building_;
  std::vector<std::uint32_t> series_;   // keys
  std::vector<std::uint32_t> buckets_;  // of each series: host times, device times
  std::vector<ChunkCell> cells_;
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
