#include "session/debug_json.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

#include "analyze/detect/words.hpp"
#include "session/json.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

json id_or_null(std::uint32_t id, std::uint32_t none) {
  return id == none ? json(nullptr) : json(id);
}
json text_or_null(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }
json time_or_null(std::int64_t ns) { return ns == kUnknownNs ? json(nullptr) : json(ns); }
json figure_or_null(double value) {
  return std::isfinite(value) && value >= 0 ? json(value) : json(nullptr);
}

json call_json(const Op& op, const Snapshot& snapshot) {
  const std::string communicator = communicator_name(snapshot, op.comm);
  return {{"operation", name(op.kind)},
          {"algorithm", name(op.algorithm)},
          {"communicator", text_or_null(communicator)},
          {"sequence", op.sequence},
          {"bytes", op.bytes}};
}

json error_json(const TrackedError& error, const Snapshot& snapshot) {
  const Op& op = error.op;
  json out = call_json(op, snapshot);
  const bool known = op.process < snapshot.processes.size();
  out["type"] = name(op.status);
  out["time"] = time_text(error.at_ns + snapshot.real_offset_ns);
  out["at_ns"] = error.at_ns;
  out["rank"] = id_or_null(op.rank, kNoRank);
  out["peer"] = id_or_null(op.peer, kNoPeer);
  out["device"] = id_or_null(op.device, kNoDevice);
  out["pid"] = known ? json(snapshot.processes[op.process].pid) : json(nullptr);
  out["recovery_attempted"] = error.tries > 0;
  out["tries"] = error.tries;
  out["recovered"] = error.recovered;
  out["time_to_recovery_ns"] = time_or_null(error.recovery_ns);
  return out;
}

json group_json(const ErrorGroup& group, const Snapshot& snapshot) {
  json pairs = json::array();
  for (const auto& [rank, peer] : group.pairs) pairs.push_back({{"rank", rank}, {"peer", peer}});
  return {{"type", name(group.type)},
          {"operation", name(group.operation)},
          {"communicator", text_or_null(communicator_name(snapshot, group.comm))},
          {"count", group.count},
          {"ranks", group.ranks},
          {"pairs", pairs},
          {"first", time_text(group.first_ns + snapshot.real_offset_ns)},
          {"last", time_text(group.last_ns + snapshot.real_offset_ns)},
          {"first_sequence", group.first_sequence},
          {"last_sequence", group.last_sequence},
          {"errors", group.errors},
          {"recovery_attempted", group.tried_again},
          {"recovered", group.recovered},
          {"time_to_recovery_ns",
           {{"least", time_or_null(group.recovery_least_ns)},
            {"mean", time_or_null(group.recovery_mean_ns())},
            {"most", time_or_null(group.recovery_most_ns)}}}};
}

}  // namespace

json to_json(const DebugEvent& event, std::int64_t real_offset_ns) {
  return {
      {"time", time_text(event.at_ns + real_offset_ns)},
      {"at_ns", event.at_ns},
      {"severity", name(event.severity)},
      {"kind", event.kind},
      {"text", event.text},
      {"communicator", text_or_null(event.communicator)},
      {"operation", text_or_null(event.operation)},
      {"sequence", event.sequence ? json(*event.sequence) : json(nullptr)},
      {"rank", id_or_null(event.rank, kNoRank)},
      {"peer", id_or_null(event.peer, kNoPeer)},
      {"device", id_or_null(event.device, kNoDevice)},
      {"pid", id_or_null(event.pid, 0)},
      {"value", event.value && std::isfinite(*event.value) ? json(*event.value) : json(nullptr)},
      {"unit", text_or_null(event.unit)},
      {"repeated", event.repeated}};
}

json errors_json(const ErrorTracker& errors, const Snapshot& snapshot) {
  json out = {{"operations", errors.operations()},
              {"failed", errors.failed()},
              {"error_rate", nullptr},
              {"groups", json::array()},
              {"errors", json::array()},
              {"forgotten", errors.forgotten()},
              {"ungrouped", errors.ungrouped()}};
  if (errors.operations() > 0) {
    out["error_rate"] =
        static_cast<double>(errors.failed()) / static_cast<double>(errors.operations());
  }
  for (const ErrorGroup& group : errors.groups())
    out["groups"].push_back(group_json(group, snapshot));
  for (const TrackedError& error : errors.errors())
    out["errors"].push_back(error_json(error, snapshot));
  return out;
}

json to_json(const InFlightGroup& group, const Snapshot& snapshot) {
  json out = call_json(group.op, snapshot);
  out["ranks"] = group.op.ranks;
  out["peer"] = id_or_null(group.op.peer, kNoPeer);
  out["age_ns"] = group.age_ns;
  out["age_s"] = static_cast<double>(group.age_ns) / 1e9;
  out["normal_p50_ns"] = figure_or_null(group.normal_p50_ns);
  out["normal_p999_ns"] = figure_or_null(group.normal_p999_ns);
  out["mismatch"] = text_or_null(group.mismatch);
  out["odd_ranks"] = group.odd_ranks();
  out["entered"] = json::array();
  for (const Entered& e : group.entered) {
    json entry = to_json(e.entry, snapshot);
    entry["odd"] = e.odd;
    out["entered"].push_back(std::move(entry));
  }
  out["missing"] = json::array();
  for (const Absent& absent : group.missing) {
    out["missing"].push_back(
        {{"rank", absent.rank},
         {"instead", absent.instead ? to_json(*absent.instead, snapshot) : json(nullptr)}});
  }
  out["finding"] = group.hang ? to_json(*group.hang) : json(nullptr);
  return out;
}

json to_json(const GivenUp& end, const Snapshot& snapshot) {
  json out = call_json(end.op, snapshot);
  out["type"] = name(end.op.status);
  out["ranks"] = end.op.ranks;
  out["missing"] = end.missing;
  out["mismatch"] = text_or_null(end.mismatch);
  out["odd_ranks"] = end.odd;
  out["gave_up"] = json::array();
  for (const Op& op : end.ranks) {
    out["gave_up"].push_back({{"rank", op.rank},
                              {"type", name(op.status)},
                              {"operation", name(op.kind)},
                              {"bytes", op.bytes},
                              {"waited_ns", time_or_null(op.host_duration_ns)},
                              {"began", time_text(op.begin_ns + snapshot.real_offset_ns)}});
  }
  return out;
}

namespace {

json rank_json(const RankTrace& rank, std::int64_t first_ns) {
  json device = json::array();
  for (const DeviceSpan& span : rank.device) {
    device.push_back({{"begin_ns", span.begin_ns - first_ns},
                      {"duration_ns", span.duration_ns},
                      {"channel", span.channel},
                      {"stream", span.stream},
                      {"source", "measured"},
                      {"clock", "device"}});
  }
  json phases = json::array();
  for (const PhaseSpan& phase : rank.phases) {
    phases.push_back({{"phase", phase.name},
                      {"begin_ns", phase.begin_ns - first_ns},
                      {"duration_ns", phase.duration_ns},
                      {"source", "measured"},
                      {"clock", "host"}});
  }
  return {{"rank", rank.op.rank},
          {"device_index", id_or_null(rank.op.device, kNoDevice)},
          {"operation", name(rank.op.kind)},
          {"bytes", rank.op.bytes},
          {"odd", rank.odd},
          {"status", name(rank.op.status)},
          {"arrived_ns", rank.late_ns},
          {"host_ns", time_or_null(rank.host_ns)},
          {"left_ns", rank.host_ns < 0 ? json(nullptr) : json(rank.late_ns + rank.host_ns)},
          {"waited_ns", time_or_null(rank.wait_ns)},
          {"completed_ns",
           rank.complete_ns == kUnknownNs ? json(nullptr) : json(rank.complete_ns - first_ns)},
          {"source", "measured"},
          {"clock", "host"},
          {"phases", phases},
          {"device", device}};
}

json transfer_json(const Transfer& t, std::int64_t first_ns) {
  const auto from_first = [&](std::int64_t ns) {
    return ns == kUnknownNs ? json(nullptr) : json(ns - first_ns);
  };
  return {{"from", t.from},
          {"to", t.to},
          {"bytes", t.bytes},
          {"sequence", t.sequence},
          {"send_begin_ns", from_first(t.send_begin_ns)},
          {"send_end_ns", from_first(t.send_end_ns)},
          {"recv_begin_ns", from_first(t.recv_begin_ns)},
          {"recv_end_ns", from_first(t.recv_end_ns)},
          {"source", "measured"}};
}

}  // namespace

json to_json(const CollectiveTrace& trace, const std::string& communicator,
             std::int64_t real_offset_ns) {
  json ranks = json::array(), transfers = json::array(), moves = json::array();
  for (const RankTrace& rank : trace.ranks) ranks.push_back(rank_json(rank, trace.first_ns));
  for (const Transfer& t : trace.transfers) transfers.push_back(transfer_json(t, trace.first_ns));
  for (const PlannedMove& move : trace.plan) {
    moves.push_back({{"round", move.round},
                     {"from", move.from},
                     {"to", move.to},
                     {"block", move.block < 0 ? json(nullptr) : json(move.block)},
                     {"bytes", move.bytes < 0 ? json(nullptr) : json(move.bytes)},
                     {"phase", move.phase},
                     {"source", "planned"}});
  }
  return {{"operation", name(trace.op.kind)},
          {"algorithm", name(trace.op.algorithm)},
          {"protocol", name(trace.op.protocol)},
          {"backend", name(trace.op.backend)},
          {"dtype", name(trace.op.dtype)},
          {"communicator", text_or_null(communicator)},
          {"sequence", trace.op.sequence},
          {"bytes", trace.op.bytes},
          {"rank_count", trace.op.ranks},
          {"root", has_root(trace.op.kind) ? id_or_null(trace.op.peer, kNoPeer) : json(nullptr)},
          {"async", trace.op.async},
          {"complete", trace.missing.empty()},
          {"missing", trace.missing},
          {"mismatch", text_or_null(trace.mismatch)},
          {"first_arrival", time_text(trace.first_ns + real_offset_ns)},
          {"first_arrival_ns", trace.first_ns},
          {"skew_host_ns", trace.skew_ns()},
          {"transfer_host_ns", time_or_null(trace.transfer_ns())},
          {"transfer_device_ns", time_or_null(trace.device_transfer_ns)},
          {"wait_device_ns", time_or_null(trace.device_wait_ns)},
          {"ranks", ranks},
          {"transfers", transfers},
          {"moves", moves},
          {"plan_unknown", text_or_null(trace.plan_unknown)}};
}

}  // namespace peerscope
