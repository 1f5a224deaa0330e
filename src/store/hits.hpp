// A narrow range's operations, as they pass a filter: for answers that are exact.
#pragma once

#include <cstdint>
#include <vector>

#include "store/chunk_cache.hpp"
#include "store/grouping.hpp"
#include "store/view.hpp"

namespace peerscope {

struct Hit {
  std::int64_t begin_ns = 0, host_ns = 0, device_ns = 0;  // negative: unknown
  std::uint64_t bytes = 0;
  std::uint32_t row = 0, weight = 0;  // weight 0: brings device times only
  bool error = false;
};

// All operations of these chunks that begin in `range` and pass; sizes by class. What is damaged is left out.
std::vector<Hit> find_hits(const StoreView& view, ChunkCache& cache, const ChunkRange& chunks,
                           const TimeRange& range, const OpFilter& filter, Grouping& grouping);

}  // namespace peerscope
