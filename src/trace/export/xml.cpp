// XML: one document, one element an operation. An attribute that is unknown is left out.
#include <fmt/format.h>

#include "trace/export/formats.hpp"
#include "trace/export/op_text.hpp"

namespace peerscope {
namespace {

template <class T>
std::string attribute(std::string_view key, T value, T unknown) {
  return value == unknown ? std::string() : fmt::format(R"( {}="{}")", key, value);
}

std::string shape_text(const TraceMeta& meta, const Op& op) {
  return fmt::format(
      R"( algorithm="{}" protocol="{}" dtype="{}"{}{} ranks="{}"{}{} stream="{}" )"
      R"(channel="{}" process="{}" thread="{}" weight="{}" status="{}" backend="{}" )"
      R"(async="{}" device-only="{}"/>)"
      "\n",
      name(op.algorithm), name(op.protocol), name(op.dtype),
      op.comm == 0 ? "" : fmt::format(R"( communicator="{}")", xml_text(meta.comm_name(op.comm))),
      attribute("rank", op.rank, kNoRank), op.ranks, attribute("peer", op.peer, kNoPeer),
      attribute("device", op.device, kNoDevice), op.stream, op.channel, op.process, op.thread,
      op.weight, name(op.status), name(op.backend), op.async, op.device_only);
}

void put_ns(Out& out, std::string_view key, std::int64_t ns) {
  if (ns != kUnknownNs) out << ' ' << key << "=\"" << ns << '"';
}

void put_meta(Out& out, const TraceMeta& meta) {
  out << fmt::format(R"(<session id="{}" command="{}" tool="{}" version="{}" real-offset-ns="{}" )"
                     R"(lost="{}" dropped="{}" not-written="{}">)"
                     "\n",
                     xml_text(meta.session), xml_text(meta.command), xml_text(meta.tool),
                     xml_text(meta.version), meta.clock.real_offset_ns, meta.lost, meta.dropped,
                     meta.not_written);
  for (const TraceProcess& process : meta.processes) {
    out << fmt::format(R"(<process index="{}" pid="{}" name="{}"/>)"
                       "\n",
                       process.index, process.pid, xml_text(process.name));
  }
  for (const TraceComm& comm : meta.communicators) {
    out << fmt::format(R"(<communicator id="{:#x}" name="{}" ranks="{}" backend="{}"/>)"
                       "\n",
                       comm.id, xml_text(meta.comm_name(comm.id)), comm.ranks, name(comm.backend));
  }
  out << "</session>\n";
}

void put_mark(Out& out, const Mark& mark, const TraceMeta& meta) {
  out << "<mark type=\"" << name(mark.type) << "\" at-ns=\"" << mark.at_ns << '"';
  put_ns(out, "duration-ns", mark.duration_ns);
  out << " value=\"" << mark.value << "\" name=\"" << xml_text(meta.name(mark.process, mark.name))
      << "\" process=\"" << mark.process << "\" operation=\"" << name(mark.kind) << "\" sequence=\""
      << mark.sequence << "\"/>\n";
}

}  // namespace

Result<ExportCounts> export_xml(const TraceReader& trace, const ExportOptions& options,
                                ByteSink& sink) {
  const TraceMeta& meta = trace.meta();
  Out out(sink);
  ShapeText shapes([&](const Op& op) { return shape_text(meta, op); });
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<trace version=\"1\">\n";
  put_meta(out, meta);
  auto counts = export_all(
      trace, options,
      [&](std::span<const Op> ops) {
        for (const Op& op : ops) {
          out << '<' << (op.kind == Kind::other || name(op.kind) == "?" ? "other" : name(op.kind))
              << " begin-ns=\"" << op.begin_ns << '"';
          put_ns(out, "host-duration-ns", op.host_duration_ns);
          put_ns(out, "device-begin-ns", op.device_begin_ns);
          put_ns(out, "device-duration-ns", op.device_duration_ns);
          out << " bytes=\"" << op.bytes << "\" sequence=\"" << op.sequence << '"' << shapes.of(op);
          out.pass();
        }
      },
      [&](const Mark& mark) {
        put_mark(out, mark, meta);
        out.pass();
        return true;
      });
  out << "</trace>\n";
  return counts;
}

}  // namespace peerscope
