// The session, whether it is well, and everything at once.
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "http/api/rows.hpp"
#include "session/json.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

std::int64_t resident_bytes() {
  long pages = 0;
  long resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  const bool read = std::fscanf(file, "%ld %ld", &pages, &resident) == 2;
  std::fclose(file);
  return read ? resident * sysconf(_SC_PAGESIZE) : 0;
}

double indexed_share(const Served& served) {
  if (served.store() == nullptr) return 1;
  const StoreState state = served.store()->state();
  return state.operations == 0
             ? 1
             : static_cast<double>(state.indexed) / static_cast<double>(state.operations);
}

const char* state_of(const Served& served, const Snapshot& snapshot) {
  if (served.is_file()) return "recorded";
  if (served.live()) return "live";
  for (const ProcessView& process : snapshot.processes) {
    if (process.state == ProcessState::dead) return "died";
  }
  return "ended";
}

json processes_json(const Snapshot& snapshot) {
  json out = json::array();
  for (const ProcessView& process : snapshot.processes)
    out.push_back(to_json(process, snapshot.real_offset_ns));
  return out;
}

int most_ranks(const Snapshot& snapshot) {
  int ranks = 0;
  if (!snapshot.aggregates) return 0;
  for (const CommunicatorRow& row : snapshot.aggregates->communicators)
    ranks = std::max(ranks, static_cast<int>(row.ranks));
  return ranks;
}

// What the names of all processes begin with: "demo" of "demo rank 0", "demo rank 1".
std::string program_of(const Snapshot& snapshot) {
  if (snapshot.processes.empty()) return {};
  std::string common = snapshot.processes.front().name;
  for (const ProcessView& process : snapshot.processes) {
    const auto differ =
        std::mismatch(common.begin(), common.end(), process.name.begin(), process.name.end());
    common.erase(differ.first, common.end());
  }
  const std::size_t end = common.find_last_not_of(" -_:");
  common.erase(end == std::string::npos ? 0 : end + 1);
  if (common.size() > 5 && common.compare(common.size() - 5, 5, " rank") == 0)
    common.erase(common.size() - 5);
  return common.empty() ? snapshot.processes.front().name : common;
}

std::string name_of(const Served& served, const Snapshot& snapshot) {
  char host[256] = "";
  std::string machine = gethostname(host, sizeof host - 1) == 0 ? host : "";
  if (served.is_file() && served.store() != nullptr) {
    const auto trace = served.store()->trace();
    const TraceMeta& meta = trace->meta();
    machine = meta.hosts.empty() ? "" : meta.hosts.front().name;
    if (!meta.command.empty()) return fmt::format("{} · {}", machine, meta.command);
  }
  const std::string program = program_of(snapshot);
  return machine.empty()   ? program
         : program.empty() ? machine
                           : fmt::format("{} · {}", machine, program);
}

}  // namespace

Response get_health(const Api& api, const Request& request, const Captures&) {
  const ServerState state = api.server ? api.server() : ServerState{};
  const bool authorized = !api.token_needed || request.admitted;
  return answer({{"status", "ok"},
                 {"version", api.version},
                 {"kind", api.served->is_file() ? "file" : "live"},
                 {"session", authorized ? api.served->id() : ""},
                 {"uptime_s", state.uptime_s},
                 {"token_needed", api.token_needed},
                 {"authorized", authorized},
                 {"streams", state.streams},
                 {"requests", state.requests},
                 {"refused", state.refused},
                 {"indexed_share", indexed_share(*api.served)},
                 {"memory_bytes", resident_bytes()}});
}

Response get_openapi(const Api&, const Request&, const Captures&) {
  Response response;
  response.body = openapi_json();
  return response;
}

std::string session_text(const Api& api) {
  const Served& served = *api.served;
  const auto snapshot = served.snapshot();
  const Moments moments(served);
  json out = {{"id", served.id()},
              {"kind", served.is_file() ? "file" : "live"},
              {"name", name_of(served, *snapshot)},
              {"state", state_of(served, *snapshot)},
              {"live", served.live()},
              {"start", moments.text(moments.start_ns)},
              {"start_unix_ns", fmt::format("{}", moments.start_ns + moments.real_offset_ns)},
              {"now_ns", moments.since_start(snapshot->now_ns)},
              {"first_ns", nullptr},
              {"last_ns", nullptr},
              {"operations", performed(*snapshot)},
              {"stored", 0},
              {"indexed_share", indexed_share(served)},
              {"analysed_share", served.analysed_share()},
              {"processes", processes_json(*snapshot)},
              {"ranks", most_ranks(*snapshot)},
              {"overhead_fraction", snapshot->overhead_fraction},
              {"overhead_budget", api.config->now()->share("overhead.budget")},
              {"lost", snapshot->lost},
              {"dropped", snapshot->dropped},
              {"delivered", snapshot->delivered},
              {"trace", nullptr},
              {"version", api.version}};
  if (served.store() != nullptr) {
    const StoreState state = served.store()->state();
    out["stored"] = state.operations;
    out["first_ns"] = moments.known(state.first_ns);
    out["last_ns"] = moments.known(state.last_ns);
    out["trace"] = {{"path", served.store()->trace()->path()},
                    {"bytes", served.store()->trace()->file_bytes()},
                    {"note", known_text(served.store()->trace()->note())}};
  }
  return written(out);
}

Response get_session(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  Response response;
  response.body = session_text(api);
  return response;
}

namespace {

// Of a file: from its history, which has no points of its own.
json stored_points(const Served& served, std::size_t count) {
  json points = json::array();
  if (served.store() == nullptr || count == 0) return points;
  const StoreState state = served.store()->state();
  if (state.first_ns == kUnknownNs) return points;
  const Moments moments(served);
  AggregateQuery query;
  query.resolution_ns = std::max<std::int64_t>(
      (state.last_ns - state.first_ns) / static_cast<std::int64_t>(count), 1'000'000);
  const auto table = served.store()->aggregate(query);
  if (!table || table->rows.empty()) return points;
  for (const AggregatePoint& point : table->rows.front().points) {
    const double seconds = static_cast<double>(point.end_ns - point.begin_ns) / 1e9;
    if (seconds <= 0) continue;
    const bool device = point.device_p50_ns >= 0;
    points.push_back({{"t_ns", moments.since_start(point.end_ns)},
                      {"operations_per_s", static_cast<double>(point.counts.count) / seconds},
                      {"bytes_per_s", static_cast<double>(point.counts.bytes) / seconds},
                      {"errors_per_s", static_cast<double>(point.counts.errors) / seconds},
                      {"communication_share", nullptr},
                      {"waiting_share", nullptr},
                      {"busbw_gbs", nullptr},
                      {"p50_ns", known(device ? point.device_p50_ns : point.host_p50_ns)},
                      {"p99_ns", known(device ? point.device_p99_ns : point.host_p99_ns)}});
  }
  return points;
}

}  // namespace

Response get_overview(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  const Window window = parameters.window(*api.served);
  const std::int64_t seconds = parameters.integer("history", 0, 3600, 0);
  if (const auto refusal = parameters.refusal()) return *refusal;
  const Served& served = *api.served;
  json out = overview_json(served, window);
  out["overhead_budget"] = api.config->now()->share("overhead.budget");
  if (seconds == 0) return answer(out);
  const Moments moments(served);
  out["history"] = json::array();
  if (served.is_file()) {
    constexpr std::int64_t kMostPoints = 600;
    out["history"] =
        stored_points(served, static_cast<std::size_t>(std::min(seconds, kMostPoints)));
    return answer(out);
  }
  for (const Point& point : served.points(static_cast<std::size_t>(seconds)))
    out["history"].push_back(point_json(point, moments));
  return answer(out);
}

Response get_snapshot(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  return answer(to_json(*api.served->snapshot()));
}

Response get_findings(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  return answer({{"items", findings_json(*api.served)}});
}

}  // namespace peerscope::http
