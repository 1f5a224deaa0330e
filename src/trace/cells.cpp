#include "trace/cells.hpp"

#include <algorithm>

#include "model/size_class.hpp"
#include "trace/bytes.hpp"
#include "trace/format.hpp"

namespace peerscope {
namespace {

constexpr std::uint32_t kSizeClasses = 66;

std::uint32_t series_key(const Shape& shape, std::uint32_t size_class) {
  const Op op = shape.op();
  return static_cast<std::uint32_t>(op.kind) << 16 | static_cast<std::uint32_t>(op.algorithm) << 8 |
         size_class;
}

void add_time(std::uint64_t ns, std::uint64_t& count, std::uint64_t& sum, std::uint64_t& min,
              std::uint64_t& max) {
  min = count == 0 ? ns : std::min(min, ns);
  max = std::max(max, ns);
  sum += ns;
  ++count;
}

}  // namespace

void CellBuilder::begin(std::span<const Shape> shapes) {
  shapes_ = shapes;
  cells_.clear();
  series_of_.clear();
  series_.clear();
  overflowed_ = shapes.size() > format::kMaxCells;
  if (!overflowed_) cell_of_.assign(shapes.size() * kSizeClasses, 0);
}

std::uint16_t CellBuilder::new_cell(std::uint32_t shape, std::uint32_t size_class) {
  ChunkCell cell;
  cell.shape = shape;
  cell.size_class = size_class;
  cells_.push_back(cell);
  const std::uint32_t key = series_key(shapes_[shape], size_class);
  const auto found =
      std::find_if(series_.begin(), series_.end(), [key](const Series& s) { return s.key == key; });
  series_of_.push_back(static_cast<std::uint32_t>(found - series_.begin()));
  if (found == series_.end()) {
    Series& series = series_.emplace_back();
    series.key = key;
    series.host.fill(0);
    series.device.fill(0);
  }
  return static_cast<std::uint16_t>(cells_.size());
}

void CellBuilder::add(const Columns& columns) {
  const std::size_t n = columns.shape.size();
  for (std::size_t i = 0; i < n && !overflowed_; ++i) {
    const auto shape = static_cast<std::uint32_t>(columns.shape[i]);
    const std::uint64_t bytes = columns.bytes[i];
    std::uint16_t& place = cell_of_[shape * kSizeClasses + size_class(bytes)];
    if (place == 0) [[unlikely]] {
      if (cells_.size() == format::kMaxCells) {
        overflowed_ = true;
        return;
      }
      place = new_cell(shape, size_class(bytes));
    }
    const std::uint32_t index = place - 1U;
    ChunkCell& cell = cells_[index];
    ++cell.count;
    cell.bytes += bytes;
    if (const auto ns = static_cast<std::int64_t>(columns.host_ns[i]); ns >= 0) [[likely]] {
      const auto time = static_cast<std::uint64_t>(ns);
      add_time(time, cell.host_count, cell.host_sum_ns, cell.host_min_ns, cell.host_max_ns);
      ++series_[series_of_[index]].host[duration_bucket(time)];
    }
    if (columns.device_ns.empty()) continue;
    if (const auto ns = static_cast<std::int64_t>(columns.device_ns[i]); ns >= 0)
      add_device(index, ns);
  }
}

void CellBuilder::add_device(std::uint32_t index, std::int64_t ns) {
  const auto time = static_cast<std::uint64_t>(ns);
  ChunkCell& cell = cells_[index];
  add_time(time, cell.device_count, cell.device_sum_ns, cell.device_min_ns, cell.device_max_ns);
  ++series_[series_of_[index]].device[duration_bucket(time)];
}

namespace {

void append_series(std::uint32_t key, bool device,
                   const std::array<std::uint32_t, kDurationBuckets>& buckets,
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
  for (const Series& one : series_) {
    append_series(one.key, false, one.host, all);
    append_series(one.key, true, one.device, all);
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
