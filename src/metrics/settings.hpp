// What the configuration means to metrics.
#pragma once

#include <optional>

#include "config/config.hpp"
#include "metrics/openmetrics.hpp"
#include "metrics/otlp.hpp"

namespace peerscope {

// `host` and `slurm_job_id` are the caller's: "" where it does not know.
MetricsOptions metrics_options(const Config& config, const std::string& host,
                               const std::string& slurm_job_id);
// Empty: metrics.otlp_url is not set. An error: a header that is not name=value.
Result<std::optional<OtlpOptions>> otlp_options(const Config& config,
                                                const MetricsOptions& metrics);

}  // namespace peerscope
