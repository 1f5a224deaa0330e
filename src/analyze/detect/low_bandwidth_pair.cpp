// A pair of ranks that moves the same messages much slower than the other pairs of its
// communicator.
#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/statistics.hpp"
#include "analyze/detect/words.hpp"
#include "analyze/direction.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

struct PairRate {
  Direction direction;
  double bytes_per_s = 0.0;
  double time_ns = 0.0;  // all of its operations
  std::uint64_t samples = 0;
};

// Like is compared with like: one communicator, kind, size class and clock.
using GroupKey = std::tuple<std::uint64_t, Kind, std::uint8_t, Clock>;
using Groups = std::map<GroupKey, std::vector<PairRate>>;

Groups group(const Aggregates& aggregates, const DetectOptions& options) {
  Groups groups;
  for (const CellRow& cell : aggregates.cells) {
    const Direction way = direction(cell.kind, cell.rank, cell.peer);
    if (!way.known() || cell.other || cell.count == 0) continue;
    const bool on_device = cell.device_time.known();
    // The host's clock knows the enqueue only of what is asynchronous; a rank with a root may be done long before the
    // others, and a receiver waits for its sender first.
    if (!on_device && (cell.async || has_root(cell.kind) || cell.kind == Kind::recv)) continue;
    const Distribution& time = on_device ? cell.device_time : cell.host;
    const double bytes = static_cast<double>(cell.bytes) / static_cast<double>(cell.count);
    if (time.count < options.pair_min_samples || time.p50_ns <= 0.0) continue;
    if (bytes < static_cast<double>(options.pair_min_bytes)) continue;
    groups[{cell.comm, cell.kind, cell.size_class, on_device ? Clock::device : Clock::host}]
        .push_back({way, bytes / time.p50_ns * 1e9, time.mean_ns * static_cast<double>(time.count),
                    time.count});
  }
  return groups;
}

Finding finding(const Snapshot& snapshot, const GroupKey& key, const PairRate& pair,
                double others) {
  const auto& [comm, kind, size, clock] = key;
  const char* clock_name = clock == Clock::device ? "device" : "host";
  const double ratio = pair.bytes_per_s / others;
  Finding out;
  out.kind = "low_bandwidth_pair";
  out.subject.rank = pair.direction.from;
  out.subject.peer = pair.direction.to;
  out.subject.communicator = communicator_name(snapshot, comm);
  out.subject.operation = std::string(name(kind));
  out.sentence = fmt::format(
      "Rank {} → rank {} moves {} at {}, the other pairs at {} (median times, {} clock, since "
      "start).",
      pair.direction.from, pair.direction.to, operation_name(kind, size),
      format_bandwidth(pair.bytes_per_s), format_bandwidth(others), clock_name);
  out.action =
      "Compare the links of the two devices (width, generation, path: nvidia-smi topo -m); all "
      "pairs: peerscope report";
  out.confidence = std::min(0.95, 1.0 - ratio / 2.0);
  out.evidence = {{"bandwidth_bytes_per_s", pair.bytes_per_s},
                  {"others_bandwidth_bytes_per_s", others},
                  {"ratio", ratio},
                  {"samples", static_cast<double>(pair.samples)}};
  return out;
}

}  // namespace

void detect_low_bandwidth_pair(const Snapshot& snapshot, const DetectOptions& options,
                               std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  for (const auto& [key, pairs] : group(*snapshot.aggregates, options)) {
    if (pairs.size() < 3) continue;
    double time_ns = 0.0;
    for (const PairRate& pair : pairs) time_ns += pair.time_ns;
    for (const PairRate& pair : pairs) {
      std::vector<double> others;
      for (const PairRate& other : pairs) {
        if (&other != &pair) others.push_back(other.bytes_per_s);
      }
      const double slowest_other = *std::min_element(others.begin(), others.end());
      const double typical = median(std::move(others));
      // It must also stand apart from the slowest of the others: pairs may come in several honest
      // kinds (NVLink, PCIe).
      if (pair.bytes_per_s > options.pair_max_ratio * typical) continue;
      if (pair.bytes_per_s > 0.8 * slowest_other) continue;
      out.push_back(finding(snapshot, key, pair, typical));
      const double lost_ns = pair.time_ns * (1.0 - pair.bytes_per_s / typical);
      if (time_ns > 0.0) out.back().impact = std::clamp(lost_ns / time_ns, 0.0, 1.0);
    }
  }
}

}  // namespace peerscope
