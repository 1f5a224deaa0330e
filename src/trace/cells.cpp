#include "trace/cells.hpp"

#include <algorithm>

#include "trace/bytes.hpp"
#include "trace/format.hpp"

namespace peerscope {
namespace {

std::uint32_t series_key(const Shape& shape, std::uint32_t size_class) {
  const Op op = shape.op();
  return static_cast<std::uint32_t>(op.kind) << 16 | static_cast<std::uint32_t>(op.algorithm) << 8 |
         size_class;
}

}  // namespace

void CellBuilder::begin(std::span<const Shape> shapes) {
  shapes_ = shapes;
  building_.clear();
  series_.clear();
  buckets_.clear();
  cells_.clear();
  overflowed_ = shapes.size() > format::kMaxCells;
  if (!overflowed_) cell_of_.assign(shapes.size() * kSizeClasses, 0);
}

// Beyond the limit all go to the last one, which nobody will see.
CellBuilder::Building& CellBuilder::new_cell(std::uint32_t shape, std::uint32_t size_class) {
  overflowed_ = overflowed_ || building_.size() == format::kMaxCells;
  if (overflowed_ && !building_.empty()) return building_.back();
  Building cell;
  cell.shape = shape;
  cell.size_class = size_class;
  const std::uint32_t key = series_key(shapes_[shape], size_class);
  const auto found = std::find(series_.begin(), series_.end(), key);
  cell.host_buckets = static_cast<std::size_t>(found - series_.begin()) * 2 * kDurationBuckets;
  if (found == series_.end()) {
    series_.push_back(key);
    buckets_.resize(buckets_.size() + 2 * kDurationBuckets);
  }
  building_.push_back(cell);
  cell_of_[shape * kSizeClasses + size_class] = static_cast<std::uint16_t>(building_.size());
  return building_.back();
}

void CellBuilder::finish() {
  if (overflowed_) return;
  const auto least = [](const Times& times) { return times.count == 0 ? 0 : times.min_ns; };
  for (const Building& b : building_) {
    cells_.push_back({b.shape, b.size_class, b.host.count + b.without_host, b.bytes, b.host.count,
                      b.host.sum_ns, least(b.host), b.host.max_ns, b.device.count, b.device.sum_ns,
                      least(b.device), b.device.max_ns});
  }
}

namespace {

void append_series(std::uint32_t key, bool device, std::span<const std::uint32_t> buckets,
                   std::vector<ChunkSeries>& out) {
  ChunkSeries series;
  series.kind = static_cast<Kind>(key >> 16);
  series.algorithm = static_cast<Algorithm>(key >> 8 & 255);
  series.size_class = static_cast<std::uint8_t>(key);
  series.device = device;
  for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket) {
    if (buckets[bucket] != 0)
      series.buckets.emplace_back(static_cast<std::uint16_t>(bucket), buckets[bucket]);
  }
  if (!series.buckets.empty()) out.push_back(std::move(series));
}

}  // namespace

std::vector<ChunkSeries> CellBuilder::series() const {
  std::vector<ChunkSeries> all;
  if (overflowed_) return all;
  std::span<const std::uint32_t> rest = buckets_;
  for (const std::uint32_t key : series_) {
    for (const bool device : {false, true}) {
      append_series(key, device, rest.first(kDurationBuckets), all);
      rest = rest.subspan(kDurationBuckets);
    }
  }
  return all;
}

void encode_cells(std::span<const ChunkCell> cells, std::vector<std::uint8_t>& out) {
  for (const ChunkCell& cell : cells) {
    put_varint(out, cell.shape);
    put_varint(out, cell.size_class);
    for (const std::uint64_t value :
         {cell.count, cell.bytes, cell.host_count, cell.host_sum_ns, cell.host_min_ns,
          cell.host_max_ns - cell.host_min_ns, cell.device_count, cell.device_sum_ns,
          cell.device_min_ns, cell.device_max_ns - cell.device_min_ns})
      put_varint(out, value);
  }
}

void encode_series(std::span<const ChunkSeries> all, std::vector<std::uint8_t>& out) {
  for (const ChunkSeries& series : all) {
    put_varint(out, static_cast<std::uint64_t>(series.kind));
    put_varint(out, static_cast<std::uint64_t>(series.algorithm));
    put_varint(out, series.size_class);
    put_varint(out, series.device ? 1 : 0);
    put_varint(out, series.buckets.size());
    std::uint64_t last = 0;
    for (const auto& [bucket, count] : series.buckets) {
      put_varint(out, bucket - last);
      put_varint(out, count);
      last = bucket;
    }
  }
}

Status decode_cells(std::span<const std::uint8_t> blob, std::uint32_t count,
                    const CellLimits& limits, std::vector<ChunkCell>& out) {
  const Error broken{ErrorCode::corrupt, "the cells are damaged"};
  if (count > limits.cells) return broken;
  out.clear();
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint64_t v[format::kCellFields];
    for (std::uint64_t& value : v) {
      if (!take_varint(blob, value)) return broken;
    }
    if (v[0] >= limits.shapes || v[1] >= kSizeClasses || v[2] > limits.operations) return broken;
    ChunkCell cell;
    cell.shape = static_cast<std::uint32_t>(v[0]);
    cell.size_class = static_cast<std::uint32_t>(v[1]);
    cell.count = v[2];
    cell.bytes = v[3];
    cell.host_count = v[4];
    cell.host_sum_ns = v[5];
    cell.host_min_ns = v[6];
    cell.host_max_ns = v[6] + v[7];
    cell.device_count = v[8];
    cell.device_sum_ns = v[9];
    cell.device_min_ns = v[10];
    cell.device_max_ns = v[10] + v[11];
    if (cell.host_count > cell.count || cell.device_count > cell.count) return broken;
    out.push_back(cell);
  }
  if (!blob.empty()) return broken;
  return Done{};
}

Status decode_series(std::span<const std::uint8_t> blob, std::uint32_t count,
                     const CellLimits& limits, std::vector<ChunkSeries>& out) {
  const Error broken{ErrorCode::corrupt, "the histograms are damaged"};
  out.clear();
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint64_t v[5];
    for (std::uint64_t& value : v) {
      if (!take_varint(blob, value)) return broken;
    }
    if (v[0] > 31 || v[1] > 31 || v[2] >= kSizeClasses || v[3] > 1 || v[4] > kDurationBuckets)
      return broken;
    ChunkSeries& series = out.emplace_back();
    series.kind = static_cast<Kind>(v[0]);
    series.algorithm = static_cast<Algorithm>(v[1]);
    series.size_class = static_cast<std::uint8_t>(v[2]);
    series.device = v[3] != 0;
    std::uint64_t bucket = 0;
    for (std::uint64_t b = 0; b < v[4]; ++b) {
      std::uint64_t step = 0;
      std::uint64_t n = 0;
      if (!take_varint(blob, step) || !take_varint(blob, n)) return broken;
      bucket += step;
      if (step > kDurationBuckets || bucket >= kDurationBuckets || n > limits.operations)
        return broken;
      series.buckets.emplace_back(static_cast<std::uint16_t>(bucket), n);
    }
  }
  if (!blob.empty()) return broken;
  return Done{};
}

}  // namespace peerscope
