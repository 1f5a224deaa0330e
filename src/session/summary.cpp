#include "session/summary.hpp"

#include "trace/json_fields.hpp"

namespace peerscope {

// The layout of Op is the trace format's own business; here an operation is an object like all.
template <class Io, class X>
void json_fields(Io& io, X& x, const Op*) {
  io("begin_ns", x.begin_ns), io("host_duration_ns", x.host_duration_ns);
  io("device_begin_ns", x.device_begin_ns), io("device_duration_ns", x.device_duration_ns);
  io("bytes", x.bytes), io("sequence", x.sequence), io("comm", x.comm), io("process", x.process);
  io("thread", x.thread), io("weight", x.weight), io("rank", x.rank), io("ranks", x.ranks);
  io("peer", x.peer), io("device", x.device), io("stream", x.stream), io("channel", x.channel);
  io("kind", x.kind), io("algorithm", x.algorithm), io("protocol", x.protocol);
  io("dtype", x.dtype), io("status", x.status), io("backend", x.backend), io("async", x.async);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const InFlight*) {
  io("op", x.op), io("pid", x.pid), io("tid", x.tid), io("age_ns", x.age_ns);
  io("enqueued", x.enqueued);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const ProcessView*) {
  io("pid", x.pid), io("name", x.name), io("session", x.session), io("state", x.state);
  io("level", x.level), io("operations", x.operations), io("recorded", x.recorded);
  io("delivered", x.delivered), io("lost", x.lost), io("dropped", x.dropped);
  io("before", x.before), io("bytes", x.bytes), io("errors", x.errors), io("threads", x.threads);
  io("segment_bytes", x.segment_bytes), io("overhead_fraction", x.overhead_fraction);
  io("pair_cost_ns", x.pair_cost_ns), io("path", x.path), io("created_ns", x.created_ns);
  io("created_real_ns", x.created_real_ns), io("last_sign_ns", x.last_sign_ns);
  io("stopped", x.stopped);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const CommView*) {
  io("id", x.id), io("name", x.name);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const MetricView*) {
  io("name", x.name), io("unit", x.unit), io("type", x.type), io("value", x.value);
  io("count", x.count), io("p50", x.p50), io("p99", x.p99), io("rank", x.rank);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const PhaseView*) {
  io("kind", x.kind), io("name", x.name), io("count", x.count), io("p50_ns", x.p50_ns);
  io("p99_ns", x.p99_ns), io("total_ns", x.total_ns);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const CallSiteView*) {
  io("kind", x.kind), io("site", x.site), io("count", x.count);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const EventView*) {
  io("at_ns", x.at_ns), io("severity", x.severity), io("name", x.name), io("pid", x.pid);
  io("value", x.value);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const TraceView*) {
  io("path", x.path), io("operations", x.operations), io("bytes", x.bytes);
  io("not_written", x.not_written), io("suspended", x.suspended), io("since_ns", x.since_ns);
  io("why", x.why);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const Subject*) {
  io("rank", x.rank), io("peer", x.peer), io("device", x.device), io("link", x.link);
  io("communicator", x.communicator), io("operation", x.operation);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const Finding*) {
  io("kind", x.kind), io("severity", x.severity), io("subject", x.subject);
  io("sentence", x.sentence), io("action", x.action), io("confidence", x.confidence);
  io("impact", x.impact), io("since_ns", x.since_ns), io("evidence", x.evidence);
}

template <class Io, class X>
void json_fields(Io& io, X& x, const Distribution*) {
  io("count", x.count), io("mean_ns", x.mean_ns), io("p50_ns", x.p50_ns), io("p90_ns", x.p90_ns);
  io("p99_ns", x.p99_ns), io("p999_ns", x.p999_ns), io("min_ns", x.min_ns), io("max_ns", x.max_ns);
  io("p50_low_ns", x.p50_low_ns), io("p50_high_ns", x.p50_high_ns);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const Counts*) {
  io("count", x.count), io("bytes", x.bytes), io("errors", x.errors);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const Traffic*) {
  json_fields(io, x, static_cast<const Counts*>(nullptr));
  io("span_ns", x.span_ns), io("mean_host_ns", x.mean_host_ns);
  io("mean_device_ns", x.mean_device_ns);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const Totals*) {
  io("windows", x.windows), io("operations", x.operations), io("bytes", x.bytes);
  io("errors", x.errors), io("collectives", x.collectives), io("success_rate", x.success_rate);
  io("first_ns", x.first_ns), io("last_ns", x.last_ns), io("overflowed", x.overflowed);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const OperationStats*) {
  json_fields(io, x, static_cast<const Traffic*>(nullptr));
  io("host", x.host), io("device", x.device), io("transfer", x.transfer), io("skew", x.skew);
  io("device_transfer", x.device_transfer), io("device_wait", x.device_wait);
  io("algbw_bytes_per_s", x.algbw_bytes_per_s), io("busbw_bytes_per_s", x.busbw_bytes_per_s);
  io("bandwidth_clock", x.bandwidth_clock);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const OperationRow*) {
  io("kind", x.kind), io("algorithm", x.algorithm), io("size_class", x.size_class);
  io("other", x.other), io("ranks", x.ranks), io("first_error_ns", x.first_error_ns);
  io("last_error_ns", x.last_error_ns), io("windows", x.windows);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const DeviceRow*) {
  io("device", x.device), io("windows", x.windows);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const PairRow*) {
  io("comm", x.comm), io("from", x.from), io("to", x.to), io("windows", x.windows);
  io("kind", x.kind), io("size_class", x.size_class), io("samples", x.samples);
  io("p50_ns", x.p50_ns), io("bandwidth_bytes_per_s", x.bandwidth_bytes_per_s);
  io("clock", x.clock);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const CommunicatorStats*) {
  json_fields(io, x, static_cast<const Traffic*>(nullptr));
  io("complete", x.complete), io("incomplete", x.incomplete), io("mismatched", x.mismatched);
  io("skew_p50_ns", x.skew_p50_ns), io("transfer_p50_ns", x.transfer_p50_ns);
  io("communication_ns", x.communication_ns), io("waiting_ns", x.waiting_ns);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const CommunicatorRow*) {
  io("id", x.id), io("ranks", x.ranks), io("backend", x.backend), io("dominant", x.dominant);
  io("dominant_collectives", x.dominant_collectives), io("windows", x.windows);
  io("recent", x.recent);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const RankStats*) {
  json_fields(io, x, static_cast<const Traffic*>(nullptr));
  io("collectives", x.collectives), io("last", x.last), io("lateness_samples", x.lateness_samples);
  io("lateness_p25_ns", x.lateness_p25_ns), io("lateness_p50_ns", x.lateness_p50_ns);
  io("lateness_p75_ns", x.lateness_p75_ns), io("lateness_p99_ns", x.lateness_p99_ns);
  io("waited_for_ns", x.waited_for_ns), io("wait_ns", x.wait_ns);
  io("communication_ns", x.communication_ns), io("waiting_share", x.waiting_share);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const RankRow*) {
  io("comm", x.comm), io("rank", x.rank), io("windows", x.windows), io("recent", x.recent);
  io("late_since_ns", x.late_since_ns);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const Aggregates*) {
  io("now_ns", x.now_ns), io("totals", x.totals), io("operations", x.operations);
  io("devices", x.devices), io("pairs", x.pairs), io("communicators", x.communicators);
  io("ranks", x.ranks);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const RateSummary*) {
  io("bytes", x.bytes), io("seconds", x.seconds), io("peak_bytes_per_s", x.peak_bytes_per_s);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const DeviceMoment*) {
  io("at_ns", x.at_ns), io("nvlink_bytes_per_s", x.nvlink_bytes_per_s);
  io("pcie_bytes_per_s", x.pcie_bytes_per_s), io("errors", x.errors);
  io("links_active", x.links_active);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const DeviceSummary*) {
  io("index", x.index), io("name", x.name), io("uuid", x.uuid), io("pci_bus_id", x.pci_bus_id);
  io("trouble", x.trouble), io("nvlink_source", x.nvlink_source), io("pcie_source", x.pcie_source);
  io("nvlink_tx", x.nvlink_tx), io("nvlink_rx", x.nvlink_rx), io("pcie_tx", x.pcie_tx);
  io("pcie_rx", x.pcie_rx), io("pcie_generation_max", x.pcie_generation_max);
  io("pcie_width_min", x.pcie_width_min), io("pcie_max_generation", x.pcie_max_generation);
  io("pcie_max_width", x.pcie_max_width), io("links", x.links);
  io("links_active_min", x.links_active_min), io("clock_reasons", x.clock_reasons);
  io("power_w_max", x.power_w_max), io("temperature_c_max", x.temperature_c_max);
  io("errors_risen", x.errors_risen), io("history", x.history);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const PathSummary*) {
  io("from", x.from), io("to", x.to), io("path", x.path);
  io("bandwidth_bytes_per_s", x.bandwidth_bytes_per_s);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const XidEvent*) {
  io("device", x.device), io("xid", x.xid), io("at_ns", x.at_ns), io("at_real_ns", x.at_real_ns);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const MachineSummary*) {
  io("missing", x.missing), io("driver_version", x.driver_version), io("readings", x.readings);
  io("reading_ns", x.reading_ns), io("devices", x.devices), io("paths", x.paths);
  io("xids", x.xids), io("findings", x.findings);
}
template <class Io, class X>
void json_fields(Io& io, X& x, const Snapshot*) {
  io("now_ns", x.now_ns), io("real_offset_ns", x.real_offset_ns), io("processes", x.processes);
  io("in_flight", x.in_flight), io("communicators", x.communicators), io("metrics", x.metrics);
  io("phases", x.phases), io("call_sites", x.call_sites), io("events", x.events);
  io("trace", x.trace), io("overhead_fraction", x.overhead_fraction), io("lost", x.lost);
  io("dropped", x.dropped), io("delivered", x.delivered), io("findings", x.findings);
}

std::string to_summary(const Snapshot& snapshot) {
  nlohmann::json json = JsonWriter::value(snapshot);
  if (snapshot.aggregates) json["aggregates"] = JsonWriter::value(*snapshot.aggregates);
  if (snapshot.machine) json["machine"] = JsonWriter::value(*snapshot.machine);
  return dump_json(json);
}

Result<Snapshot> parse_summary(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return Error{ErrorCode::corrupt, "the stored analysis is no JSON"};
  std::string problem;
  Snapshot snapshot;
  JsonReader reader(json, "analysis", problem);
  json_fields(reader, snapshot, static_cast<const Snapshot*>(nullptr));
  if (json.contains("aggregates") && problem.empty()) {
    auto aggregates = std::make_shared<Aggregates>();
    reader("aggregates", *aggregates);
    snapshot.aggregates = std::move(aggregates);
  }
  if (json.contains("machine") && problem.empty()) {
    auto machine = std::make_shared<MachineSummary>();
    reader("machine", *machine);
    snapshot.machine = std::move(machine);
  }
  if (!problem.empty()) return Error{ErrorCode::corrupt, "the stored " + problem};
  return snapshot;
}

}  // namespace peerscope
