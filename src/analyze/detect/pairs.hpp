// What pairs of ranks say about links: which became slow, and whose link explains it.
//
// A link that two devices share alone makes one pair slow; the port of a device makes all its pairs
// slow. So slow pairs are not told one by one, but by the smallest thing that explains them.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "analyze/detect/change.hpp"
#include "analyze/detect/detect.hpp"
#include "analyze/direction.hpp"

namespace peerscope {

// Like is compared with like: one communicator, kind, size class and clock.
using PairKey = std::tuple<std::uint64_t, Kind, std::uint8_t, Clock>;

struct PairState {
  const CellRow* cell = nullptr;
  Direction way;
  double bytes_per_s = 0;  // mean size over the median time, since start
  double time_ns = 0;      // all of its operations
  std::uint64_t samples = 0;
};

struct PairGroup {
  PairKey key;
  std::vector<PairState> pairs;
};
// Cells whose times say something of a link, from pair.min_bytes on.
std::vector<PairGroup> pair_groups(const Aggregates& aggregates, const DetectOptions& options);

enum class LinkTrouble : std::uint8_t { slow, flapping };

// The thing that explains slow pairs.
struct LinkSuspect {
  LinkTrouble trouble = LinkTrouble::slow;
  int rank = -1, peer = -1;  // peer -1: the port of the rank's device
  bool shared = false;       // neither: pairs of several ranks, which have something in common
  std::vector<int> ranks;    // of all its pairs
  std::size_t slow_pairs = 0, judged_pairs = 0;  // of the rank, or of the communicator where shared
  double slowdown = 1, z = 0;                    // medians over its pairs
  double before_bytes_per_s = 0, now_bytes_per_s = 0;
  std::uint64_t flaps = 0;
  std::int64_t since_ns = -1;
  std::uint64_t samples = 0;
  double lost_share = 0;  // of the time of all pairs of the group
};
// Against their own past, as of now.
std::vector<LinkSuspect> suspect_links(const PairGroup& group, std::int64_t now_ns,
                                       const DetectOptions& options);

// The device of a rank in a communicator, where its operations say it.
std::optional<int> device_of(const Aggregates& aggregates, std::uint64_t comm, int rank);

// What the device's counters say about traffic that is not ours since `since_ns`: bytes counted per byte of ours, now over
// before. Empty: unknown.
struct ForeignTraffic {
  double ratio = 1;
  double now_bytes_per_s = 0, before_bytes_per_s = 0;
  const char* link = "NVLink";
};
std::optional<ForeignTraffic> foreign_traffic(const Snapshot& snapshot, int device,
                                              std::int64_t since_ns);

// How often a device's errors rose or its links went, with calm between.
struct DeviceFlaps {
  std::uint64_t error_bursts = 0, drops = 0;
  std::int64_t since_ns = -1;
};
DeviceFlaps device_flaps(const DeviceSummary& device);

// What findings about a suspect have in common: subject, time, evidence.
Finding link_finding(const Snapshot& snapshot, const PairKey& key, const LinkSuspect& suspect);
std::string link_words(
    const LinkSuspect& suspect);  // "rank 2 → rank 5", "All that rank 3 exchanges"

}  // namespace peerscope
