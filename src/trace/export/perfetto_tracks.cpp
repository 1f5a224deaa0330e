#include "trace/export/perfetto_tracks.hpp"

#include <fmt/format.h>

namespace peerscope::perfetto {
namespace {

std::string title_of(const LaneKey& key, std::size_t beside) {
  std::string title = key.kind == LaneKind::host ? fmt::format("thread {} (host time)", key.number)
                      : key.kind == LaneKind::device
                          ? fmt::format("stream {} (device time)", key.number)
                          : std::string("phases and events");
  return beside == 0 ? title : title + fmt::format(" +{}", beside);
}

}  // namespace

std::uint64_t Tracks::interval(const Op& op, LaneKind kind, std::int64_t begin_ns,
                               std::int64_t end_ns) {
  const std::uint32_t number = kind == LaneKind::device ? op.stream : op.thread;
  return place({op.process, op.rank, kind, number}, rank_of(op.process, op.rank, &op).uuid,
               begin_ns, end_ns);
}

// Events are of a process; it is shown as its first rank.
std::uint64_t Tracks::interval(const Mark& mark, std::int64_t end_ns) {
  const auto first = ranks_.lower_bound({mark.process, 0});
  const bool known = first != ranks_.end() && first->first.first == mark.process;
  const std::uint16_t rank = mark.rank == kNoRank && known ? first->first.second : mark.rank;
  return place({mark.process, rank, LaneKind::marks, 0}, rank_of(mark.process, rank, nullptr).uuid,
               mark.at_ns, end_ns);
}

std::uint64_t Tracks::bandwidth(const Op& op, LaneKind clock) {
  Rank& rank = rank_of(op.process, op.rank, &op);
  const bool device = clock == LaneKind::device;
  std::uint64_t& uuid = device ? rank.by_device : rank.by_host;
  if (uuid != 0) return uuid;
  uuid = ++last_uuid_;
  packets_.track(Proto()
                     .number(track::kUuid, uuid)
                     .bytes(track::kName, device ? "busbw (device time)" : "busbw (host time)")
                     .number(track::kParent, rank.uuid)
                     .message(track::kCounter, Proto().bytes(counter::kUnitName, "GB/s")));
  return uuid;
}

Tracks::Rank& Tracks::rank_of(std::uint32_t process, std::uint16_t rank, const Op* first) {
  auto [at, is_new] = ranks_.try_emplace({process, rank});
  if (!is_new) return at->second;
  at->second.uuid = ++last_uuid_;
  // Not the operating system's pid: ranks may be threads of one process, or on several hosts.
  Proto body;
  body.number(process::kPid, ranks_.size())
      .number(process::kSortIndex, rank)
      .bytes(process::kName, clean_utf8(title_of(process, rank, first)));
  const TraceProcess* known = meta_.process(process);
  if (known != nullptr && known->host < meta_.hosts.size())
    body.bytes(process::kLabels, clean_utf8(meta_.hosts[known->host].name));
  packets_.track(Proto().number(track::kUuid, at->second.uuid).message(track::kProcess, body));
  return at->second;
}

// "rank 3 · tp · GPU 3 · pid 4711"
std::string Tracks::title_of(std::uint32_t process, std::uint16_t rank, const Op* first) const {
  const TraceProcess* known = meta_.process(process);
  std::string title =
      rank == kNoRank ? fmt::format("process {}", process) : fmt::format("rank {}", rank);
  if (first != nullptr && first->comm != 0) title += " · " + meta_.comm_name(first->comm);
  if (first != nullptr && first->device != kNoDevice)
    title += fmt::format(" · GPU {}", first->device);
  if (known != nullptr) title += fmt::format(" · pid {}", known->pid);
  return title;
}

std::uint64_t Tracks::place(const LaneKey& key, std::uint64_t parent, std::int64_t begin_ns,
                            std::int64_t end_ns) {
  const Lanes::Place where = lanes_.place(key, begin_ns, end_ns);
  if (!where.is_new) return lane_uuids_[where.index];
  lane_uuids_.push_back(++last_uuid_);
  packets_.track(Proto()
                     .number(track::kUuid, last_uuid_)
                     .bytes(track::kName, perfetto::title_of(key, where.beside))
                     .number(track::kParent, parent));
  return last_uuid_;
}

}  // namespace peerscope::perfetto
