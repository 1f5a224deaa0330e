#include "trace/scan.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "model/size_class.hpp"

namespace peerscope {
namespace {

// Cells by (group, size class); a group is a (kind, algorithm, rank, peer), and many shapes are of
// one. Shapes find theirs once a chunk.
class Scan {
 public:
  Status add(OpsChunk& chunk) {
    const auto index = chunk.shape_index();
    const auto bytes = chunk.values(Column::bytes);
    const auto times = chunk.times(Column::host_duration);
    find_groups(chunk.shapes());
    if (!chunk.status()) return chunk.status();
    for (std::size_t at = 0; at < index.size(); at += kBlock) {
      const std::size_t n = std::min(kBlock, index.size() - at);
      add_block(index.subspan(at, n), bytes.subspan(at, n), times.subspan(at, n));
    }
    return Done{};
  }
  std::vector<ScanCell> take() {
    std::vector<ScanCell> all;
    all.reserve(count_);
    for (std::size_t i = 0; i < count_; ++i)
      all.push_back((*blocks_[i / kCellBlock])[i % kCellBlock]);
    return all;
  }

 private:
  static constexpr std::size_t kBlock = 64;
  static constexpr std::size_t kCellBlock = 64;  // cells that are allocated together and never move

  void find_groups(std::span<const Shape> shapes) {
    group_of_shape_.clear();
    error_of_shape_.clear();
    for (const Shape& shape : shapes) {
      const Op op = shape.op();
      const std::uint64_t key =
          static_cast<std::uint64_t>(op.kind) | static_cast<std::uint64_t>(op.algorithm) << 8 |
          static_cast<std::uint64_t>(op.rank) << 16 | static_cast<std::uint64_t>(op.peer) << 32;
      const auto [at, is_new] = groups_.emplace(key, static_cast<std::uint32_t>(of_group_.size()));
      if (is_new) {
        of_group_.push_back(op);
        cell_of_.resize(cell_of_.size() + kSizeClasses, nullptr);
      }
      group_of_shape_.push_back(at->second * kSizeClasses);
      error_of_shape_.push_back(op.status != OpStatus::ok && !op.device_only ? 1 : 0);
    }
  }

  ScanCell* new_cell(std::uint32_t place) {
    const Op& op = of_group_[place / kSizeClasses];
    if (count_ % kCellBlock == 0) blocks_.push_back(std::make_unique<Block>());
    ScanCell& cell = (*blocks_.back())[count_++ % kCellBlock];
    cell.kind = op.kind;
    cell.algorithm = op.algorithm;
    cell.size_class = static_cast<std::uint8_t>(place % kSizeClasses);
    cell.rank = op.rank;
    cell.peer = op.peer;
    return cell_of_[place] = &cell;
  }

  // Twice over a block: where there are many cells, the first pass asks the memory for them all at
  // once.
  void add_block(std::span<const std::uint32_t> index, std::span<const std::uint64_t> bytes,
                 std::span<const std::int64_t> times) {
    std::array<ScanCell*, kBlock> cells;
    std::array<std::uint32_t, kBlock> bucket;
    for (std::size_t i = 0; i < index.size(); ++i) {
      const std::uint32_t place = group_of_shape_[index[i]] + size_class(bytes[i]);
      cells[i] = cell_of_[place];
      if (cells[i] == nullptr) [[unlikely]]
        cells[i] = new_cell(place);
      bucket[i] = static_cast<std::uint32_t>(
          duration_bucket(static_cast<std::uint64_t>(std::max<std::int64_t>(times[i], 0))));
    }
    if (count_ > kFewCells) {
      for (std::size_t i = 0; i < index.size(); ++i) {
        __builtin_prefetch(cells[i], 1);
        __builtin_prefetch(&cells[i]->buckets[bucket[i]], 1);
      }
    }
    for (std::size_t i = 0; i < index.size(); ++i) {
      ScanCell& cell = *cells[i];
      ++cell.count;
      cell.bytes += bytes[i];
      cell.errors += error_of_shape_[index[i]];
      if (times[i] < 0) [[unlikely]]
        continue;
      const auto ns = static_cast<std::uint64_t>(times[i]);
      ++cell.timed;
      cell.sum_ns += ns;
      cell.min_ns = std::min(cell.min_ns, ns);
      cell.max_ns = std::max(cell.max_ns, ns);
      ++cell.buckets[bucket[i]];
    }
  }

  static constexpr std::size_t kFewCells = 256;  // fit the second-level cache
  std::unordered_map<std::uint64_t, std::uint32_t> groups_;
  std::vector<Op> of_group_;
  std::vector<ScanCell*> cell_of_;  // group * kSizeClasses + class -> cell
  using Block = std::array<ScanCell, kCellBlock>;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::size_t count_ = 0;
  std::vector<std::uint32_t> group_of_shape_;
  std::vector<std::uint8_t> error_of_shape_;
};

// Both columns have at most 256 values: one table look-up each.
std::uint64_t sum_packed(const OpsChunk::Packed& shape, const OpsChunk::Packed& bytes,
                         const std::vector<std::uint64_t>& mask_of_shape) {
  std::array<std::uint64_t, 256> mask{};
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const std::uint64_t number = shape.table[i];
    mask[i] = number < mask_of_shape.size() ? mask_of_shape[number] : 0;
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < shape.index.size(); ++i)
    sum += mask[shape.index[i]] & bytes.table[bytes.index[i]];
  return sum;
}

Status add_bytes(OpsChunk& chunk, const OpFilter& filter, std::uint64_t& sum) {
  std::vector<std::uint64_t> mask;
  for (const Shape& shape : chunk.shapes()) mask.push_back(filter.passes(shape) ? ~0ull : 0);
  if (!chunk.status()) return chunk.status();
  const auto shape = chunk.packed(Column::shape);
  const auto packed = chunk.packed(Column::bytes);
  if (shape && packed) {
    sum += sum_packed(*shape, *packed, mask);
    return Done{};
  }
  const auto index = chunk.shape_index();
  const auto bytes = chunk.values(Column::bytes);
  if (!chunk.status()) return chunk.status();
  for (std::size_t i = 0; i < index.size(); ++i) sum += mask[index[i]] & bytes[i];
  return Done{};
}

}  // namespace

Result<std::vector<ScanCell>> scan_histograms(const TraceReader& trace) {
  Scan scan;
  for (std::size_t i = 0; i < trace.chunks().size(); ++i) {
    auto chunk = trace.chunk(i);
    if (!chunk) return chunk.error();
    if (Status added = scan.add(*chunk); !added) return added.error();
  }
  return scan.take();
}

Result<std::uint64_t> scan_sum_bytes(const TraceReader& trace, const OpFilter& filter) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < trace.chunks().size(); ++i) {
    if (filter.kinds != 0 && (trace.chunks()[i].kinds & filter.kinds) == 0) continue;
    auto chunk = trace.chunk(i);
    if (!chunk) return chunk.error();
    if (Status added = add_bytes(*chunk, filter, sum); !added) return added.error();
  }
  return sum;
}

std::optional<std::uint64_t> statistics_sum_bytes(const TraceReader& trace,
                                                  const OpFilter& filter) {
  const Rollup* rollup = trace.rollup();
  if (rollup == nullptr) return std::nullopt;
  std::uint64_t sum = 0;
  for (const ChunkCell& cell : rollup->cells) {
    if (filter.passes(rollup->shapes[cell.shape])) sum += cell.bytes;
  }
  return sum;
}

}  // namespace peerscope
