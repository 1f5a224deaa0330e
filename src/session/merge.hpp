// Traces of several hosts as one: their clocks aligned, their processes numbered anew.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "session/monitor.hpp"
#include "trace/reader.hpp"
#include "trace/writer.hpp"

namespace peerscope {

// How one trace's times are brought to the first one's clock.
struct Alignment {
  std::int64_t shift_ns = 0;        // added to its times
  std::int64_t uncertainty_ns = 0;  // the true shift is within this, as far as is known
  std::uint64_t collectives = 0;    // that bounded it; 0: by the system clocks alone
  bool contradicted = false;        // its collectives allow no shift at all
};

// No rank leaves a synchronising collective before the last has arrived: each collective that spans
// two hosts bounds the shift between their clocks, begin_a <= end_b + shift and the other way round.
// Within these bounds the system clocks decide.
Result<std::vector<Alignment>> align(const std::vector<TraceReader>& traces);

// In the order of time. `progress` gets the operations done so far.
Status merge(const std::vector<TraceReader>& traces, const std::vector<Alignment>& alignments,
             const MonitorOptions& options, TraceWriter& out,
             const std::function<void(std::uint64_t)>& progress);

}  // namespace peerscope
