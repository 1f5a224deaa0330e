// Operations and collectives one by one.
#include <cstdlib>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analyze/debug/collective_trace.hpp"
#include "analyze/detect/words.hpp"
#include "analyze/plan/plan_moves.hpp"
#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "session/debug_json.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

constexpr std::int64_t kMostItems = 10'000;

json operation_json(const Op& op, const Snapshot& snapshot, const Moments& moments) {
  const bool process = op.process < snapshot.processes.size();
  return {{"begin_ns", moments.since_start(op.begin_ns)},
          {"host_ns", op.host_duration_ns < 0 ? json(nullptr) : json(op.host_duration_ns)},
          {"device_begin_ns", moments.known(op.device_begin_ns)},
          {"device_ns", op.device_duration_ns < 0 ? json(nullptr) : json(op.device_duration_ns)},
          {"operation", name(op.kind)},
          {"algorithm", name(op.algorithm)},
          {"protocol", name(op.protocol)},
          {"dtype", name(op.dtype)},
          {"status", name(op.status)},
          {"backend", name(op.backend)},
          {"bytes", op.bytes},
          {"sequence", op.sequence},
          {"communicator", known_text(communicator_name(snapshot, op.comm))},
          {"communicator_id", fmt::format("{:016x}", op.comm)},
          {"rank", known_id(op.rank, kNoRank)},
          {"peer", known_id(op.peer, kNoPeer)},
          {"device", known_id(op.device, kNoDevice)},
          {"stream", op.stream},
          {"channel", op.channel},
          {"pid", process ? json(snapshot.processes[op.process].pid) : json(nullptr)},
          {"thread", op.thread},
          {"weight", op.weight},
          {"async", op.async},
          {"device_only", op.device_only}};
}

const std::set<std::string>& field_names() {
  static const std::set<std::string> kNames = [] {
    std::set<std::string> names;
    const json one = operation_json({}, Snapshot{}, Moments(0, 0));
    for (const auto& [key, value] : one.items()) names.insert(key);
    return names;
  }();
  return kNames;
}

// Asks for all that a page takes; what is wrong is in `parameters`.
OperationQuery query_of(Parameters& parameters, const Served& served) {
  OperationQuery query;
  query.filter = parameters.filter(served);
  query.limit = static_cast<std::size_t>(parameters.integer("limit", 1, kMostItems, 100));
  query.cursor = parameters.text("cursor");
  query.newest_first = parameters.choice("order", {"oldest", "newest"}) == "newest";
  return query;
}

json collective_json(const CollectiveItem& item, const Snapshot& snapshot, const Moments& moments) {
  const bool timed = !item.async && item.end_ns != kUnknownNs && item.end_ns >= item.last_ns;
  const auto duration = [](std::int64_t ns) { return ns == kUnknownNs ? json(nullptr) : json(ns); };
  return {{"communicator", communicator_name(snapshot, item.comm)},
          {"communicator_id", fmt::format("{:016x}", item.comm)},
          {"sequence", item.sequence},
          {"operation", name(item.kind)},
          {"algorithm", name(item.algorithm)},
          {"bytes", item.bytes},
          {"ranks", item.ranks},
          {"seen", item.seen},
          {"first_ns", moments.since_start(item.first_ns)},
          {"last_ns", moments.since_start(item.last_ns)},
          {"end_ns", moments.known(item.end_ns)},
          {"skew_ns", item.last_ns - item.first_ns},
          {"transfer_ns", timed ? json(item.end_ns - item.last_ns) : json(nullptr)},
          {"device_transfer_ns", duration(item.device_transfer_ns)},
          {"device_wait_ns", duration(item.device_wait_ns)},
          {"last_rank", known_id(item.last_rank, kNoRank)},
          {"async", item.async},
          {"error", item.error}};
}

}  // namespace

Response get_operations(const Api& api, const Request& request, const Captures&) {
  const Served& served = *api.served;
  Parameters parameters(request);
  const OperationQuery query = query_of(parameters, served);
  const std::vector<std::string> fields = parameters.words("fields");
  for (const std::string& field : fields) {
    if (!field_names().contains(field))
      parameters.fail(
          fmt::format("fields={}: write some of {}", field, fmt::join(field_names(), ", ")));
  }
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (served.store() == nullptr) return no_history();
  const auto page = served.store()->operations(query);
  if (!page) return refuse(page.error());
  const auto snapshot = served.snapshot();
  const Moments moments(served);
  json items = json::array();
  for (const Op& op : page->items) {
    json item = operation_json(op, *snapshot, moments);
    if (fields.empty()) {
      items.push_back(std::move(item));
      continue;
    }
    json some = json::object();
    for (const std::string& field : fields) some[field] = std::move(item[field]);
    items.push_back(std::move(some));
  }
  return answer({{"items", items}, {"next", known_text(page->next)}});
}

Response get_collectives(const Api& api, const Request& request, const Captures&) {
  const Served& served = *api.served;
  Parameters parameters(request);
  const OperationQuery query = query_of(parameters, served);
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (served.store() == nullptr) return no_history();
  const auto page = served.store()->collectives(query);
  if (!page) return refuse(page.error());
  const auto snapshot = served.snapshot();
  const Moments moments(served);
  json items = json::array();
  for (const CollectiveItem& item : page->items)
    items.push_back(collective_json(item, *snapshot, moments));
  return answer({{"items", items}, {"next", known_text(page->next)}});
}

namespace {

// The collective's records and messages beside it, from a stretch of time.
Result<CollectiveTrace> trace_in(const Store& store, const OpFilter& where, Kind kind,
                                 std::uint64_t sequence) {
  OperationQuery query;
  query.filter = where;
  query.limit = kMostItems;
  std::vector<Op> part;
  std::vector<Op> messages;
  constexpr int kMostPages = 40;
  for (int pages = 0; pages < kMostPages; ++pages) {
    auto page = store.operations(query);
    if (!page) return page.error();
    for (const Op& op : page->items) {
      if (op.kind == kind && op.sequence == sequence) part.push_back(op);
      if (is_message(op.kind)) messages.push_back(op);
    }
    if (page->next.empty()) break;
    query.cursor = page->next;
  }
  if (part.empty())
    return Error{ErrorCode::not_found,
                 fmt::format("{} #{} is not in the history there; say near= with its time",
                             name(kind), sequence)};
  const Op which = part.front();
  part.insert(part.end(), messages.begin(), messages.end());
  return trace_collective(which, part, {}, {});
}

}  // namespace

Response get_collective(const Api& api, const Request& request, const Captures& path) {
  const Served& served = *api.served;
  Parameters parameters(request);
  const auto near_ns = parameters.integer("near", INT64_MIN / 4, INT64_MAX / 4);
  char* end = nullptr;
  OpFilter where;
  where.comm = std::strtoull(path[0].c_str(), &end, 16);
  if (*end != '\0')
    parameters.fail(fmt::format("communicator {}: write its id, hexadecimal", path[0]));
  const auto kind = parse_kind(path[1]);
  if (!kind)
    parameters.fail(
        fmt::format("there is no operation {}; write all_reduce, broadcast, ...", path[1]));
  const unsigned long long sequence = std::strtoull(path[2].c_str(), &end, 10);
  if (*end != '\0' || path[2].empty())
    parameters.fail(fmt::format("sequence {}: write a number", path[2]));
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (served.store() == nullptr) return no_history();
  const Moments moments(served);
  // Ranks arrive within moments of each other; a straggler of seconds is found all the same.
  constexpr std::int64_t kNarrowNs = 20'000'000;
  constexpr std::int64_t kWideNs = 2'000'000'000;
  Result<CollectiveTrace> trace = Error{ErrorCode::not_found, ""};
  for (const std::int64_t around_ns : {kNarrowNs, kWideNs}) {
    if (near_ns) {
      where.from_ns = moments.monotonic(*near_ns) - around_ns;
      where.to_ns = moments.monotonic(*near_ns) + around_ns;
    }
    trace = trace_in(*served.store(), where, *kind, sequence);
    if (!near_ns || (trace && trace->missing.empty())) break;
  }
  if (!trace) return refuse(trace.error());
  if (auto plan = plan_moves(trace->op))
    trace->plan = std::move(*plan);
  else
    trace->plan_unknown = plan.error().message;
  json out = to_json(*trace, communicator_name(*served.snapshot(), trace->op.comm),
                     moments.real_offset_ns);
  out["first_arrival_ns"] = moments.since_start(trace->first_ns);
  return answer(out);
}

}  // namespace peerscope::http
