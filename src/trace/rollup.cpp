#include "trace/rollup.hpp"

#include <algorithm>

#include "trace/bytes.hpp"
#include "trace/cells.hpp"

namespace peerscope {
namespace {

void merge(std::uint64_t count, std::uint64_t sum, std::uint64_t min, std::uint64_t max,
           std::uint64_t& count_to, std::uint64_t& sum_to, std::uint64_t& min_to,
           std::uint64_t& max_to) {
  if (count == 0) return;
  min_to = count_to == 0 ? min : std::min(min_to, min);
  max_to = std::max(max_to, max);
  count_to += count;
  sum_to += sum;
}

std::uint32_t series_key(const ChunkSeries& s) {
  return static_cast<std::uint32_t>(s.kind) << 24 | static_cast<std::uint32_t>(s.algorithm) << 16 |
         static_cast<std::uint32_t>(s.size_class) << 8 | (s.device ? 1 : 0);
}

}  // namespace

std::size_t RollupBuilder::Hash::operator()(const Shape& shape) const {
  std::uint64_t hash = 0;
  for (const std::uint64_t word : shape.words)
    hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15u ^ hash >> 31;
  return static_cast<std::size_t>(hash ^ hash >> 32);
}

void RollupBuilder::add(std::span<const Shape> shapes, std::span<const ChunkCell> cells,
                        std::span<const ChunkSeries> series) {
  if (!complete_) return;
  std::vector<std::uint32_t> number(shapes.size());
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const auto [at, is_new] =
        numbers_.emplace(shapes[i], static_cast<std::uint32_t>(shapes_.size()));
    if (is_new) shapes_.push_back(shapes[i]);
    number[i] = at->second;
  }
  for (const ChunkCell& cell : cells) {
    ChunkCell& to = cells_[{number[cell.shape], cell.size_class}];
    to.shape = number[cell.shape];
    to.size_class = cell.size_class;
    to.count += cell.count;
    to.bytes += cell.bytes;
    merge(cell.host_count, cell.host_sum_ns, cell.host_min_ns, cell.host_max_ns, to.host_count,
          to.host_sum_ns, to.host_min_ns, to.host_max_ns);
    merge(cell.device_count, cell.device_sum_ns, cell.device_min_ns, cell.device_max_ns,
          to.device_count, to.device_sum_ns, to.device_min_ns, to.device_max_ns);
  }
  for (const ChunkSeries& one : series) {
    for (const auto& [bucket, count] : one.buckets) series_[series_key(one)][bucket] += count;
  }
  if (cells_.size() > kMaxCells) complete_ = false;
}

Rollup RollupBuilder::take() const {
  Rollup rollup;
  rollup.shapes = shapes_;
  for (const auto& [key, cell] : cells_) rollup.cells.push_back(cell);
  for (const auto& [key, buckets] : series_) {
    ChunkSeries series;
    series.kind = static_cast<Kind>(key >> 24);
    series.algorithm = static_cast<Algorithm>(key >> 16 & 255);
    series.size_class = static_cast<std::uint8_t>(key >> 8);
    series.device = (key & 1) != 0;
    series.buckets.assign(buckets.begin(), buckets.end());
    rollup.series.push_back(std::move(series));
  }
  return rollup;
}

// Three lengths, then the shapes as they lie in memory, then the two blobs.
void encode_rollup(const Rollup& rollup, std::vector<std::uint8_t>& out) {
  std::vector<std::uint8_t> cells;
  encode_cells(rollup.cells, cells);
  append_struct(out, static_cast<std::uint32_t>(rollup.shapes.size()));
  append_struct(out, static_cast<std::uint32_t>(rollup.cells.size()));
  append_struct(out, static_cast<std::uint32_t>(rollup.series.size()));
  append_struct(out, static_cast<std::uint32_t>(cells.size()));
  append_structs(out, std::span<const Shape>(rollup.shapes));
  out.insert(out.end(), cells.begin(), cells.end());
  encode_series(rollup.series, out);
}

Result<Rollup> decode_rollup(std::span<const std::uint8_t> in) {
  const Error broken{ErrorCode::corrupt, "the file's statistics are damaged"};
  std::uint32_t shapes = 0, cells = 0, series = 0, cell_bytes = 0;
  Rollup rollup;
  if (!take_struct(in, shapes) || !take_struct(in, cells) || !take_struct(in, series) ||
      !take_struct(in, cell_bytes) || !take_structs(in, shapes, rollup.shapes) ||
      cell_bytes > in.size())
    return broken;
  for (const Shape& shape : rollup.shapes) {
    if (!shape.is_valid()) return broken;
  }
  const CellLimits limits{shapes, std::size_t{1} << 20, UINT64_MAX};
  if (Status read = decode_cells(in.first(cell_bytes), cells, limits, rollup.cells); !read)
    return read.error();
  if (Status read = decode_series(in.subspan(cell_bytes), series, limits, rollup.series); !read)
    return read.error();
  return rollup;
}

}  // namespace peerscope
