// NCCL Inspector's JSON lines, format v4.0: one object a collective and rank. Point-to-point
// operations go into the p2p_perf objects of its later versions. What has no size or time is left
// out: the format has no way to say so.
#include <fmt/format.h>

#include "model/busbw.hpp"
#include "trace/export/formats.hpp"
#include "trace/export/op_text.hpp"

namespace peerscope {
namespace {

// As NCCL calls them.
const char* nccl_name(Kind kind) {
  switch (kind) {
    case Kind::broadcast:
      return "Broadcast";
    case Kind::reduce:
      return "Reduce";
    case Kind::all_reduce:
      return "AllReduce";
    case Kind::all_gather:
      return "AllGather";
    case Kind::reduce_scatter:
      return "ReduceScatter";
    case Kind::gather:
      return "Gather";
    case Kind::scatter:
      return "Scatter";
    case Kind::all_to_all:
      return "AllToAll";
    case Kind::send:
      return "Send";
    case Kind::recv:
      return "Recv";
    default:
      return nullptr;
  }
}

struct Timing {
  std::int64_t ns = kUnknownNs;
  const char* source = "";
};

// Device time, else the host's where the host waits for the end.
Timing timing_of(const Op& op) {
  if (op.device_duration_ns >= 0) return {op.device_duration_ns, "kernel_gpu"};
  if (op.host_duration_ns >= 0 && !op.async) return {op.host_duration_ns, "collective_cpu"};
  return {};
}

std::string shape_text(const TraceMeta& meta, const Op& op) {
  const TraceProcess* process = meta.process(op.process);
  const std::size_t host = process != nullptr ? process->host : 0;
  const std::size_t hosts = std::max<std::size_t>(1, meta.hosts.size());
  return fmt::format(
      R"({{"header":{{"id":"{:#x}","rank":{},"n_ranks":{},"nnodes":{}}},"metadata":)"
      R"({{"inspector_output_format_version":"v4.0","git_rev":"","rec_mechanism":"peerscope",)"
      R"("dump_timestamp_us":@,"hostname":{},"pid":{}}},)",
      op.comm, known_text(op.rank, kNoRank, "0"), op.ranks, hosts,
      json_string(host < meta.hosts.size() ? meta.hosts[host].name : ""),
      process != nullptr ? process->pid : 0);
}

}  // namespace

Result<ExportCounts> export_inspector(const TraceReader& trace, const ExportOptions& options,
                                      ByteSink& sink) {
  const TraceMeta& meta = trace.meta();
  Out out(sink);
  ShapeText shapes([&](const Op& op) { return shape_text(meta, op); });
  std::uint64_t written = 0;
  auto counts = export_all(
      trace, options,
      [&](std::span<const Op> ops) {
        for (const Op& op : ops) {
          const char* kind = nccl_name(op.kind);
          const Timing timing = timing_of(op);
          if (kind == nullptr || timing.ns < 0) continue;
          const bool collective = is_collective(op.kind);
          const std::string& text = shapes.of(op);
          const std::size_t at = text.find('@');
          const double gbs =
              algbw(static_cast<double>(op.bytes), static_cast<double>(timing.ns)) / 1e9;
          const std::string_view what = collective ? "coll" : "p2p";
          // NCCL counts a rank's share of what is gathered or scattered.
          const bool shared = op.kind == Kind::all_gather || op.kind == Kind::reduce_scatter;
          const std::uint64_t message = shared && op.ranks > 0 ? op.bytes / op.ranks : op.bytes;
          const std::int64_t end_ns = op.begin_ns + std::max<std::int64_t>(op.host_duration_ns, 0);
          out << std::string_view(text).substr(0, at) << (end_ns + meta.clock.real_offset_ns) / 1000
              << std::string_view(text).substr(at + 1) << '"' << what << "_perf\":{\"" << what
              << "\":\"" << kind << "\",\"" << what << "_sn\":" << op.sequence;
          if (!collective) out << ",\"p2p_peer\":" << known_text(op.peer, kNoPeer, "null");
          out << ",\"" << what << "_msg_size_bytes\":" << message << ",\"" << what
              << "_exec_time_us\":" << static_cast<double>(timing.ns) / 1e3 << ",\"" << what
              << "_timing_source\":\"" << timing.source << "\",\"" << what
              << "_algobw_gbs\":" << gbs << ",\"" << what
              << "_busbw_gbs\":" << gbs * busbw_factor(op.kind, op.ranks) << "}}\n";
          out.pass();
          ++written;
        }
      },
      [](const Mark&) { return false; });
  if (counts) counts->operations = written;
  return counts;
}

}  // namespace peerscope
