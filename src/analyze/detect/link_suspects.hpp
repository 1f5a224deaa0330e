// What pairs of ranks say about links: which became slow, and whose link explains it.
//
// A link that two devices share alone makes one pair slow; the port of a device makes all its pairs
// slow. So slow pairs are not told one by one, but by the smallest thing that explains them.
#pragma once

#include <string>
#include <vector>

#include "analyze/detect/pairs.hpp"

namespace peerscope {

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

// What findings about a suspect have in common: subject, time, evidence.
Finding link_finding(const Snapshot& snapshot, const PairKey& key, const LinkSuspect& suspect);
std::string link_words(
    const LinkSuspect& suspect);  // "between rank 2 and rank 5", "between rank 3 and its peers"

}  // namespace peerscope
