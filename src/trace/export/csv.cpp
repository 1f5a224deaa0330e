// Comma-separated values (RFC 4180): one line an operation. Unknown is empty.
#include <fmt/format.h>

#include "trace/export/export_all.hpp"
#include "trace/export/formats.hpp"
#include "trace/export/out.hpp"
#include "trace/export/shape_cache.hpp"

namespace peerscope {
namespace {

constexpr std::string_view kHeader =
    "begin_ns,end_ns,host_duration_ns,device_begin_ns,device_duration_ns,operation,algorithm,"
    "protocol,dtype,bytes,communicator,rank,ranks,peer,device,stream,channel,sequence,process,pid,"
    "thread,weight,status,backend,async,device_only\r\n";

// What lies between the columns that differ from operation to operation.
struct ShapeColumns {
  std::string before_bytes, before_sequence, to_end;
  [[nodiscard]] std::size_t size() const {
    return before_bytes.size() + before_sequence.size() + to_end.size();
  }
};

template <class T>
std::string_view known(T value) {
  return value == T::unknown ? std::string_view() : name(value);
}

ShapeColumns columns_of(const TraceMeta& meta, const Op& op) {
  const TraceProcess* process = meta.process(op.process);
  return {
      fmt::format(",{},{},{},{},", name(op.kind), known(op.algorithm), known(op.protocol),
                  known(op.dtype)),
      fmt::format(",{},{},{},{},{},{},{},", csv_field(meta.comm_name(op.comm)),
                  known_text(op.rank, kNoRank), known_text(op.ranks, std::uint16_t{0}),
                  known_text(op.peer, kNoPeer), known_text(op.device, kNoDevice), op.stream,
                  op.channel),
      fmt::format(",{},{},{},{},{},{},{},{}\r\n", op.process,
                  process != nullptr ? std::to_string(process->pid) : "", op.thread, op.weight,
                  name(op.status), known(op.backend), op.async ? 1 : 0, op.device_only ? 1 : 0)};
}

char* put_known(char* at, std::int64_t ns) { return ns == kUnknownNs ? at : put_decimal(at, ns); }

// One line into a buffer that has room for it: nothing else is as fast.
char* put_line(char* at, const Op& op, const ShapeColumns& columns) {
  at = put_decimal(at, op.begin_ns);
  *at++ = ',';
  if (op.host_duration_ns >= 0) at = put_decimal(at, op.begin_ns + op.host_duration_ns);
  *at++ = ',';
  at = put_known(at, op.host_duration_ns);
  *at++ = ',';
  at = put_known(at, op.device_begin_ns);
  *at++ = ',';
  at = put_known(at, op.device_duration_ns);
  at = put_decimal(put_text(at, columns.before_bytes), op.bytes);
  at = put_decimal(put_text(at, columns.before_sequence), op.sequence);
  return put_text(at, columns.to_end);
}

}  // namespace

Result<ExportCounts> export_csv(const TraceReader& trace, const ExportOptions& options,
                                ByteSink& sink) {
  constexpr std::size_t kNumbers = 7 * 21, kMostText = 32'768;
  Out out(sink);
  out << kHeader;
  ShapeCache<ShapeColumns> shapes([&](const Op& op) {
    ShapeColumns columns = columns_of(trace.meta(), op);
    if (columns.size() > kMostText)  // a communicator's name without end
      columns.before_sequence = columns_of({}, op).before_sequence;
    return columns;
  });
  return export_each(
      trace, options,
      [&](const Op& op) {
        const ShapeColumns& columns = shapes.of(op);
        out.done(put_line(out.room(columns.size() + kNumbers), op, columns));
      },
      [](const Mark&) { return false; });
}

}  // namespace peerscope
