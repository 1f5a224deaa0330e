// Comma-separated values (RFC 4180): one line an operation. Unknown is empty.
#include <fmt/format.h>

#include "trace/export/formats.hpp"
#include "trace/export/op_text.hpp"

namespace peerscope {
namespace {

constexpr std::string_view kHeader =
    "begin_ns,end_ns,host_duration_ns,device_begin_ns,device_duration_ns,bytes,sequence,"
    "operation,algorithm,protocol,dtype,communicator,rank,ranks,peer,device,stream,channel,process,"
    "pid,thread,weight,status,backend,async,device_only\r\n";

std::string shape_text(const TraceMeta& meta, const Op& op) {
  const TraceProcess* process = meta.process(op.process);
  return fmt::format(",{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", name(op.kind),
                     name(op.algorithm), name(op.protocol), name(op.dtype),
                     csv_field(meta.comm_name(op.comm)), known_text(op.rank, kNoRank), op.ranks,
                     known_text(op.peer, kNoPeer), known_text(op.device, kNoDevice), op.stream,
                     op.channel, op.process, process != nullptr ? std::to_string(process->pid) : "",
                     op.thread, op.weight, name(op.status), name(op.backend), op.async ? 1 : 0,
                     op.device_only ? 1 : 0);
}

void put_known(Out& out, std::int64_t ns) {
  if (ns != kUnknownNs) out << ns;
}

}  // namespace

Result<ExportCounts> export_csv(const TraceReader& trace, const ExportOptions& options,
                                ByteSink& sink) {
  Out out(sink);
  out << kHeader;
  ShapeText shapes([&](const Op& op) { return shape_text(trace.meta(), op); });
  return export_all(
      trace, options,
      [&](std::span<const Op> ops) {
        for (const Op& op : ops) {
          out << op.begin_ns << ',';
          if (op.host_duration_ns >= 0) out << op.begin_ns + op.host_duration_ns;
          out << ',';
          put_known(out, op.host_duration_ns);
          out << ',';
          put_known(out, op.device_begin_ns);
          out << ',';
          put_known(out, op.device_duration_ns);
          out << ',' << op.bytes << ',' << op.sequence << shapes.of(op);
          out.pass();
        }
      },
      [](const Mark&) { return false; });
}

}  // namespace peerscope
