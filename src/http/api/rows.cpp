#include "http/api/rows.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "analyze/debug/in_flight.hpp"
#include "analyze/detect/words.hpp"
#include "model/size_class.hpp"
#include "session/debug_json.hpp"
#include "session/json.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

void add_traffic(json& out, const Traffic& t) {
  out["count"] = t.count;
  out["bytes"] = t.bytes;
  out["errors"] = t.errors;
  out["span_ns"] = t.span_ns;
  out["operations_per_s"] = known(t.operations_per_s());
  out["bytes_per_s"] = known(t.bytes_per_s());
  out["mean_host_ns"] = known(t.mean_host_ns);
  out["mean_device_ns"] = known(t.mean_device_ns);
}

json split_json(const TimeSplit& split) {
  return {
      {"transfer", known(split.transfer)},
      {"waiting", known(split.waiting)},
      {"launch", known(split.launch)},
      {"clock", name(split.clock)},
      {"waiting_for_rank", split.waiting_for_rank ? json(*split.waiting_for_rank) : json(nullptr)}};
}

// What the devices of two ranks can carry, where the machine said so.
double expected_gbs(const Snapshot& snapshot, std::uint16_t from, std::uint16_t to) {
  if (!snapshot.machine) return kUnknown;
  for (const PathSummary& path : snapshot.machine->paths) {
    if (path.from == from && path.to == to && path.bandwidth_bytes_per_s)
      return *path.bandwidth_bytes_per_s / 1e9;
  }
  return kUnknown;
}

const Finding* finding_about(const Snapshot& snapshot, int from, int to) {
  for (const Finding& finding : snapshot.findings) {
    const Subject& subject = finding.subject;
    if (subject.rank == from && subject.peer == to) return &finding;
  }
  return nullptr;
}

std::uint16_t device_of(const RankDevices& devices, std::uint64_t comm, std::uint16_t rank) {
  const auto at = devices.find({comm, rank});
  return at == devices.end() ? kNoDevice : at->second;
}

}  // namespace

RankDevices rank_devices(const Snapshot& snapshot) {
  RankDevices devices;
  if (!snapshot.aggregates) return devices;
  for (const CellRow& cell : snapshot.aggregates->cells) {
    if (cell.rank != kNoRank && cell.device != kNoDevice)
      devices.emplace(std::pair(cell.comm, cell.rank), cell.device);
  }
  return devices;
}

std::uint64_t performed(const Snapshot& snapshot) {
  std::uint64_t operations = 0;
  for (const ProcessView& process : snapshot.processes) operations += process.operations;
  if (operations == 0 && snapshot.aggregates) operations = snapshot.aggregates->totals.operations;
  return operations;
}

json distribution_json(const Distribution& d) {
  if (!d.known()) return nullptr;
  return {{"count", d.count},
          {"mean_ns", known(d.mean_ns)},
          {"p50_ns", known(d.p50_ns)},
          {"p90_ns", known(d.p90_ns)},
          {"p99_ns", known(d.p99_ns)},
          {"p999_ns", known(d.p999_ns)},
          {"min_ns", known(d.min_ns)},
          {"max_ns", known(d.max_ns)},
          {"p50_low_ns", known(d.p50_low_ns)},
          {"p50_high_ns", known(d.p50_high_ns)}};
}

json operation_row(const OperationRow& row, Window window) {
  const OperationStats& s = row.windows.in(window);
  json out = {{"operation", name(row.kind)},
              {"algorithm", name(row.algorithm)},
              {"size_bytes", size_class_top(row.size_class)},
              {"other", row.other},
              {"ranks", row.ranks}};
  add_traffic(out, s);
  out["success_rate"] = known(s.success_rate());
  out["host"] = distribution_json(s.host);
  out["device"] = distribution_json(s.device);
  out["transfer"] = distribution_json(s.transfer);
  out["skew"] = distribution_json(s.skew);
  out["device_transfer"] = distribution_json(s.device_transfer);
  out["device_wait"] = distribution_json(s.device_wait);
  out["algbw_gbs"] = known_gbs(s.algbw_bytes_per_s);
  out["busbw_gbs"] = known_gbs(s.busbw_bytes_per_s);
  out["bandwidth_clock"] = name(s.bandwidth_clock);
  return out;
}

json operation_rows(const Snapshot& snapshot, Window window) {
  json items = json::array();
  if (!snapshot.aggregates) return items;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    if (row.windows.in(window).count > 0) items.push_back(operation_row(row, window));
  }
  return items;
}

json rank_rows(const Snapshot& snapshot, Window window) {
  json items = json::array();
  if (!snapshot.aggregates) return items;
  const RankDevices devices = rank_devices(snapshot);
  for (const RankRow& row : snapshot.aggregates->ranks) {
    const RankStats& s = row.windows.in(window);
    json out = {{"communicator", communicator_name(snapshot, row.comm)}, {"rank", row.rank}};
    add_traffic(out, s);
    out["collectives"] = s.collectives;
    out["last_share"] = s.last_share();
    out["lateness_p50_ns"] = s.lateness_samples > 0 ? json(s.lateness_p50_ns) : json(nullptr);
    out["lateness_p99_ns"] = s.lateness_samples > 0 ? json(s.lateness_p99_ns) : json(nullptr);
    out["wait_ns"] = s.wait_ns;
    out["waited_for_ns"] = s.waited_for_ns;
    out["communication_ns"] = s.communication_ns;
    out["waiting_share"] = s.waiting_share;
    out["device"] = known_id(device_of(devices, row.comm, row.rank), kNoDevice);
    items.push_back(std::move(out));
  }
  return items;
}

json pair_rows(const Snapshot& snapshot, Window window) {
  json items = json::array();
  if (!snapshot.aggregates) return items;
  const RankDevices devices = rank_devices(snapshot);
  for (const PairRow& row : snapshot.aggregates->pairs) {
    json out = {{"communicator", communicator_name(snapshot, row.comm)},
                {"from", row.from},
                {"to", row.to},
                {"operation", name(row.kind)}};
    add_traffic(out, row.windows.in(window));
    out["p50_ns"] = known(row.p50_ns);
    out["bandwidth_gbs"] = known_gbs(row.bandwidth_bytes_per_s);
    out["expected_gbs"] = known(expected_gbs(snapshot, device_of(devices, row.comm, row.from),
                                             device_of(devices, row.comm, row.to)));
    out["clock"] = name(row.clock);
    const Finding* finding = finding_about(snapshot, row.from, row.to);
    out["finding"] = finding != nullptr ? json(finding_id(*finding)) : json(nullptr);
    items.push_back(std::move(out));
  }
  return items;
}

json communicator_rows(const Snapshot& snapshot, Window window) {
  json items = json::array();
  if (!snapshot.aggregates) return items;
  for (const CommunicatorRow& row : snapshot.aggregates->communicators) {
    const CommunicatorStats& s = row.windows.in(window);
    json out = {{"id", fmt::format("{:016x}", row.id)},
                {"name", communicator_name(snapshot, row.id)},
                {"ranks", row.ranks},
                {"backend", name(row.backend)}};
    add_traffic(out, s);
    out["complete"] = s.complete;
    out["incomplete"] = s.incomplete;
    out["mismatched"] = s.mismatched;
    out["skew_p50_ns"] = known(s.skew_p50_ns);
    out["transfer_p50_ns"] = known(s.transfer_p50_ns);
    out["waiting_share"] = known(s.waiting_share());
    items.push_back(std::move(out));
  }
  return items;
}

json point_json(const Point& point, const Moments& moments) {
  return {{"t_ns", moments.since_start(point.at_ns)},
          {"operations_per_s", point.operations_per_s},
          {"bytes_per_s", point.bytes_per_s},
          {"errors_per_s", point.errors_per_s},
          {"communication_share", known(point.communication_share)},
          {"waiting_share", known(point.waiting_share)},
          {"busbw_gbs", known_gbs(point.busbw_bytes_per_s)},
          {"p50_ns", known(point.p50_ns)},
          {"p99_ns", known(point.p99_ns)}};
}

json overview_json(const Served& served, Window window) {
  const auto snapshot = served.snapshot();
  const Moments moments(served);
  const Overview o = overview_of(*snapshot, window);
  const std::vector<Point> last = served.points(1);
  return {{"now_ns", moments.since_start(snapshot->now_ns)},
          {"live", served.live()},
          {"health", {{"severity", name(o.health)}, {"sentence", o.sentence}}},
          {"window", name(window)},
          {"operations", performed(*snapshot)},
          {"operations_per_s", known(o.operations_per_s)},
          {"bytes_per_s", known(o.bytes_per_s)},
          {"errors_per_s", known(o.errors_per_s)},
          {"success_rate", known(o.success_rate)},
          {"communication_share", known(o.communication_share)},
          {"main", o.main != nullptr ? operation_row(*o.main, window) : json(nullptr)},
          {"split", split_json(o.split)},
          {"overhead_fraction", snapshot->overhead_fraction},
          {"lost", snapshot->lost},
          {"dropped", snapshot->dropped},
          {"delivered", snapshot->delivered},
          {"in_flight", snapshot->in_flight.size()},
          {"point", last.empty() ? json(nullptr) : point_json(last.front(), moments)}};
}

std::string finding_id(const Finding& finding) {
  const Subject& s = finding.subject;
  std::string id = finding.kind;
  const auto add = [&id](const char* what, const std::optional<int>& number) {
    if (number) id += fmt::format(".{}{}", what, *number);
  };
  add("r", s.rank);
  add("p", s.peer);
  add("d", s.device);
  for (const std::string* text : {&s.link, &s.communicator, &s.operation}) {
    if (!text->empty()) id += "." + *text;
  }
  return id;
}

json findings_json(const Served& served) {
  const auto snapshot = served.snapshot();
  const Moments moments(served);
  json items = json::array();
  for (const Finding& finding : snapshot->findings) {
    json item = to_json(finding);
    item["id"] = finding_id(finding);
    item["since_ns"] =
        finding.since_ns < 0 ? json(nullptr) : json(moments.since_start(finding.since_ns));
    items.push_back(std::move(item));
  }
  return items;
}

json event_json(const ServedEvent& served, const Moments& moments) {
  json out = to_json(served.event, moments.real_offset_ns);
  out.erase("at_ns");
  out["id"] = served.id;
  out["t_ns"] = moments.since_start(served.event.at_ns);
  return out;
}

json in_flight_json(const Served& served) {
  const auto snapshot = served.snapshot();
  const Moments moments(served);
  json items = json::array();
  for (const InFlightGroup& group : in_flight_groups(*snapshot)) {
    json item = to_json(group, *snapshot);
    item["communicator_id"] = fmt::format("{:016x}", group.op.comm);
    if (group.hang) {
      item["finding"]["id"] = finding_id(*group.hang);
      item["finding"]["since_ns"] = group.hang->since_ns < 0
                                        ? json(nullptr)
                                        : json(moments.since_start(group.hang->since_ns));
    }
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<int> ranks_on(const Snapshot& snapshot, std::uint16_t device) {
  std::vector<int> ranks;
  if (!snapshot.aggregates) return ranks;
  for (const CellRow& cell : snapshot.aggregates->cells) {
    if (cell.device != device || cell.rank == kNoRank) continue;
    if (std::find(ranks.begin(), ranks.end(), cell.rank) == ranks.end()) ranks.push_back(cell.rank);
  }
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

}  // namespace peerscope::http
