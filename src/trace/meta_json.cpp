// TraceMeta as JSON: the keys are part of the file format (docs/trace-format.md).
#include "trace/json_fields.hpp"
#include "trace/meta.hpp"

namespace peerscope {

template <class Io, class T>
void json_fields(Io& io, T& x, const TraceHost*) {
  io("name", x.name), io("os", x.os), io("boot_id", x.boot_id), io("shift_ns", x.shift_ns);
  io("shift_uncertainty_ns", x.shift_uncertainty_ns);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceProcess*) {
  io("index", x.index), io("host", x.host), io("pid", x.pid), io("name", x.name);
  io("session", x.session), io("library_version", x.library_version), io("clock", x.clock);
  io("state", x.state), io("level", x.level), io("created_ns", x.created_ns);
  io("created_real_ns", x.created_real_ns), io("operations", x.operations), io("bytes", x.bytes);
  io("errors", x.errors), io("recorded", x.recorded), io("delivered", x.delivered);
  io("lost", x.lost), io("before", x.before), io("dropped", x.dropped);
  io("pair_cost_ns", x.pair_cost_ns), io("overhead_fraction", x.overhead_fraction);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceDevice*) {
  io("host", x.host), io("index", x.index), io("name", x.name), io("uuid", x.uuid);
  io("pci_bus_id", x.pci_bus_id);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceLink*) {
  io("host", x.host), io("from", x.from), io("to", x.to), io("type", x.type);
  io("bandwidth_bytes_per_s", x.bandwidth_bytes_per_s);
  io("measured_bytes_per_s", x.measured_bytes_per_s), io("source", x.source);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceMember*) {
  io("rank", x.rank), io("process", x.process), io("device", x.device);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceComm*) {
  io("id", x.id), io("name", x.name), io("ranks", x.ranks), io("backend", x.backend);
  io("members", x.members);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceName*) {
  io("process", x.process), io("id", x.id), io("text", x.text);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceSetting*) {
  io("key", x.key), io("value", x.value), io("origin", x.origin);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceMeasurement*) {
  io("tool", x.tool), io("test", x.test), io("unit", x.unit), io("value", x.value);
  io("from", x.from), io("to", x.to), io("bytes", x.bytes);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceClock*) {
  io("real_offset_ns", x.real_offset_ns), io("uncertainty_ns", x.uncertainty_ns);
  io("ns_per_tick", x.ns_per_tick);
}
template <class Io, class T>
void json_fields(Io& io, T& x, const TraceMeta*) {
  io("session", x.session), io("command", x.command), io("tool", x.tool), io("version", x.version);
  io("created_real_ns", x.created_real_ns), io("clock", x.clock), io("hosts", x.hosts);
  io("processes", x.processes), io("devices", x.devices), io("links", x.links);
  io("communicators", x.communicators), io("names", x.names), io("settings", x.settings);
  io("versions", x.versions), io("measurements", x.measurements);
  io("overhead_fraction", x.overhead_fraction), io("lost", x.lost), io("dropped", x.dropped);
  io("not_written", x.not_written);
}

std::string to_json_text(const TraceMeta& meta) { return dump_json(JsonWriter::value(meta)); }

Result<TraceMeta> parse_meta(std::string_view text) {
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_object()) return Error{ErrorCode::corrupt, "the session's description is no JSON"};
  TraceMeta meta;
  std::string problem;
  JsonReader reader(parsed, "meta", problem);
  json_fields(reader, meta, static_cast<const TraceMeta*>(nullptr));
  if (!problem.empty()) return Error{ErrorCode::corrupt, problem};
  return meta;
}

}  // namespace peerscope
