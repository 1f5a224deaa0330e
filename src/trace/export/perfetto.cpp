// Perfetto's trace: track events, for ui.perfetto.dev and trace_processor. A collective's slices
// carry one flow id, which draws arrows from rank to rank in the order of arrival: on the device's
// slice where there is one, else on the host's. A message's arrow goes from the begin of its send to the
// end of its receive, which may have begun before: that is when the data were there.
#include <fmt/format.h>

#include "model/busbw.hpp"
#include "trace/export/export_all.hpp"
#include "trace/export/flow_joiner.hpp"
#include "trace/export/formats.hpp"
#include "trace/export/perfetto_tracks.hpp"
#include "trace/export/shape_cache.hpp"

namespace peerscope::perfetto {
namespace {

std::string_view category_of(Kind kind) {
  if (is_collective(kind)) return "collective";
  return kind == Kind::compute || kind == Kind::other ? "other" : "p2p";
}

class Writer {
 public:
  Writer(const TraceMeta& meta, Out& out)
      : meta_(meta),
        packets_(out),
        tracks_(meta, packets_),
        shapes_([this](const Op& op) { return shape_fields(op); }) {}

  void begin(std::int64_t first_ns) { packets_.begin(first_ns, meta_.clock.real_offset_ns); }

  void put(const Op& op) {
    const bool has_device = op.device_begin_ns != kUnknownNs && op.device_duration_ns >= 0;
    const bool has_host = op.host_duration_ns >= 0 && !op.device_only;
    if (has_host) slice(op, LaneKind::host, op.begin_ns, op.host_duration_ns, !has_device);
    if (has_device) slice(op, LaneKind::device, op.device_begin_ns, op.device_duration_ns, true);
    if (has_device) {
      bandwidth(op, LaneKind::device, op.device_begin_ns, op.device_duration_ns);
    } else if (has_host && !op.async) {
      bandwidth(op, LaneKind::host, op.begin_ns, op.host_duration_ns);
    }
  }

  bool put(const Mark& mark) {
    const bool instant = mark.duration_ns < 0;
    const std::int64_t end_ns = instant ? mark.at_ns : mark.at_ns + mark.duration_ns;
    const std::uint64_t uuid = tracks_.interval(mark, end_ns);
    const std::string_view text = meta_.name(mark.process, mark.name);
    event_.clear()
        .number(event::kType, instant ? event::kInstant : event::kBegin)
        .number(event::kTrackUuid, uuid)
        .number(event::kName, packets_.name(text.empty() ? name(mark.type) : text))
        .number(event::kCategory, packets_.category(name(mark.type)));
    packets_.annotate(event_, "value", mark.value);
    packets_.annotate(event_, "sequence", static_cast<std::int64_t>(operation_sequence(mark)));
    if (mark.type == MarkType::event)
      packets_.annotate(event_, "severity", std::int64_t{mark.severity});
    packets_.event(mark.at_ns, event_);
    if (!instant) end(uuid, end_ns);
    return true;
  }

  [[nodiscard]] std::uint64_t flows() const { return flows_; }

 private:
  // What all operations of a shape have in common, encoded.
  std::string shape_fields(const Op& op) {
    Proto out;
    out.number(event::kName, packets_.name(name(op.kind)))
        .number(event::kCategory, packets_.category(category_of(op.kind)));
    const auto text = [&](std::string_view key, auto value) {
      if (value != decltype(value)::unknown) packets_.annotate(out, key, name(value));
    };
    const auto number = [&](std::string_view key, std::int64_t value, std::int64_t unknown) {
      if (value != unknown) packets_.annotate(out, key, value);
    };
    if (op.comm != 0) packets_.annotate(out, "communicator", meta_.comm_name(op.comm));
    text("algorithm", op.algorithm);
    text("protocol", op.protocol);
    text("dtype", op.dtype);
    text("backend", op.backend);
    packets_.annotate(out, "status", name(op.status));
    number("rank", op.rank, kNoRank);
    number("ranks", op.ranks, 0);
    number("peer", op.peer, kNoPeer);
    number("device", op.device, kNoDevice);
    number("stream", op.stream, -1);
    number("channel", op.channel, -1);
    number("weight", op.weight, 1);
    number("async", op.async ? 1 : 0, 0);
    return out.str();
  }

  void slice(const Op& op, LaneKind kind, std::int64_t begin_ns, std::int64_t duration_ns,
             bool with_flow) {
    const std::uint64_t uuid = tracks_.interval(op, kind, begin_ns, begin_ns + duration_ns);
    const std::string& shape = shapes_.of(op);
    event_.clear().number(event::kType, event::kBegin).number(event::kTrackUuid, uuid).raw(shape);
    packets_.annotate(event_, "bytes", static_cast<std::int64_t>(op.bytes));
    packets_.annotate(event_, "sequence", static_cast<std::int64_t>(op.sequence));
    const std::uint64_t message = with_flow ? message_flow_id(op) : 0;
    const bool joined = with_flow && is_collective(op.kind) && op.comm != 0;
    if (joined || (message != 0 && op.kind == Kind::send)) {
      event_.fixed64(event::kFlow, joined ? flow_id(op) : message);
      ++flows_;
    }
    packets_.event(begin_ns, event_);
    end(uuid, begin_ns + duration_ns, op.kind == Kind::recv ? message : 0);
  }

  // `flow`: 0 for none.
  void end(std::uint64_t uuid, std::int64_t at_ns, std::uint64_t flow = 0) {
    event_.clear().number(event::kType, event::kEnd).number(event::kTrackUuid, uuid);
    if (flow != 0) {
      event_.fixed64(event::kFlow, flow);
      ++flows_;
    }
    packets_.event(at_ns, event_);
  }

  void bandwidth(const Op& op, LaneKind clock, std::int64_t begin_ns, std::int64_t duration_ns) {
    if (op.bytes == 0 || duration_ns <= 0) return;
    const double bytes_per_s =
        busbw(op.kind, op.ranks, static_cast<double>(op.bytes), static_cast<double>(duration_ns));
    const std::uint64_t uuid = tracks_.bandwidth(op, clock);
    packets_.event(begin_ns + duration_ns, event_.clear()
                                               .number(event::kType, event::kCounter)
                                               .number(event::kTrackUuid, uuid)
                                               .real(event::kDoubleCounter, bytes_per_s / 1e9));
  }

  const TraceMeta& meta_;
  Packets packets_;
  Tracks tracks_;
  ShapeCache<std::string> shapes_;
  Proto event_;
  std::uint64_t flows_ = 0;
};

}  // namespace
}  // namespace peerscope::perfetto

namespace peerscope {

Result<ExportCounts> export_perfetto(const TraceReader& trace, const ExportOptions& options,
                                     ByteSink& sink) {
  Out out(sink);
  perfetto::Writer writer(trace.meta(), out);
  std::int64_t first_ns = INT64_MAX;
  for (const ChunkInfo& chunk : trace.chunks()) first_ns = std::min(first_ns, chunk.first_ns);
  writer.begin(first_ns == INT64_MAX ? 0 : first_ns);
  auto counts = export_each(
      trace, options, [&](const Op& op) { writer.put(op); },
      [&](const Mark& mark) { return writer.put(mark); });
  if (counts) counts->flows = writer.flows();
  return counts;
}

}  // namespace peerscope
