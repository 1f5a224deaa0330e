#include "store/hits.hpp"

namespace peerscope {
namespace {

struct ShapeFacts {
  Op op;
  bool passes = false;
};

void add_hits(const ChunkColumns& c, const TimeRange& range, const CellFilter& filter,
              Grouping& grouping, std::vector<Hit>& out) {
  constexpr std::uint32_t kUnasked = UINT32_MAX;
  std::vector<ShapeFacts> shapes;
  for (const Shape& shape : c.shapes) {
    const Op op = shape.op();
    shapes.push_back({op, filter.passes_shape(CellKey::of(op, 0))});
  }
  std::vector<std::uint32_t> rows(c.shapes.size() * kSizeClasses, kUnasked);
  for (std::size_t i = 0; i < c.size(); ++i) {
    const ShapeFacts& shape = shapes[c.shape[i]];
    if (!shape.passes || c.begin[i] < range.from_ns || c.begin[i] >= range.to_ns) continue;
    const std::uint8_t size = size_class(c.bytes[i]);
    if (!filter.passes_class(size)) continue;
    std::uint32_t& row = rows[c.shape[i] * kSizeClasses + size];
    if (row == kUnasked) row = grouping.row_of(CellKey::of(shape.op, size));
    Hit hit;
    hit.begin_ns = c.begin[i];
    hit.host_ns = shape.op.device_only ? kUnknownNs : c.host[i];
    hit.device_ns = c.device[i];
    hit.bytes = c.bytes[i];
    hit.row = row;
    hit.weight = shape.op.device_only ? 0 : shape.op.weight;
    hit.error = shape.op.status != OpStatus::ok;
    out.push_back(hit);
  }
}

}  // namespace

std::vector<Hit> find_hits(const StoreView& view, ChunkCache& cache, const ChunkRange& chunks,
                           const TimeRange& range, const OpFilter& filter, Grouping& grouping) {
  std::vector<Hit> hits;
  const CellFilter cells(filter);
  if (cells.open()) hits.reserve(chunks.operations);
  for (const std::size_t chunk : chunks.chunks) {
    if (const auto stored = cache.get(*view.trace, chunk))
      add_hits((*stored)->columns(), range, cells, grouping, hits);
  }
  return hits;
}

}  // namespace peerscope
