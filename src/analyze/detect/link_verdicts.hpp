// One word for each link that is in trouble, so that the detectors of links do not contradict each
// other: it flaps, or somebody else uses it, or it is slow.
#pragma once

#include <optional>
#include <vector>

#include "analyze/detect/link_counters.hpp"
#include "analyze/detect/link_suspects.hpp"

namespace peerscope {

enum class LinkWord : std::uint8_t { slow, contention, flapping };

struct LinkVerdict {
  LinkWord word = LinkWord::slow;
  PairKey key;
  LinkSuspect suspect;
  std::optional<int> device;              // of suspect.rank
  std::optional<ForeignTraffic> foreign;  // where its counters say something
  DeviceFlaps flaps;                      // of the device
};
std::vector<LinkVerdict> judge_links(const Snapshot& snapshot, const DetectOptions& options);

// One file each: slow_link.cpp, contention.cpp, flapping_link.cpp.
Finding describe_slow_link(const Snapshot& snapshot, const LinkVerdict& verdict);
Finding describe_contention(const Snapshot& snapshot, const LinkVerdict& verdict);
Finding describe_flapping_link(const Snapshot& snapshot, const LinkVerdict& verdict);

}  // namespace peerscope
