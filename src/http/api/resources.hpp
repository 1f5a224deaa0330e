// All resources. A new one is a function in a file of its group, a line here and a line in routes.cpp.
#pragma once

#include <string>
#include <vector>

#include "http/api/api.hpp"

namespace peerscope::http {

using Captures = std::vector<std::string>;  // what stands for the {names} of a path
using Resource = Response (*)(const Api&, const Request&, const Captures&);

#define PSCOPE_RESOURCE(name) \
  Response name(const Api& api, const Request& request, const Captures& path)
PSCOPE_RESOURCE(get_health);  // session.cpp
PSCOPE_RESOURCE(get_openapi);
PSCOPE_RESOURCE(get_session);
PSCOPE_RESOURCE(get_overview);
PSCOPE_RESOURCE(get_snapshot);
PSCOPE_RESOURCE(get_findings);
PSCOPE_RESOURCE(get_operation_stats);  // stats.cpp
PSCOPE_RESOURCE(get_ranks);
PSCOPE_RESOURCE(get_pairs);
PSCOPE_RESOURCE(get_communicators);
PSCOPE_RESOURCE(get_devices);  // machine.cpp
PSCOPE_RESOURCE(get_links);
PSCOPE_RESOURCE(get_topology);
PSCOPE_RESOURCE(get_operations);  // operations.cpp
PSCOPE_RESOURCE(get_collectives);
PSCOPE_RESOURCE(get_collective);
PSCOPE_RESOURCE(get_aggregates);  // aggregates.cpp
PSCOPE_RESOURCE(get_percentiles);
PSCOPE_RESOURCE(get_heatmap);
PSCOPE_RESOURCE(get_timeline);
PSCOPE_RESOURCE(get_events);  // events.cpp
PSCOPE_RESOURCE(get_errors);
PSCOPE_RESOURCE(get_in_flight);
PSCOPE_RESOURCE(get_alerts);  // alerts.cpp
PSCOPE_RESOURCE(get_alert_history);
PSCOPE_RESOURCE(post_silence);
PSCOPE_RESOURCE(delete_silence);
PSCOPE_RESOURCE(get_profiles);  // profiles.cpp
PSCOPE_RESOURCE(get_profile);
PSCOPE_RESOURCE(get_profile_compare);
PSCOPE_RESOURCE(get_benchmarks);  // benchmarks.cpp
PSCOPE_RESOURCE(get_benchmark);
PSCOPE_RESOURCE(get_benchmark_compare);
PSCOPE_RESOURCE(get_config);  // config.cpp
PSCOPE_RESOURCE(patch_config);
PSCOPE_RESOURCE(get_formats);  // exports.cpp
PSCOPE_RESOURCE(get_export);
PSCOPE_RESOURCE(get_metrics);  // metrics.cpp
#undef PSCOPE_RESOURCE

}  // namespace peerscope::http
