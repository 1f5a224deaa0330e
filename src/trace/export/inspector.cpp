// NCCL Inspector's JSON lines, format v4.0: one object a collective and rank; sends and receives as
// p2p_perf objects. Copies, barriers and operations whose time nobody knows (enqueued, and no device
// time) have no place there and are left out. Times are µs with a fraction where NCCL cuts it off.
#include <fmt/format.h>

#include "model/busbw.hpp"
#include "trace/export/export_all.hpp"
#include "trace/export/formats.hpp"
#include "trace/export/out.hpp"
#include "trace/export/shape_cache.hpp"

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
      return "AlltoAll";
    case Kind::send:
      return "Send";
    case Kind::recv:
      return "Recv";
    default:
      return nullptr;
  }
}

struct Timing {
  std::int64_t ns = kUnknownNs, end_ns = 0;
  const char* source = "";
};

// Device time, else the host's where the host waits for the end.
Timing timing_of(const Op& op) {
  if (op.device_duration_ns >= 0)
    return {op.device_duration_ns, op.device_begin_ns + op.device_duration_ns, "kernel_gpu"};
  if (op.host_duration_ns >= 0 && !op.async)
    return {op.host_duration_ns, op.begin_ns + op.host_duration_ns, "collective_cpu"};
  return {};
}

// The time of the dump, in the middle, differs from line to line.
struct LineHead {
  std::string before_time, after_time;
};

LineHead head_of(const TraceMeta& meta, const Op& op) {
  const TraceProcess* process = meta.process(op.process);
  const std::size_t host = process != nullptr ? process->host : 0;
  const std::size_t hosts = std::max<std::size_t>(1, meta.hosts.size());
  return {fmt::format(R"({{"header":{{"id":"{:#x}","comm_name":{},"rank":{},"n_ranks":{},)"
                      R"("nnodes":{}}},"metadata":{{"inspector_output_format_version":"v4.0",)"
                      R"("git_rev":"","rec_mechanism":"peerscope","dump_timestamp_us":)",
                      op.comm, json_string(meta.comm_name(op.comm)),
                      known_text(op.rank, kNoRank, "-1"), op.ranks, hosts),
          fmt::format(R"(,"hostname":{},"pid":{}}},)",
                      json_string(host < meta.hosts.size() ? meta.hosts[host].name : ""),
                      process != nullptr ? process->pid : 0)};
}

// NCCL counts a rank's share of what is gathered or scattered.
std::uint64_t message_bytes(const Op& op) {
  const bool shared = op.kind == Kind::all_gather || op.kind == Kind::reduce_scatter;
  return shared && op.ranks > 0 ? op.bytes / op.ranks : op.bytes;
}

void put_line(Out& out, const Op& op, const Timing& timing, const LineHead& head,
              std::int64_t real_offset_ns) {
  const bool collective = is_collective(op.kind);
  const std::string_view what = collective ? "coll" : "p2p";
  const double gbs = algbw(static_cast<double>(op.bytes), static_cast<double>(timing.ns)) / 1e9;
  out << head.before_time << (timing.end_ns + real_offset_ns) / 1000 << head.after_time << '"'
      << what << "_perf\":{\"" << what << "\":\"" << nccl_name(op.kind) << "\",\"" << what
      << "_sn\":" << op.sequence;
  if (!collective) out << ",\"p2p_peer\":" << (op.peer == kNoPeer ? -1 : int{op.peer});
  out << ",\"" << what << "_msg_size_bytes\":" << message_bytes(op) << ",\"" << what
      << "_exec_time_us\":" << static_cast<double>(timing.ns) / 1e3 << ",\"" << what
      << "_timing_source\":\"" << timing.source << "\",\"" << what << "_algobw_gbs\":" << gbs
      << ",\"" << what << "_busbw_gbs\":" << gbs * busbw_factor(op.kind, op.ranks) << "}}\n";
}

}  // namespace

Result<ExportCounts> export_inspector(const TraceReader& trace, const ExportOptions& options,
                                      ByteSink& sink) {
  const TraceMeta& meta = trace.meta();
  Out out(sink);
  ShapeCache<LineHead> heads([&](const Op& op) { return head_of(meta, op); });
  return export_all(
      trace, options,
      [&](std::span<const Op> ops) {
        std::uint64_t written = 0;
        for (const Op& op : ops) {
          const Timing timing = timing_of(op);
          if (nccl_name(op.kind) == nullptr || timing.ns < 0) continue;
          put_line(out, op, timing, heads.of(op), meta.clock.real_offset_ns);
          ++written;
        }
        return written;
      },
      [](const Mark&) { return false; });
}

}  // namespace peerscope
