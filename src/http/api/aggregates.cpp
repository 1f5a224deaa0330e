// What operations add up to: by any key, over time, and as lanes.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "analyze/detect/words.hpp"
#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "http/api/rows.hpp"
#include "model/size_class.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

json key_json(const AggregateRow& row, const std::vector<GroupBy>& by, const Snapshot& snapshot) {
  json key = json::object();
  const Op& op = row.key;
  for (const GroupBy group : by) {
    switch (group) {
      case GroupBy::operation:
        key["operation"] = name(op.kind);
        break;
      case GroupBy::algorithm:
        key["algorithm"] = name(op.algorithm);
        break;
      case GroupBy::protocol:
        key["protocol"] = name(op.protocol);
        break;
      case GroupBy::size:
        key["size"] = size_class_top(row.size_class);
        break;
      case GroupBy::rank:
        key["rank"] = known_id(op.rank, kNoRank);
        break;
      case GroupBy::peer:
        key["peer"] = known_id(op.peer, kNoPeer);
        break;
      case GroupBy::device:
        key["device"] = known_id(op.device, kNoDevice);
        break;
      case GroupBy::communicator:
        key["communicator"] = known_text(communicator_name(snapshot, op.comm));
        break;
      case GroupBy::process:
        key["process"] = op.process < snapshot.processes.size()
                             ? json(snapshot.processes[op.process].pid)
                             : json(op.process);
        break;
      case GroupBy::backend:
        key["backend"] = name(op.backend);
        break;
      case GroupBy::status:
        key["status"] = name(op.status);
        break;
    }
  }
  return key;
}

json point_json(const AggregatePoint& point, const Moments& moments) {
  return {{"begin_ns", moments.since_start(point.begin_ns)},
          {"end_ns", moments.since_start(point.end_ns)},
          {"count", point.counts.count},
          {"bytes", point.counts.bytes},
          {"errors", point.counts.errors},
          {"host_p50_ns", known(point.host_p50_ns)},
          {"host_p99_ns", known(point.host_p99_ns)},
          {"device_p50_ns", known(point.device_p50_ns)},
          {"device_p99_ns", known(point.device_p99_ns)}};
}

// What is not limited covers all that is stored.
void clamp_to(const StoreState& state, OpFilter& filter) {
  if (state.first_ns == kUnknownNs) {  // nothing is stored
    filter.from_ns = std::max<std::int64_t>(filter.from_ns, 0);
    filter.to_ns = std::min(filter.to_ns, filter.from_ns + 1);
    return;
  }
  filter.from_ns = std::max(filter.from_ns, state.first_ns);
  filter.to_ns = std::min(filter.to_ns, state.last_ns + 1);
}

constexpr std::int64_t kMostPoints = 2000;

}  // namespace

Response get_aggregates(const Api& api, const Request& request, const Captures&) {
  const Served& served = *api.served;
  Parameters parameters(request);
  AggregateQuery query;
  query.filter = parameters.filter(served);
  query.by = parameters.group_by();
  query.resolution_ns = parameters.integer("resolution", 0, INT64_MAX, 0);
  const std::int64_t points = parameters.integer("points", 0, kMostPoints, 0);
  query.max_rows = static_cast<std::size_t>(parameters.integer("limit", 1, 10'000, 1000));
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (served.store() == nullptr) return no_history();
  clamp_to(served.store()->state(), query.filter);
  const std::int64_t span_ns = std::max<std::int64_t>(query.filter.to_ns - query.filter.from_ns, 1);
  if (points > 0) query.resolution_ns = std::max<std::int64_t>(span_ns / points, 1);
  if (query.resolution_ns > 0 && span_ns / query.resolution_ns > kMostPoints)
    return refuse(
        400, fmt::format("resolution={}: that is {} points; ask for at most {}, or say points=",
                         query.resolution_ns, span_ns / query.resolution_ns, kMostPoints));
  const auto table = served.store()->aggregate(query);
  if (!table) return refuse(table.error());
  const auto snapshot = served.snapshot();
  const Moments moments(served);
  json rows = json::array();
  for (const AggregateRow& row : table->rows) {
    json over_time = json::array();
    for (const AggregatePoint& point : row.points) over_time.push_back(point_json(point, moments));
    rows.push_back({{"key", key_json(row, query.by, *snapshot)},
                    {"other", row.other},
                    {"count", row.counts.count},
                    {"bytes", row.counts.bytes},
                    {"errors", row.counts.errors},
                    {"host", distribution_json(row.host)},
                    {"device", distribution_json(row.device)},
                    {"points", over_time}});
  }
  return answer({{"from_ns", moments.since_start(table->from_ns)},
                 {"to_ns", moments.since_start(table->to_ns)},
                 {"exact", table->exact},
                 {"indexed_share", table->indexed_share},
                 {"rows_left_out", table->rows_left_out},
                 {"rows", rows}});
}

namespace {

// Those that are kept.
std::optional<double> percentile_of(const Distribution& d, double q) {
  const std::pair<double, double> kept[] = {{0, d.min_ns},  {50, d.p50_ns},    {90, d.p90_ns},
                                            {99, d.p99_ns}, {99.9, d.p999_ns}, {100, d.max_ns}};
  for (const auto& [share, ns] : kept) {
    if (share == q) return ns;
  }
  return std::nullopt;
}

}  // namespace

Response get_percentiles(const Api& api, const Request& request, const Captures&) {
  const Served& served = *api.served;
  Parameters parameters(request);
  AggregateQuery query;
  query.filter = parameters.filter(served);
  query.by = parameters.group_by();
  const bool device = parameters.device_clock();
  std::vector<double> asked = parameters.numbers("q", 0, 100);
  if (asked.empty()) asked = {50, 90, 99, 99.9};
  for (const double q : asked) {
    if (!percentile_of({}, q))
      parameters.fail(fmt::format("q={}: kept are 0, 50, 90, 99, 99.9 and 100", q));
  }
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (served.store() == nullptr) return no_history();
  clamp_to(served.store()->state(), query.filter);
  const auto table = served.store()->aggregate(query);
  if (!table) return refuse(table.error());
  const auto snapshot = served.snapshot();
  const Moments moments(served);
  json rows = json::array();
  for (const AggregateRow& row : table->rows) {
    const Distribution& times = device ? row.device : row.host;
    json percentiles = json::object();
    for (const double q : asked)
      percentiles[fmt::format("{:g}", q)] =
          times.known() ? known(*percentile_of(times, q)) : json(nullptr);
    rows.push_back({{"key", key_json(row, query.by, *snapshot)},
                    {"count", times.count},
                    {"percentiles", percentiles}});
  }
  return answer({{"from_ns", moments.since_start(table->from_ns)},
                 {"to_ns", moments.since_start(table->to_ns)},
                 {"exact", table->exact},
                 {"indexed_share", table->indexed_share},
                 {"clock", device ? "device" : "host"},
                 {"rows", rows}});
}

Response get_heatmap(const Api& api, const Request& request, const Captures&) {
  const Served& served = *api.served;
  Parameters parameters(request);
  HeatMapQuery query;
  query.filter = parameters.filter(served);
  query.device = parameters.device_clock();
  query.columns = static_cast<std::size_t>(parameters.integer("columns", 1, 2000, 200));
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (served.store() == nullptr) return no_history();
  clamp_to(served.store()->state(), query.filter);
  const auto map = served.store()->heat_map(query);
  if (!map) return refuse(map.error());
  const Moments moments(served);
  return answer({{"from_ns", moments.since_start(map->from_ns)},
                 {"to_ns", moments.since_start(map->to_ns)},
                 {"column_ns", map->column_ns},
                 {"clock", query.device ? "device" : "host"},
                 {"bucket_top_ns", map->bucket_top_ns},
                 {"columns", map->columns}});
}

namespace {

json lanes_json(const Timeline& timeline, const Snapshot& snapshot) {
  json lanes = json::array();
  std::map<std::uint16_t, int> of_rank;
  for (const TimelineLane& lane : timeline.lanes) ++of_rank[lane.rank];
  for (const TimelineLane& lane : timeline.lanes) {
    const bool process = lane.process < snapshot.processes.size();
    std::string label =
        lane.rank == kNoRank
            ? (process ? fmt::format("pid {}", snapshot.processes[lane.process].pid) : "–")
            : fmt::format("rank {}", lane.rank);
    if (of_rank[lane.rank] > 1)
      label += lane.stream != 0 ? fmt::format(" stream {}", lane.stream)
                                : fmt::format(" thread {}", lane.thread);
    lanes.push_back({{"rank", known_id(lane.rank, kNoRank)},
                     {"pid", process ? json(snapshot.processes[lane.process].pid) : json(nullptr)},
                     {"thread", lane.thread},
                     {"stream", lane.stream},
                     {"label", label}});
  }
  return lanes;
}

json ops_json(const Timeline& timeline, bool device, const Moments& moments) {
  json ops = json::array();
  for (const TimelineOp& item : timeline.ops) {
    const Op& op = item.op;
    const std::int64_t begin_ns = device ? op.device_begin_ns : op.begin_ns;
    const std::int64_t duration_ns = device ? op.device_duration_ns : op.host_duration_ns;
    ops.push_back({{"lane", item.lane},
                   {"begin_ns", moments.since_start(begin_ns)},
                   {"duration_ns", duration_ns < 0 ? json(nullptr) : json(duration_ns)},
                   {"operation", name(op.kind)},
                   {"algorithm", name(op.algorithm)},
                   {"bytes", op.bytes},
                   {"sequence", op.sequence},
                   {"communicator_id", fmt::format("{:016x}", op.comm)},
                   {"error", op.status != OpStatus::ok}});
  }
  return ops;
}

// Columns: a page of bins is a third as long that way.
json bins_json(const Timeline& timeline) {
  json::array_t lane, bin, count, errors, busy, operation;
  for (const TimelineBin& item : timeline.bins) {
    lane.emplace_back(item.lane);
    bin.emplace_back(item.bin);
    count.emplace_back(item.count);
    errors.emplace_back(item.errors);
    busy.emplace_back(static_cast<double>(static_cast<int>(item.busy * 1000)) / 1000);
    operation.emplace_back(name(item.kind));
  }
  return {{"lane", lane},     {"bin", bin},   {"count", count},
          {"errors", errors}, {"busy", busy}, {"operation", operation}};
}

}  // namespace

Response get_timeline(const Api& api, const Request& request, const Captures&) {
  const Served& served = *api.served;
  Parameters parameters(request);
  TimelineQuery query;
  query.filter = parameters.filter(served);
  query.device = parameters.device_clock();
  query.bins = static_cast<std::size_t>(parameters.integer("bins", 1, 4000, 1000));
  query.max_operations =
      static_cast<std::size_t>(parameters.integer("max_operations", 0, 20'000, 4000));
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (served.store() == nullptr) return no_history();
  const StoreState state = served.store()->state();
  if (query.filter.from_ns == INT64_MIN && state.first_ns != kUnknownNs)
    query.filter.from_ns = state.first_ns;
  if (query.filter.to_ns == INT64_MAX && state.last_ns != kUnknownNs)
    query.filter.to_ns = state.last_ns + 1;
  const auto timeline = served.store()->timeline(query);
  if (!timeline) return refuse(timeline.error());
  const Moments moments(served);
  return answer({{"from_ns", moments.since_start(timeline->from_ns)},
                 {"to_ns", moments.since_start(timeline->to_ns)},
                 {"bin_ns", timeline->bin_ns},
                 {"indexed_share", timeline->indexed_share},
                 {"lanes", lanes_json(*timeline, *served.snapshot())},
                 {"operations", ops_json(*timeline, query.device, moments)},
                 {"bins", bins_json(*timeline)}});
}

}  // namespace peerscope::http
