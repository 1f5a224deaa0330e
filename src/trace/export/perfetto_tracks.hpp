// The tracks of a Perfetto trace: a process track for each rank; under it one for each thread (host
// times), stream (device times) and clock of bandwidth. Each is described before its first event.
#pragma once

#include <map>
#include <vector>

#include "trace/export/lanes.hpp"
#include "trace/export/perfetto_packets.hpp"

namespace peerscope::perfetto {

class Tracks {
 public:
  Tracks(const TraceMeta& meta, Packets& packets) : meta_(meta), packets_(packets) {}

  // The uuid of a track on which the interval nests.
  std::uint64_t interval(const Op& op, LaneKind kind, std::int64_t begin_ns, std::int64_t end_ns);
  std::uint64_t interval(const Mark& mark, std::int64_t end_ns);
  // Of bandwidth by one clock: host and device times are never mixed.
  std::uint64_t bandwidth(const Op& op, LaneKind clock);

 private:
  struct Rank {
    std::uint64_t uuid = 0;
    std::uint64_t by_host = 0, by_device = 0;  // counters; 0: none so far
  };
  using RankKey = std::pair<std::uint32_t, std::uint16_t>;  // process, rank

  Rank& rank_of(std::uint32_t process, std::uint16_t rank, const Op* first);
  std::uint64_t place(const LaneKey& key, std::uint64_t parent, std::int64_t begin_ns,
                      std::int64_t end_ns);
  [[nodiscard]] std::string title_of(std::uint32_t process, std::uint16_t rank,
                                     const Op* first) const;

  const TraceMeta& meta_;
  Packets& packets_;
  Lanes lanes_;
  std::vector<std::uint64_t> lane_uuids_;
  std::map<RankKey, Rank> ranks_;
  std::uint64_t last_uuid_ = 0;
};

}  // namespace peerscope::perfetto
