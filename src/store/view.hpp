// What a query sees: a trace and its index at one moment. Neither changes.
#pragma once

#include <memory>
#include <vector>

#include "store/index.hpp"
#include "store/store.hpp"
#include "trace/reader.hpp"

namespace peerscope {

class ChunkCache;

struct StoreView {
  std::shared_ptr<const TraceReader> trace;
  std::shared_ptr<const IndexView> index;
  std::int64_t first_ns = kUnknownNs, last_ns = kUnknownNs;  // begins
};

// Chunks with operations that may begin in [from, to) and be of these kinds.
struct ChunkRange {
  std::vector<std::size_t> chunks;  // ascending
  std::uint64_t operations = 0, indexed = 0;

  static ChunkRange of(const StoreView& view, const OpFilter& filter);
  // Few enough to be looked at one by one.
  [[nodiscard]] bool within(std::uint64_t most_operations, std::size_t most_chunks) const {
    return operations <= most_operations && chunks.size() <= most_chunks;
  }
  [[nodiscard]] double indexed_share() const {
    return operations == 0 ? 1 : static_cast<double>(indexed) / static_cast<double>(operations);
  }
};
// So many operations are computed exactly: some 20 ms.
inline constexpr std::uint64_t kExactOperations = 262'144;
inline constexpr std::size_t kExactChunks = 64;

// [from, to) of a filter, its open ends set to those of the trace.
struct TimeRange {
  std::int64_t from_ns = 0, to_ns = 0;
  [[nodiscard]] bool empty() const { return from_ns >= to_ns; }
  // To - from: up to 2^64 - 1.
  [[nodiscard]] std::uint64_t length() const {
    return empty() ? 0 : static_cast<std::uint64_t>(to_ns) - static_cast<std::uint64_t>(from_ns);
  }
};
TimeRange closed_range(const StoreView& view, const OpFilter& filter);
// The same, widened to whole slots of 2^shift ns.
TimeRange widened(const TimeRange& range, unsigned shift);

// `range` in at most `most` steps of equal length, a multiple of 2^shift ns. The last may reach beyond its end.
struct Steps {
  std::int64_t from_ns = 0, step_ns = 1;
  std::size_t count = 0;
  [[nodiscard]] std::int64_t begin(std::size_t i) const;
  [[nodiscard]] std::size_t at(std::int64_t ns) const;  // of a time from from_ns on
};
Steps steps_of(const TimeRange& range, std::uint64_t wanted_ns, std::size_t most, unsigned shift);

// The queries of Store, see there.
Result<OperationPage> find_operations(const StoreView& view, const OperationQuery& query);
Result<CollectivePage> find_collectives(const StoreView& view, const OperationQuery& query);
Result<AggregateTable> aggregate_trace(const StoreView& view, ChunkCache& cache,
                                       const AggregateQuery& query);
Result<HeatMap> make_heat_map(const StoreView& view, ChunkCache& cache, const HeatMapQuery& query);
Result<Timeline> make_timeline(const StoreView& view, ChunkCache& cache,
                               const TimelineQuery& query);

}  // namespace peerscope
