#include "metrics/settings.hpp"

#include <fmt/format.h>

namespace peerscope {

MetricsOptions metrics_options(const Config& config, const std::string& host,
                               const std::string& slurm_job_id) {
  MetricsOptions options;
  options.max_series = static_cast<std::size_t>(config.integer("metrics.max_series"));
  options.nccl_names = config.boolean("metrics.nccl_names");
  options.dcgm_names = config.boolean("metrics.dcgm_names");
  options.host = host;
  options.slurm_job_id = slurm_job_id;
  return options;
}

Result<std::optional<OtlpOptions>> otlp_options(const Config& config,
                                                const MetricsOptions& metrics) {
  OtlpOptions options;
  options.url = config.text("metrics.otlp_url");
  if (options.url.empty()) return std::optional<OtlpOptions>();
  options.interval_ns = config.duration_ns("metrics.otlp_interval");
  options.metrics = metrics;
  for (const std::string& header : config.list("metrics.otlp_headers")) {
    const std::size_t equals = header.find('=');
    if (equals == 0 || equals == std::string::npos)  // without the text: it may be a secret
      return Error{ErrorCode::invalid_argument,
                   fmt::format("metrics.otlp_headers: header {} is not name=value",
                               options.headers.size() + 1)};
    options.headers.emplace_back(header.substr(0, equals), header.substr(equals + 1));
  }
  return std::optional(options);
}

}  // namespace peerscope
