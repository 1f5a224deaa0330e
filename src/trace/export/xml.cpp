// XML: one document, one element an operation. An attribute that is unknown is left out.
#include <fmt/format.h>

#include "trace/export/export_all.hpp"
#include "trace/export/formats.hpp"
#include "trace/export/out.hpp"
#include "trace/export/shape_cache.hpp"

namespace peerscope {
namespace {

template <class T>
std::string attribute(std::string_view key, T value, T unknown) {
  return value == unknown ? std::string() : fmt::format(R"( {}="{}")", key, value);
}

template <class T>
  requires std::is_enum_v<T>
std::string attribute(std::string_view key, T value) {
  return value == T::unknown ? std::string() : fmt::format(R"( {}="{}")", key, name(value));
}

std::string attribute(std::string_view key, std::string_view text) {
  return text.empty() ? std::string() : fmt::format(R"( {}="{}")", key, xml_text(text));
}

std::string shape_text(const TraceMeta& meta, const Op& op) {
  return attribute("algorithm", op.algorithm) + attribute("protocol", op.protocol) +
         attribute("dtype", op.dtype) + attribute("communicator", meta.comm_name(op.comm)) +
         attribute("rank", op.rank, kNoRank) + attribute("ranks", op.ranks, std::uint16_t{0}) +
         attribute("peer", op.peer, kNoPeer) + attribute("device", op.device, kNoDevice) +
         fmt::format(
             R"( stream="{}" channel="{}" process="{}" thread="{}" weight="{}" status="{}")",
             op.stream, op.channel, op.process, op.thread, op.weight, name(op.status)) +
         attribute("backend", op.backend) +
         fmt::format(R"( async="{}" device-only="{}"/>)"
                     "\n",
                     op.async, op.device_only);
}

void put_ns(Out& out, std::string_view key, std::int64_t ns) {
  if (ns != kUnknownNs) out << ' ' << key << "=\"" << ns << '"';
}

void put_processes(Out& out, const TraceMeta& meta) {
  for (const TraceHost& host : meta.hosts)
    out << fmt::format("<host{}{}{}/>\n", attribute("name", host.name), attribute("os", host.os),
                       attribute("boot-id", host.boot_id));
  for (const TraceProcess& process : meta.processes)
    out << fmt::format("<process index=\"{}\" host=\"{}\" pid=\"{}\"{}/>\n", process.index,
                       process.host, process.pid, attribute("name", process.name));
}

void put_communicators(Out& out, const TraceMeta& meta) {
  for (const TraceComm& comm : meta.communicators) {
    out << fmt::format(
        "<communicator id=\"{:#x}\"{}{}{}>\n", comm.id, attribute("name", meta.comm_name(comm.id)),
        attribute("ranks", comm.ranks, std::uint16_t{0}), attribute("backend", comm.backend));
    for (const TraceMember& member : comm.members)
      out << fmt::format("<member{} process=\"{}\"{}/>\n", attribute("rank", member.rank, kNoRank),
                         member.process, attribute("device", member.device, kNoDevice));
    out << "</communicator>\n";
  }
}

void put_machine(Out& out, const TraceMeta& meta) {
  for (const TraceDevice& device : meta.devices)
    out << fmt::format("<device host=\"{}\"{}{}{}{}/>\n", device.host,
                       attribute("index", device.index, kNoDevice), attribute("name", device.name),
                       attribute("uuid", device.uuid), attribute("pci", device.pci_bus_id));
  for (const TraceLink& link : meta.links)
    out << fmt::format("<link host=\"{}\"{}{}{}{}{}/>\n", link.host,
                       attribute("from", link.from, kNoDevice), attribute("to", link.to, kNoDevice),
                       attribute("type", link.type),
                       attribute("bytes-per-s", link.bandwidth_bytes_per_s, -1.0),
                       attribute("measured-bytes-per-s", link.measured_bytes_per_s, -1.0));
  for (const TraceMeasurement& one : meta.measurements)
    out << fmt::format("<measurement{}{} value=\"{}\"{}{}{}{}/>\n", attribute("tool", one.tool),
                       attribute("test", one.test), one.value, attribute("unit", one.unit),
                       attribute("from", one.from, -1), attribute("to", one.to, -1),
                       attribute("bytes", one.bytes, std::uint64_t{0}));
  for (const TraceSetting& setting : meta.settings)
    out << fmt::format("<setting{}{}{}/>\n", attribute("key", setting.key),
                       attribute("value", setting.value), attribute("origin", setting.origin));
}

void put_meta(Out& out, const TraceMeta& meta) {
  out << fmt::format(R"(<session id="{}" command="{}" tool="{}" version="{}" real-offset-ns="{}" )"
                     R"(lost="{}" dropped="{}" not-written="{}">)"
                     "\n",
                     xml_text(meta.session), xml_text(meta.command), xml_text(meta.tool),
                     xml_text(meta.version), meta.clock.real_offset_ns, meta.lost, meta.dropped,
                     meta.not_written);
  put_processes(out, meta);
  put_communicators(out, meta);
  put_machine(out, meta);
  out << "</session>\n";
}

void put_op(Out& out, const Op& op, const std::string& shape) {
  out << '<' << (name(op.kind) == "?" ? "other" : name(op.kind)) << " begin-ns=\"" << op.begin_ns
      << '"';
  put_ns(out, "host-duration-ns", op.host_duration_ns);
  put_ns(out, "device-begin-ns", op.device_begin_ns);
  put_ns(out, "device-duration-ns", op.device_duration_ns);
  out << " bytes=\"" << op.bytes << "\" sequence=\"" << op.sequence << '"' << shape;
}

bool put_mark(Out& out, const Mark& mark, const TraceMeta& meta) {
  out << "<mark type=\"" << name(mark.type) << "\" at-ns=\"" << mark.at_ns << '"';
  put_ns(out, "duration-ns", mark.duration_ns);
  out << " value=\"" << mark.value << '"' << attribute("name", meta.name(mark.process, mark.name))
      << attribute("communicator", meta.comm_name(mark.comm))
      << attribute("rank", mark.rank, kNoRank) << " process=\"" << mark.process << "\" operation=\""
      << name(mark.kind) << "\" sequence=\"" << operation_sequence(mark) << "\" status=\""
      << name(mark.status) << "\" severity=\"" << int{mark.severity} << "\"/>\n";
  return true;
}

}  // namespace

Result<ExportCounts> export_xml(const TraceReader& trace, const ExportOptions& options,
                                ByteSink& sink) {
  const TraceMeta& meta = trace.meta();
  Out out(sink);
  ShapeCache<std::string> shapes([&](const Op& op) { return shape_text(meta, op); });
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<trace version=\"1\">\n";
  put_meta(out, meta);
  auto counts = export_each(
      trace, options, [&](const Op& op) { put_op(out, op, shapes.of(op)); },
      [&](const Mark& mark) { return put_mark(out, mark, meta); });
  out << "</trace>\n";
  return counts;
}

}  // namespace peerscope
