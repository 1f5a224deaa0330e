// Which path is which resource.
#include <algorithm>

#include <fmt/format.h>

#include "http/api/answer.hpp"
#include "http/api/resources.hpp"

namespace peerscope::http {
namespace {

struct Route {
  const char* method;
  const char* path;  // {name} stands for one segment
  Resource run;
};

// clang-format off: a table
constexpr Route kRoutes[] = {
    {"GET", "/api/v1/health", get_health},
    {"GET", "/api/v1/openapi.json", get_openapi},
    {"GET", "/api/v1/session", get_session},
    {"GET", "/api/v1/overview", get_overview},
    {"GET", "/api/v1/snapshot", get_snapshot},
    {"GET", "/api/v1/findings", get_findings},
    {"GET", "/api/v1/operation-stats", get_operation_stats},
    {"GET", "/api/v1/ranks", get_ranks},
    {"GET", "/api/v1/pairs", get_pairs},
    {"GET", "/api/v1/communicators", get_communicators},
    {"GET", "/api/v1/devices", get_devices},
    {"GET", "/api/v1/links", get_links},
    {"GET", "/api/v1/topology", get_topology},
    {"GET", "/api/v1/operations", get_operations},
    {"GET", "/api/v1/collectives", get_collectives},
    {"GET", "/api/v1/collectives/{communicator}/{operation}/{sequence}", get_collective},
    {"GET", "/api/v1/aggregates", get_aggregates},
    {"GET", "/api/v1/percentiles", get_percentiles},
    {"GET", "/api/v1/heatmap", get_heatmap},
    {"GET", "/api/v1/timeline", get_timeline},
    {"GET", "/api/v1/events", get_events},
    {"GET", "/api/v1/errors", get_errors},
    {"GET", "/api/v1/in-flight", get_in_flight},
    {"GET", "/api/v1/alerts", get_alerts},
    {"GET", "/api/v1/alerts/history", get_alert_history},
    {"POST", "/api/v1/alerts/silences", post_silence},
    {"DELETE", "/api/v1/alerts/silences/{id}", delete_silence},
    {"GET", "/api/v1/profiles", get_profiles},
    {"GET", "/api/v1/profile", get_profile},
    {"GET", "/api/v1/profile/compare", get_profile_compare},
    {"GET", "/api/v1/benchmarks", get_benchmarks},
    {"GET", "/api/v1/benchmarks/compare", get_benchmark_compare},
    {"GET", "/api/v1/benchmarks/{id}", get_benchmark},
    {"GET", "/api/v1/config", get_config},
    {"PATCH", "/api/v1/config", patch_config},
    {"GET", "/api/v1/exports", get_formats},
    {"GET", "/api/v1/exports/{format}", get_export},
    {"GET", "/metrics", get_metrics},
};
// clang-format on

// One segment of each, with the slash before it taken away.
std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(std::min<std::size_t>(path.size(), 1));
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool matches(std::string_view pattern, std::string_view path, Captures& captures) {
  captures.clear();
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = next_segment(pattern);
    const std::string_view given = next_segment(path);
    if (!wanted.empty() && wanted.front() == '{' && !given.empty())
      captures.emplace_back(given);
    else if (wanted != given)
      return false;
  }
  return pattern.empty() && path.empty();
}

}  // namespace

Handler make_handler(const Api& api) {
  return [&api](const Request& request) {
    const std::string_view method = request.method;
    std::string allowed;
    Captures captures;
    for (const Route& route : kRoutes) {
      if (!matches(route.path, request.path, captures)) continue;
      if (method == route.method) return route.run(api, request, captures);
      allowed += allowed.empty() ? route.method : fmt::format(", {}", route.method);
    }
    if (allowed.empty())
      return refuse(404, fmt::format("there is no {}; /api/v1/openapi.json lists what there is",
                                     request.path));
    Response response =
        refuse(405, fmt::format("{} takes {}, not {}", request.path, allowed, request.method));
    response.headers.emplace_back("Allow", allowed);
    return response;
  };
}

}  // namespace peerscope::http
