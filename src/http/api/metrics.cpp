// The last snapshot for Prometheus.
#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "metrics/settings.hpp"

namespace peerscope::http {

Response get_metrics(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  const MetricsOptions options = metrics_options(*api.config->now(), api.host, "");
  const ServerFigures figures = api.figures ? api.figures() : ServerFigures{};
  const bool openmetrics_wanted =
      request.header("accept").find("application/openmetrics-text") != std::string_view::npos;
  const auto snapshot = api.served->snapshot();
  Response response;
  response.type = openmetrics_wanted ? kOpenMetricsType : kPrometheusTextType;
  response.body = openmetrics_wanted ? openmetrics(*snapshot, options, figures, api.series)
                                     : prometheus_text(*snapshot, options, figures, api.series);
  return response;
}

}  // namespace peerscope::http
