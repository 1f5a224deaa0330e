// Whole-trace questions, answered by columns.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "model/duration_bucket.hpp"
#include "trace/reader.hpp"

namespace peerscope {

// Host times of one (kind, algorithm, size class, rank, peer).
struct alignas(64) ScanCell {
  std::uint64_t count = 0, bytes = 0, timed = 0, sum_ns = 0, min_ns = UINT64_MAX, max_ns = 0;
  std::uint32_t errors = 0;
  std::uint16_t rank = kNoRank, peer = kNoPeer;
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  std::uint8_t size_class = 0;
  std::array<std::uint32_t, kDurationBuckets> buckets{};
};

// Every operation of the trace, from its columns.
Result<std::vector<ScanCell>> scan_histograms(const TraceReader& trace);

// Sum of bytes of the operations whose shape passes (time and size bounds of the filter are not
// looked at), from the columns of shapes and bytes.
Result<std::uint64_t> scan_sum_bytes(const TraceReader& trace, const OpFilter& filter);

// The same from what the file knows about itself; empty where it does not.
std::optional<std::uint64_t> statistics_sum_bytes(const TraceReader& trace, const OpFilter& filter);

}  // namespace peerscope
