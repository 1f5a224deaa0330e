#include "session/json.hpp"

#include <algorithm>
#include <map>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "analyze/detect/words.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

json known(double value) { return value < 0 ? json(nullptr) : json(value); }
json known(std::uint16_t id, std::uint16_t none) { return id == none ? json(nullptr) : json(id); }

json to_json(const Distribution& d) {
  if (!d.known()) return nullptr;
  return {{"count", d.count},
          {"mean_ns", d.mean_ns},
          {"p50_ns", d.p50_ns},
          {"p90_ns", d.p90_ns},
          {"p99_ns", d.p99_ns},
          {"p999_ns", d.p999_ns},
          {"min_ns", d.min_ns},
          {"max_ns", d.max_ns},
          {"p50_low_ns", known(d.p50_low_ns)},
          {"p50_high_ns", known(d.p50_high_ns)}};
}

json to_json(const Traffic& t) {
  return {{"count", t.count},
          {"bytes", t.bytes},
          {"errors", t.errors},
          {"span_ns", t.span_ns},
          {"operations_per_s", known(t.operations_per_s())},
          {"bytes_per_s", known(t.bytes_per_s())},
          {"mean_host_ns", known(t.mean_host_ns)},
          {"mean_device_ns", known(t.mean_device_ns)}};
}

json to_json(const OperationStats& s) {
  json out = to_json(static_cast<const Traffic&>(s));
  out["success_rate"] = known(s.success_rate());
  out["host"] = to_json(s.host);
  out["device"] = to_json(s.device);
  out["transfer"] = to_json(s.transfer);
  out["skew"] = to_json(s.skew);
  out["device_transfer"] = to_json(s.device_transfer);
  out["device_wait"] = to_json(s.device_wait);
  out["algbw_gbs"] = known(s.algbw_bytes_per_s < 0 ? -1 : s.algbw_bytes_per_s / 1e9);
  out["busbw_gbs"] = known(s.busbw_bytes_per_s < 0 ? -1 : s.busbw_bytes_per_s / 1e9);
  out["bandwidth_clock"] = name(s.bandwidth_clock);
  return out;
}

template <class T, class F>
json windows(const PerWindow<T>& all, const F& convert) {
  json out = json::object();
  for (std::size_t i = 0; i < kWindows; ++i) out[name(static_cast<Window>(i))] = convert(all[i]);
  return out;
}

json to_json(const OperationRow& row) {
  const auto convert = [](const OperationStats& s) { return to_json(s); };
  return {{"operation", name(row.kind)},
          {"algorithm", name(row.algorithm)},
          {"size_bytes", size_class_top(row.size_class)},
          {"other", row.other},
          {"ranks", row.ranks},
          {"windows", windows(row.windows, convert)}};
}

json to_json(const RankStats& s) {
  json out = to_json(static_cast<const Traffic&>(s));
  out["collectives"] = s.collectives;
  out["last_share"] = s.last_share();
  out["lateness_p50_ns"] = s.lateness_samples > 0 ? json(s.lateness_p50_ns) : json(nullptr);
  out["lateness_p99_ns"] = s.lateness_samples > 0 ? json(s.lateness_p99_ns) : json(nullptr);
  out["wait_ns"] = s.wait_ns;
  out["waited_for_ns"] = s.waited_for_ns;
  out["communication_ns"] = s.communication_ns;
  out["waiting_share"] = s.waiting_share;
  return out;
}

json to_json(const CommunicatorStats& s) {
  json out = to_json(static_cast<const Traffic&>(s));
  out["complete"] = s.complete;
  out["incomplete"] = s.incomplete;
  out["mismatched"] = s.mismatched;
  out["skew_p50_ns"] = known(s.skew_p50_ns);
  out["transfer_p50_ns"] = known(s.transfer_p50_ns);
  out["waiting_share"] = known(s.waiting_share());
  return out;
}

json aggregates_json(const Snapshot& snapshot) {
  const Aggregates& a = *snapshot.aggregates;
  const auto traffic = [](const Traffic& t) { return to_json(t); };
  json out = json::object();
  for (const OperationRow& row : a.operations) out["operations"].push_back(to_json(row));
  for (const DeviceRow& row : a.devices) {
    out["devices"].push_back(
        {{"device", known(row.device, kNoDevice)}, {"windows", windows(row.windows, traffic)}});
  }
  for (const PairRow& row : a.pairs) {
    out["pairs"].push_back(
        {{"communicator", communicator_name(snapshot, row.comm)},
         {"from", row.from},
         {"to", row.to},
         {"operation", name(row.kind)},
         {"p50_ns", known(row.p50_ns)},
         {"bandwidth_gbs",
          known(row.bandwidth_bytes_per_s < 0 ? -1 : row.bandwidth_bytes_per_s / 1e9)},
         {"clock", name(row.clock)},
         {"windows", windows(row.windows, traffic)}});
  }
  for (const CommunicatorRow& row : a.communicators) {
    out["communicators"].push_back(
        {{"id", fmt::format("{:016x}", row.id)},
         {"name", communicator_name(snapshot, row.id)},
         {"ranks", row.ranks},
         {"backend", name(row.backend)},
         {"windows", windows(row.windows, [](const CommunicatorStats& s) { return to_json(s); })}});
  }
  for (const RankRow& row : a.ranks) {
    out["ranks"].push_back(
        {{"communicator", communicator_name(snapshot, row.comm)},
         {"rank", row.rank},
         {"windows", windows(row.windows, [](const RankStats& s) { return to_json(s); })}});
  }
  for (const char* key : {"operations", "devices", "pairs", "communicators", "ranks"}) {
    if (!out.contains(key)) out[key] = json::array();
  }
  out["totals"] = {{"operations", a.totals.operations},
                   {"bytes", a.totals.bytes},
                   {"errors", a.totals.errors},
                   {"collectives", a.totals.collectives},
                   {"success_rate", known(a.totals.success_rate)},
                   {"overflowed", a.totals.overflowed}};
  return out;
}

json sessions_json(const Snapshot& snapshot) {
  std::map<std::string, ProcessState> states;
  for (const ProcessView& process : snapshot.processes) {
    const auto [at, is_new] = states.emplace(process.session, process.state);
    if (!is_new) at->second = combine(at->second, process.state);
  }
  json sessions = json::array();
  for (const auto& [id, state] : states) {
    json session = {{"id", id},
                    {"state", name(state)},
                    {"processes", json::array()},
                    {"in_flight", json::array()}};
    std::uint64_t operations = 0;
    for (const ProcessView& process : snapshot.processes) {
      if (process.session != id) continue;
      session["processes"].push_back(to_json(process, snapshot.real_offset_ns));
      operations += process.operations;
    }
    for (const InFlight& entry : snapshot.in_flight) {
      const bool ours = entry.op.process < snapshot.processes.size() &&
                        snapshot.processes[entry.op.process].session == id;
      if (ours) session["in_flight"].push_back(to_json(entry, snapshot));
    }
    session["operations"] = operations;
    sessions.push_back(std::move(session));
  }
  return sessions;
}

json details_json(const Snapshot& snapshot) {
  json out = {{"metrics", json::array()},
              {"phases", json::array()},
              {"call_sites", json::array()},
              {"events", json::array()}};
  for (const MetricView& m : snapshot.metrics) {
    out["metrics"].push_back({{"name", m.name},
                              {"unit", m.unit},
                              {"type", name(m.type)},
                              {"value", m.value},
                              {"count", m.count},
                              {"p50", known(m.p50)},
                              {"p99", known(m.p99)},
                              {"rank", m.rank ? json(*m.rank) : json(nullptr)}});
  }
  for (const PhaseView& p : snapshot.phases) {
    out["phases"].push_back({{"operation", name(p.kind)},
                             {"phase", p.name},
                             {"count", p.count},
                             {"p50_host_ns", p.p50_ns},
                             {"p99_host_ns", p.p99_ns},
                             {"total_host_ns", p.total_ns}});
  }
  for (const CallSiteView& c : snapshot.call_sites) {
    out["call_sites"].push_back(
        {{"operation", name(c.kind)}, {"site", c.site}, {"count", c.count}});
  }
  for (const EventView& e : snapshot.events) {
    out["events"].push_back({{"time", time_text(e.at_ns + snapshot.real_offset_ns)},
                             {"severity", e.severity},
                             {"name", e.name},
                             {"pid", e.pid},
                             {"value", e.value}});
  }
  return out;
}

}  // namespace

std::string time_text(std::int64_t real_ns) {
  const std::time_t seconds = real_ns / 1'000'000'000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds),
                     real_ns / 1'000'000 % 1000);
}

json to_json(const Finding& finding) {
  const auto number = [](const std::optional<int>& value) {
    return value ? json(*value) : json(nullptr);
  };
  const auto text = [](const std::string& value) {
    return value.empty() ? json(nullptr) : json(value);
  };
  json evidence = json::object();
  for (const auto& [key, value] : finding.evidence) evidence[key] = value;
  return {{"kind", finding.kind},
          {"severity", name(finding.severity)},
          {"subject",
           {{"rank", number(finding.subject.rank)},
            {"peer", number(finding.subject.peer)},
            {"device", number(finding.subject.device)},
            {"link", text(finding.subject.link)},
            {"communicator", text(finding.subject.communicator)},
            {"operation", text(finding.subject.operation)}}},
          {"sentence", finding.sentence},
          {"action", finding.action},
          {"confidence", finding.confidence},
          {"impact", finding.impact},
          {"since_ns", finding.since_ns < 0 ? json(nullptr) : json(finding.since_ns)},
          {"evidence", evidence}};
}

json to_json(const ProcessView& p, std::int64_t real_offset_ns) {
  return {{"pid", p.pid},
          {"name", p.name},
          {"state", name(p.state)},
          {"level", name(p.level)},
          {"operations", p.operations},
          {"bytes", p.bytes},
          {"errors", p.errors},
          {"recorded", p.recorded},
          {"delivered", p.delivered},
          {"lost", p.lost},
          {"overwritten_before", p.before},
          {"dropped", p.dropped},
          {"threads", p.threads},
          {"segment_bytes", p.segment_bytes},
          {"overhead_fraction", p.overhead_fraction},
          {"operation_cost_ns", p.pair_cost_ns},
          {"started", time_text(p.created_real_ns)},
          {"last_sign", time_text(p.last_sign_ns + real_offset_ns)},
          {"segment", p.path}};
}

json to_json(const InFlight& entry, const Snapshot& snapshot) {
  const Op& op = entry.op;
  const bool known_process = op.process < snapshot.processes.size();
  return {{"operation", name(op.kind)},
          {"algorithm", name(op.algorithm)},
          {"rank", known(op.rank, kNoRank)},
          {"ranks", op.ranks},
          {"peer", known(op.peer, kNoPeer)},
          {"communicator", communicator_name(snapshot, op.comm)},
          {"sequence", op.sequence},
          {"bytes", op.bytes},
          {"pid", entry.pid},
          {"tid", entry.tid},
          {"process_state",
           known_process ? json(name(snapshot.processes[op.process].state)) : json(nullptr)},
          {"enqueued", entry.enqueued},
          {"age_ns", entry.age_ns},
          {"age_s", static_cast<double>(entry.age_ns) / 1e9},
          {"since", time_text(op.begin_ns + snapshot.real_offset_ns)}};
}

json to_json(const Snapshot& snapshot) {
  json out = snapshot.aggregates ? aggregates_json(snapshot) : json::object();
  out.update(details_json(snapshot));
  out["findings"] = json::array();
  for (const Finding& finding : snapshot.findings) out["findings"].push_back(to_json(finding));
  out["sessions"] = sessions_json(snapshot);
  out["in_flight"] = json::array();
  for (const InFlight& entry : snapshot.in_flight)
    out["in_flight"].push_back(to_json(entry, snapshot));
  // Counted by the processes themselves: exact at every level, whatever a reader missed.
  std::uint64_t operations = 0;
  std::uint64_t bytes = 0;
  std::uint64_t errors = 0;
  for (const ProcessView& process : snapshot.processes) {
    operations += process.operations;
    bytes += process.bytes;
    errors += process.errors;
  }
  json& totals = out["totals"];
  totals["analysed"] = totals.value("operations", std::uint64_t{0});
  if (operations > 0) {  // an imported trace has no processes that count
    totals["operations"] = operations;
    totals["bytes"] = bytes;
    totals["errors"] = errors;
  }
  out["machine"] = snapshot.machine ? to_json(*snapshot.machine) : json(nullptr);
  out["trace"] = nullptr;
  if (const TraceView& trace = snapshot.trace; !trace.path.empty()) {
    out["trace"] = {{"path", trace.path},
                    {"operations", trace.operations},
                    {"bytes", trace.bytes},
                    {"not_written", trace.not_written},
                    {"suspended", trace.suspended}};
  }
  out["lost"] = snapshot.lost;
  out["dropped"] = snapshot.dropped;
  out["delivered"] = snapshot.delivered;
  out["overhead_fraction"] = snapshot.overhead_fraction;
  return out;
}

}  // namespace peerscope
