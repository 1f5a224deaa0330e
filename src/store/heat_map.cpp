// How long operations took, over time.
#include <algorithm>
#include <array>

#include "store/hits.hpp"
#include "store/slots.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kMostColumns = 4096;

using Column = std::array<std::uint64_t, kDurationBuckets>;

// The bucket's largest value.
double top_of(std::size_t bucket) {
  const std::size_t shift = bucket < 16 ? 0 : (bucket >> 3) - 1;
  const std::uint64_t low = static_cast<std::uint64_t>(bucket - (shift << 3)) << shift;
  return static_cast<double>(low + (std::uint64_t{1} << shift) - 1);
}

// Without the buckets below and above all that holds something.
void trim_into(const std::vector<Column>& columns, HeatMap& map) {
  std::size_t first = kDurationBuckets, last = 0;
  for (const Column& column : columns) {
    for (std::size_t b = 0; b < kDurationBuckets; ++b) {
      if (column[b] == 0) continue;
      first = std::min(first, b);
      last = std::max(last, b);
    }
  }
  for (std::size_t b = first; b <= last; ++b) map.bucket_top_ns.push_back(top_of(b));
  for (const Column& column : columns) {
    map.columns.emplace_back();
    for (std::size_t b = first; b <= last; ++b) map.columns.back().push_back(column[b]);
  }
}

HeatMap shaped(const Steps& steps) {
  HeatMap map;
  map.from_ns = steps.from_ns;
  map.to_ns = steps.begin(steps.count);
  map.column_ns = steps.step_ns;
  return map;
}

HeatMap exact_map(const StoreView& view, ChunkCache& cache, const HeatMapQuery& query,
                  const ChunkRange& chunks) {
  const TimeRange range = closed_range(view, query.filter);
  const Steps steps =
      steps_of(range, 1, std::clamp<std::size_t>(query.columns, 1, kMostColumns), 0);
  Grouping grouping({});
  std::vector<Column> columns(steps.count);
  for (const Hit& hit : find_hits(view, cache, chunks, range, query.filter, grouping)) {
    const std::int64_t ns = query.device ? hit.device_ns : hit.host_ns;
    if (ns >= 0) ++columns[steps.at(hit.begin_ns)][duration_bucket(static_cast<std::uint64_t>(ns))];
  }
  HeatMap map = shaped(steps);
  trim_into(columns, map);
  return map;
}

HeatMap slot_map(const StoreView& view, const HeatMapQuery& query) {
  const SlotView& slots = view.index->slots;
  const TimeRange range = widened(closed_range(view, query.filter), slots.shift);
  const Steps steps =
      steps_of(range, 1, std::clamp<std::size_t>(query.columns, 1, kMostColumns), slots.shift);
  const CellFilter filter(query.filter);
  std::vector<std::uint8_t> passes;
  for (const CellKey& key : *view.index->cells) passes.push_back(filter.passes(key) ? 1 : 0);
  std::vector<Column> columns(steps.count);
  for (std::int64_t n = slots.base; n < slots.end() && steps.count > 0; ++n) {
    const Slot* slot = slots.at(n);
    const std::int64_t begin = n * slots.slot_ns();
    if (slot == nullptr || begin < range.from_ns || begin >= range.to_ns) continue;
    Column& column = columns[steps.at(begin)];
    for_each_cell(*slot, [&](const SlotCell& cell, auto host, auto device, const TimeSums*) {
      if (passes[cell.cell] == 0) return;
      for (const std::uint32_t each : query.device ? device : host)
        column[PackedBucket::bucket(each)] += PackedBucket::count(each);
    });
  }
  HeatMap map = shaped(steps);
  trim_into(columns, map);
  return map;
}

}  // namespace

Result<HeatMap> make_heat_map(const StoreView& view, ChunkCache& cache, const HeatMapQuery& query) {
  const ChunkRange chunks = ChunkRange::of(view, query.filter);
  return chunks.within(kExactOperations, kExactChunks) ? exact_map(view, cache, query, chunks)
                                                       : slot_map(view, query);
}

}  // namespace peerscope
