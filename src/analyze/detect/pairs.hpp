// Pairs of ranks that exchange data, beside each other: what each takes, and took.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "analyze/detect/detect.hpp"
#include "analyze/direction.hpp"

namespace peerscope {

// Like is compared with like: one communicator, kind, size class and clock.
using PairKey = std::tuple<std::uint64_t, Kind, std::uint8_t, Clock>;

struct PairState {
  Direction way;
  double bytes = 0;        // mean size
  double p50_ns = 0;       // since start
  double bytes_per_s = 0;  // one over the other
  double time_ns = 0;      // all of its operations
  std::uint64_t samples = 0;
  std::vector<HistoryPoint> points;  // of the last 16 s
};

struct PairGroup {
  PairKey key;
  std::vector<PairState> pairs;
};
// Cells whose times say something of a link, from pair.min_bytes on. Where both ends recorded a transfer its time is the
// shorter of the two: whoever comes first waits for the other, and that is no transfer. Receives count as sends.
// `past`: with points.
std::vector<PairGroup> pair_groups(const Aggregates& aggregates, const DetectOptions& options,
                                   bool past);

// The device of a rank in a communicator, where its operations say it.
std::optional<int> device_of(const Aggregates& aggregates, std::uint64_t comm, int rank);

}  // namespace peerscope
