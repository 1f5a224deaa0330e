// Perfetto's trace: packets of track events, written one after the other. Field numbers are those of
// protos/perfetto/trace in google/perfetto.
//
// A rank is a process track; under it lie a track for each thread (host times) and each stream
// (device times), and a counter of bandwidth. Operations that overlap on one track go to further
// tracks beside it, since slices of a track have to nest. A collective's slices carry one flow id,
// which draws arrows from rank to rank in the order of arrival.
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "model/busbw.hpp"
#include "trace/export/formats.hpp"
#include "trace/export/op_text.hpp"
#include "trace/export/protobuf.hpp"

namespace peerscope {
namespace {

namespace packet {
constexpr unsigned kClockSnapshot = 6, kTimestamp = 8, kSequence = 10, kTrackEvent = 11,
                   kInterned = 12, kFlags = 13, kClock = 58, kDefaults = 59, kTrack = 60,
                   kFirst = 87;
}
namespace event {
constexpr unsigned kCategory = 3, kAnnotation = 4, kType = 9, kName = 10, kTrackUuid = 11,
                   kDoubleCounter = 44, kFlow = 47;
constexpr std::uint64_t kBegin = 1, kEnd = 2, kInstant = 3, kCounter = 4;
}  // namespace event
namespace interned {
constexpr unsigned kCategories = 1, kNames = 2, kAnnotationNames = 3, kStrings = 29;
}
namespace track {
constexpr unsigned kUuid = 1, kName = 2, kProcess = 3, kParent = 5, kCounter = 8;
}
constexpr std::uint64_t kMonotonic = 3, kRealtime = 1, kBoottime = 6;
constexpr std::uint64_t kStateCleared = 1, kNeedsState = 2;
constexpr std::uint64_t kSequenceId = 1;

// Texts that are written once and named by number.
class Interned {
 public:
  explicit Interned(unsigned field) : field_(field) {}
  // The number; a text that is new goes to `out` as interned data first.
  std::uint64_t id(std::string_view text, Proto& out) {
    const auto [at, is_new] = ids_.try_emplace(std::string(text), ids_.size() + 1);
    if (is_new) out.message(field_, Proto().number(1, at->second).bytes(2, clean_utf8(text)));
    return at->second;
  }

 private:
  unsigned field_;
  std::unordered_map<std::string, std::uint64_t> ids_;
};

enum class Lane : std::uint8_t { host, device, marks };

struct TrackKey {
  std::uint32_t process;
  std::uint16_t rank;
  Lane lane;
  std::uint32_t number;  // thread or stream
  auto operator<=>(const TrackKey&) const = default;
};

struct SubTrack {
  std::uint64_t uuid = 0;
  std::int64_t free_from_ns = INT64_MIN;
};

struct RankTrack {
  std::uint64_t uuid = 0, counter = 0;
};

class PerfettoWriter {
 public:
  PerfettoWriter(const TraceMeta& meta, Out& out)
      : meta_(meta), out_(out), annotations_([this](const Op& op) { return annotate(op); }) {}

  void begin(std::int64_t first_ns) {
    const auto at = static_cast<std::uint64_t>(std::max<std::int64_t>(first_ns, 0));
    const auto clock = [](std::uint64_t id, std::uint64_t ns) {
      return Proto().number(1, id).number(2, ns);
    };
    Proto snapshot;
    snapshot.message(1, clock(kMonotonic, at)).message(1, clock(kBoottime, at));
    snapshot.message(1,
                     clock(kRealtime, at + static_cast<std::uint64_t>(meta_.clock.real_offset_ns)));
    snapshot.number(2, kMonotonic);
    Proto first;
    first.number(packet::kSequence, kSequenceId)
        .number(packet::kFlags, kStateCleared)
        .number(packet::kFirst, 1)
        .message(packet::kDefaults, Proto().number(packet::kClock, kMonotonic))
        .message(packet::kClockSnapshot, snapshot);
    emit(first);
  }

  void put(const Op& op) {
    const bool has_device = op.device_begin_ns != kUnknownNs && op.device_duration_ns >= 0;
    const bool has_host = op.host_duration_ns >= 0 && !op.device_only;
    if (has_host)
      slice(op, {op.process, op.rank, Lane::host, op.thread}, op.begin_ns, op.host_duration_ns,
            !has_device);
    if (has_device)
      slice(op, {op.process, op.rank, Lane::device, op.stream}, op.device_begin_ns,
            op.device_duration_ns, true);
    if (has_device) {
      bandwidth(op, op.device_begin_ns, op.device_duration_ns);
    } else if (has_host && !op.async) {
      bandwidth(op, op.begin_ns, op.host_duration_ns);
    }
    out_.pass();
  }

  bool put(const Mark& mark) {
    const TrackKey key{mark.process, mark.rank, Lane::marks, 0};
    Proto data;
    const std::uint64_t name_id =
        names_.id(mark.name == 0 ? name(mark.type) : meta_.name(mark.process, mark.name), data);
    const std::uint64_t category = categories_.id(name(mark.type), data);
    const SubTrack& where = place(key, mark.at_ns, std::max<std::int64_t>(mark.duration_ns, 0));
    Proto event;
    event.number(event::kType, mark.duration_ns >= 0 ? event::kBegin : event::kInstant)
        .number(event::kTrackUuid, where.uuid)
        .number(event::kName, name_id)
        .number(event::kCategory, category);
    add_number(event, data, "value", mark.value);
    add_number(event, data, "sequence", static_cast<std::int64_t>(mark.sequence));
    emit_event(mark.at_ns, event, data);
    if (mark.duration_ns >= 0) emit_end(where.uuid, mark.at_ns + mark.duration_ns);
    out_.pass();
    return true;
  }

  [[nodiscard]] std::uint64_t flows() const { return flows_; }

 private:
  void emit(const Proto& body) {
    Proto whole;
    whole.message(1, body);
    out_ << std::string_view(whole.str());
  }

  void emit_event(std::int64_t at_ns, const Proto& body, const Proto& data) {
    Proto whole;
    whole.number(packet::kTimestamp, static_cast<std::uint64_t>(at_ns))
        .number(packet::kSequence, kSequenceId)
        .number(packet::kFlags, kNeedsState);
    if (!data.str().empty()) whole.message(packet::kInterned, data);
    whole.message(packet::kTrackEvent, body);
    emit(whole);
  }

  void emit_end(std::uint64_t uuid, std::int64_t at_ns) {
    Proto event;
    event.number(event::kType, event::kEnd).number(event::kTrackUuid, uuid);
    emit_event(at_ns, event, {});
  }

  void emit_track(const Proto& descriptor) {
    emit(Proto().number(packet::kSequence, kSequenceId).message(packet::kTrack, descriptor));
  }

  const RankTrack& rank_track(std::uint32_t process, std::uint16_t rank) {
    auto [at, is_new] = ranks_.try_emplace({process, rank});
    if (!is_new) return at->second;
    at->second.uuid = ++last_uuid_;
    const TraceProcess* known = meta_.process(process);
    std::string title =
        rank == kNoRank ? fmt::format("process {}", process) : fmt::format("rank {}", rank);
    if (known != nullptr) title += fmt::format(" · {} · pid {}", known->name, known->pid);
    Proto descriptor;
    descriptor.number(track::kUuid, at->second.uuid)
        .message(track::kProcess, Proto().number(1, ranks_.size()).bytes(6, clean_utf8(title)));
    emit_track(descriptor);
    return at->second;
  }

  static std::string title_of(const TrackKey& key, std::size_t overflow) {
    std::string title = key.lane == Lane::host ? fmt::format("thread {} (host time)", key.number)
                        : key.lane == Lane::device
                            ? fmt::format("stream {} (device time)", key.number)
                            : std::string("phases and events");
    if (overflow > 0) title += fmt::format(" +{}", overflow);
    return title;
  }

  // The first track of its kind that is free.
  const SubTrack& place(const TrackKey& key, std::int64_t begin_ns, std::int64_t duration_ns) {
    std::vector<SubTrack>& all = tracks_[key];
    std::size_t at = 0;
    while (at < all.size() && all[at].free_from_ns > begin_ns) ++at;
    if (at == all.size()) {
      all.push_back({++last_uuid_, INT64_MIN});
      Proto descriptor;
      descriptor.number(track::kUuid, all[at].uuid)
          .number(track::kParent, rank_track(key.process, key.rank).uuid)
          .bytes(track::kName, title_of(key, at));
      emit_track(descriptor);
    }
    all[at].free_from_ns = begin_ns + duration_ns;
    return all[at];
  }

  void add_number(Proto& event, Proto& data, std::string_view key, std::int64_t value) {
    event.message(
        event::kAnnotation,
        Proto().number(1, keys_.id(key, data)).number(4, static_cast<std::uint64_t>(value)));
  }

  // What all operations of a shape have in common. Texts that are new wait in `pending_`.
  std::string annotate(const Op& op) {
    Proto event;
    event.number(event::kName, names_.id(name(op.kind), pending_))
        .number(event::kCategory,
                categories_.id(is_collective(op.kind) ? "collective" : "p2p", pending_));
    const auto text = [&](std::string_view key, std::string_view value) {
      event.message(
          event::kAnnotation,
          Proto().number(1, keys_.id(key, pending_)).number(17, strings_.id(value, pending_)));
    };
    if (op.comm != 0) text("communicator", meta_.comm_name(op.comm));
    if (op.algorithm != Algorithm::unknown) text("algorithm", name(op.algorithm));
    if (op.protocol != Protocol::unknown) text("protocol", name(op.protocol));
    if (op.dtype != Dtype::unknown) text("dtype", name(op.dtype));
    if (op.status != OpStatus::ok) text("status", name(op.status));
    if (op.peer != kNoPeer) add_number(event, pending_, "peer", op.peer);
    if (op.device != kNoDevice) add_number(event, pending_, "device", op.device);
    if (op.weight != 1) add_number(event, pending_, "weight", op.weight);
    return event.str();
  }

  static std::uint64_t flow_of(const Op& op) {
    const std::uint64_t id =
        op.comm * 0x9E37'79B9'7F4A'7C15u ^ op.sequence * 0xC2B2'AE3D'27D4'EB4Fu;
    return id == 0 ? 1 : id;
  }

  void slice(const Op& op, const TrackKey& key, std::int64_t begin_ns, std::int64_t duration_ns,
             bool with_flow) {
    const std::uint64_t uuid = place(key, begin_ns, duration_ns).uuid;
    const std::string& shape = annotations_.of(op);
    Proto data;
    data.raw(pending_.str());
    pending_.clear();
    Proto event;
    event.number(event::kType, event::kBegin).number(event::kTrackUuid, uuid).raw(shape);
    add_number(event, data, "bytes", static_cast<std::int64_t>(op.bytes));
    add_number(event, data, "sequence", static_cast<std::int64_t>(op.sequence));
    if (with_flow && is_collective(op.kind) && op.comm != 0) {
      event.fixed64(event::kFlow, flow_of(op));
      ++flows_;
    }
    emit_event(begin_ns, event, data);
    emit_end(uuid, begin_ns + duration_ns);
  }

  void bandwidth(const Op& op, std::int64_t begin_ns, std::int64_t duration_ns) {
    if (op.bytes == 0 || duration_ns <= 0) return;
    rank_track(op.process, op.rank);
    RankTrack& rank = ranks_[{op.process, op.rank}];
    if (rank.counter == 0) {
      rank.counter = ++last_uuid_;
      Proto descriptor;
      descriptor.number(track::kUuid, rank.counter)
          .number(track::kParent, rank.uuid)
          .bytes(track::kName,
                 op.device_duration_ns >= 0 ? "busbw, device time" : "busbw, host time")
          .message(track::kCounter, Proto().bytes(6, "GB/s"));
      emit_track(descriptor);
    }
    Proto event;
    event.number(event::kType, event::kCounter)
        .number(event::kTrackUuid, rank.counter)
        .real(event::kDoubleCounter, busbw(op.kind, op.ranks, static_cast<double>(op.bytes),
                                           static_cast<double>(duration_ns)) /
                                         1e9);
    emit_event(begin_ns + duration_ns, event, {});
  }

  const TraceMeta& meta_;
  Out& out_;
  ShapeText annotations_;
  Interned names_{interned::kNames}, categories_{interned::kCategories},
      keys_{interned::kAnnotationNames}, strings_{interned::kStrings};
  Proto pending_;
  std::map<TrackKey, std::vector<SubTrack>> tracks_;
  std::map<std::pair<std::uint32_t, std::uint16_t>, RankTrack> ranks_;
  std::uint64_t last_uuid_ = 0, flows_ = 0;
};

}  // namespace

Result<ExportCounts> export_perfetto(const TraceReader& trace, const ExportOptions& options,
                                     ByteSink& sink) {
  Out out(sink);
  PerfettoWriter writer(trace.meta(), out);
  std::int64_t first_ns = INT64_MAX;
  for (const ChunkInfo& chunk : trace.chunks()) first_ns = std::min(first_ns, chunk.first_ns);
  writer.begin(first_ns == INT64_MAX ? 0 : first_ns);
  auto counts = export_all(
      trace, options,
      [&](std::span<const Op> ops) {
        for (const Op& op : ops) writer.put(op);
      },
      [&](const Mark& mark) { return writer.put(mark); });
  if (counts) counts->flows = writer.flows();
  return counts;
}

}  // namespace peerscope
