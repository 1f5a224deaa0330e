// Adds one chunk's operations to the lanes.
#pragma once

#include "store/chunk_columns.hpp"
#include "store/density.hpp"

namespace peerscope {

// Which interval of an operation counts: begin and duration; of the devices' time or the host's.
struct Intervals {
  bool device = false;
  [[nodiscard]] std::span<const std::int64_t> begins(const ChunkColumns& c) const {
    return device ? c.device_begin : c.begin;
  }
  [[nodiscard]] std::span<const std::int64_t> durations(const ChunkColumns& c) const {
    return device ? c.device : c.host;
  }
  // Whether an operation has a place on such a lane: device times alone do not make a host's operation.
  [[nodiscard]] bool has(const ChunkColumns& c, std::size_t i, bool device_only) const {
    return device ? c.device_begin[i] != kUnknownNs && c.device[i] >= 0 : !device_only;
  }
  [[nodiscard]] TimelineLane lane(const Op& op) const {
    TimelineLane lane;
    lane.process = op.process;
    lane.rank = op.rank;
    if (device) {
      lane.stream = op.stream;
    } else {
      lane.thread = op.thread;
    }
    return lane;
  }
};

// Least and greatest begin of such intervals; first > last: there are none.
struct Span {
  std::int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;
  void add(std::int64_t ns) {
    first_ns = ns < first_ns ? ns : first_ns;
    last_ns = ns > last_ns ? ns : last_ns;
  }
  void add(const Span& other) {
    first_ns = other.first_ns < first_ns ? other.first_ns : first_ns;
    last_ns = other.last_ns > last_ns ? other.last_ns : last_ns;
  }
  [[nodiscard]] bool empty() const { return first_ns > last_ns; }
  [[nodiscard]] bool overlaps(std::int64_t from, std::int64_t to) const {
    return first_ns <= to && last_ns >= from;
  }
};
Span span_of(const ChunkColumns& columns, Intervals which);

// Those that begin in [from_ns, to_ns]; all of that must be covered.
struct DensityTask {
  const ChunkColumns& columns;
  Intervals which;
  std::int64_t from_ns, to_ns;
};
void add_density(const DensityTask& task, Density& density);

}  // namespace peerscope
