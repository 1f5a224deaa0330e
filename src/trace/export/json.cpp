// JSON, in two forms: one object with everything, and one object a line. Times are ns as integers
// (more than a double holds); unknown is null.
#include <fmt/format.h>

#include "trace/export/export_all.hpp"
#include "trace/export/formats.hpp"
#include "trace/export/out.hpp"
#include "trace/export/shape_cache.hpp"

namespace peerscope {
namespace {

using ShapeText = ShapeCache<std::string>;

template <class T>
std::string known(T value) {
  return value == T::unknown ? "null" : fmt::format("\"{}\"", name(value));
}

std::string shape_text(const TraceMeta& meta, const Op& op) {
  const TraceProcess* process = meta.process(op.process);
  return fmt::format(
      R"(,"operation":"{}","algorithm":{},"protocol":{},"dtype":{},"communicator":{},)"
      R"("comm_id":"{:#x}","rank":{},"ranks":{},"peer":{},"device":{},"stream":{},"channel":{},)"
      R"("process":{},"pid":{},"thread":{},"weight":{},"status":"{}","backend":{},"async":{},)"
      R"("device_only":{}}})",
      name(op.kind), known(op.algorithm), known(op.protocol), known(op.dtype),
      op.comm == 0 ? "null" : json_string(meta.comm_name(op.comm)), op.comm,
      known_text(op.rank, kNoRank, "null"), known_text(op.ranks, std::uint16_t{0}, "null"),
      known_text(op.peer, kNoPeer, "null"), known_text(op.device, kNoDevice, "null"), op.stream,
      op.channel, op.process, process != nullptr ? std::to_string(process->pid) : "null", op.thread,
      op.weight, name(op.status), known(op.backend), op.async, op.device_only);
}

void put_ns(Out& out, std::string_view key, std::int64_t ns) {
  out << key;
  if (ns == kUnknownNs) {
    out << "null";
  } else {
    out << ns;
  }
}

void put_op(Out& out, const Op& op, ShapeText& shapes, std::string_view before) {
  out << before << R"("begin_ns":)" << op.begin_ns;
  put_ns(out, R"(,"host_duration_ns":)", op.host_duration_ns);
  put_ns(out, R"(,"device_begin_ns":)", op.device_begin_ns);
  put_ns(out, R"(,"device_duration_ns":)", op.device_duration_ns);
  out << R"(,"bytes":)" << op.bytes << R"(,"sequence":)" << op.sequence << shapes.of(op);
}

void put_mark(Out& out, const Mark& mark, const TraceMeta& meta, std::string_view before) {
  out << before << R"("mark":")" << name(mark.type) << R"(","at_ns":)" << mark.at_ns;
  put_ns(out, R"(,"duration_ns":)", mark.duration_ns);
  out << R"(,"value":)" << mark.value << R"(,"name":)"
      << json_string(meta.name(mark.process, mark.name)) << R"(,"process":)" << mark.process
      << R"(,"rank":)" << known_text(mark.rank, kNoRank, "null") << R"(,"comm_id":")"
      << fmt::format("{:#x}", mark.comm) << R"(","sequence":)" << operation_sequence(mark)
      << R"(,"operation":")" << name(mark.kind) << R"(","status":")" << name(mark.status)
      << R"(","severity":)" << int{mark.severity} << '}';
}

}  // namespace

Result<ExportCounts> export_json(const TraceReader& trace, const ExportOptions& options,
                                 ByteSink& sink) {
  const TraceMeta& meta = trace.meta();
  Out out(sink);
  ShapeText shapes([&](const Op& op) { return shape_text(meta, op); });
  out << R"({"meta":)" << to_json_text(meta) << ",\n\"operations\":[";
  bool first = true;
  bool first_mark = true;
  auto counts = export_each(
      trace, options,
      [&](const Op& op) {
        put_op(out, op, shapes, first ? "\n{" : ",\n{");
        first = false;
      },
      [&](const Mark& mark) {
        if (first_mark) out << "],\n\"marks\":[";
        put_mark(out, mark, meta, first_mark ? "\n{" : ",\n{");
        first_mark = false;
        return true;
      });
  if (first_mark) out << "],\n\"marks\":[";
  out << "]}\n";
  return counts;
}

Result<ExportCounts> export_jsonl(const TraceReader& trace, const ExportOptions& options,
                                  ByteSink& sink) {
  const TraceMeta& meta = trace.meta();
  Out out(sink);
  ShapeText shapes([&](const Op& op) { return shape_text(meta, op) + "\n"; });
  out << R"({"type":"meta","meta":)" << to_json_text(meta) << "}\n";
  return export_each(
      trace, options, [&](const Op& op) { put_op(out, op, shapes, R"({"type":"op",)"); },
      [&](const Mark& mark) {
        put_mark(out, mark, meta, R"({"type":"mark",)");
        out << '\n';
        return true;
      });
}

}  // namespace peerscope
