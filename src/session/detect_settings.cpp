// The thresholds of detectors, by their keys: one line each.
#include "session/settings.hpp"

namespace peerscope {
namespace {

using O = DetectOptions;

template <class T, class V>
void put(T& field, V value) {
  field = static_cast<T>(value);
}

constexpr struct {
  const char* key;
  void (*set)(const Config& config, const char* key, O& options);
} kThresholds[] = {
    {"detect.straggler_min_collectives",
     [](const Config& c, const char* key, O& o) {
       put(o.straggler.min_collectives, c.integer(key));
     }},
    {"detect.straggler_min_lateness",
     [](const Config& c, const char* key, O& o) {
       put(o.straggler.min_lateness_ns, c.duration_ns(key));
     }},
    {"detect.straggler_noise_ratio",
     [](const Config& c, const char* key, O& o) { put(o.straggler.noise_ratio, c.real(key)); }},
    {"detect.straggler_min_last_share",
     [](const Config& c, const char* key, O& o) { put(o.straggler.min_last_share, c.share(key)); }},
    {"detect.straggler_min_waiting_share",
     [](const Config& c, const char* key, O& o) {
       put(o.straggler.min_waiting_share, c.share(key));
     }},
    {"detect.skew_min_collectives",
     [](const Config& c, const char* key, O& o) { put(o.skew.min_collectives, c.integer(key)); }},
    {"detect.skew_min_skew",
     [](const Config& c, const char* key, O& o) { put(o.skew.min_skew_ns, c.duration_ns(key)); }},
    {"detect.skew_transfer_ratio",
     [](const Config& c, const char* key, O& o) { put(o.skew.transfer_ratio, c.real(key)); }},
    {"detect.skew_min_waiting_share",
     [](const Config& c, const char* key, O& o) { put(o.skew.min_waiting_share, c.share(key)); }},
    {"detect.skew_min_time_share",
     [](const Config& c, const char* key, O& o) { put(o.skew.min_time_share, c.share(key)); }},
    {"detect.hang_min_age",
     [](const Config& c, const char* key, O& o) { put(o.hang.min_age_ns, c.duration_ns(key)); }},
    {"detect.hang_first_age",
     [](const Config& c, const char* key, O& o) { put(o.hang.first_age_ns, c.duration_ns(key)); }},
    {"detect.hang_min_history",
     [](const Config& c, const char* key, O& o) { put(o.hang.min_history, c.integer(key)); }},
    {"detect.hang_p999_ratio",
     [](const Config& c, const char* key, O& o) { put(o.hang.p999_ratio, c.real(key)); }},
    {"detect.failure_min_rate",
     [](const Config& c, const char* key, O& o) { put(o.failure.min_rate, c.share(key)); }},
    {"detect.failure_critical_rate",
     [](const Config& c, const char* key, O& o) { put(o.failure.critical_rate, c.share(key)); }},
    {"detect.failure_retry_share",
     [](const Config& c, const char* key, O& o) { put(o.failure.retry_share, c.share(key)); }},
    {"detect.pair_max_ratio",
     [](const Config& c, const char* key, O& o) { put(o.pair.max_ratio, c.real(key)); }},
    {"detect.pair_min_samples",
     [](const Config& c, const char* key, O& o) { put(o.pair.min_samples, c.integer(key)); }},
    {"detect.pair_min_bytes",
     [](const Config& c, const char* key, O& o) { put(o.pair.min_bytes, c.bytes(key)); }},
    {"detect.pair_min_path_share",
     [](const Config& c, const char* key, O& o) { put(o.pair.min_path_share, c.share(key)); }},
    {"detect.pair_path_bytes",
     [](const Config& c, const char* key, O& o) { put(o.pair.path_bytes, c.bytes(key)); }},
    {"detect.link_min_slowdown",
     [](const Config& c, const char* key, O& o) { put(o.link.min_slowdown, c.real(key)); }},
    {"detect.link_min_z",
     [](const Config& c, const char* key, O& o) { put(o.link.min_z, c.real(key)); }},
    {"detect.link_min_points",
     [](const Config& c, const char* key, O& o) { put(o.link.min_points, c.integer(key)); }},
    {"detect.link_min_flaps",
     [](const Config& c, const char* key, O& o) { put(o.link.min_flaps, c.integer(key)); }},
    {"detect.link_port_share",
     [](const Config& c, const char* key, O& o) { put(o.link.port_share, c.share(key)); }},
    {"detect.link_foreign_ratio",
     [](const Config& c, const char* key, O& o) { put(o.link.foreign_ratio, c.real(key)); }},
    {"detect.link_min_error_bursts",
     [](const Config& c, const char* key, O& o) { put(o.link.min_error_bursts, c.integer(key)); }},
    {"detect.slow_min_samples",
     [](const Config& c, const char* key, O& o) { put(o.slow.min_samples, c.integer(key)); }},
    {"detect.slow_tail_ratio",
     [](const Config& c, const char* key, O& o) { put(o.slow.tail_ratio, c.real(key)); }},
    {"detect.slow_min_tail",
     [](const Config& c, const char* key, O& o) { put(o.slow.min_tail, c.real(key)); }},
    {"detect.latency_min_rate",
     [](const Config& c, const char* key, O& o) { put(o.latency.min_rate_per_s, c.real(key)); }},
    {"detect.latency_max_bytes",
     [](const Config& c, const char* key, O& o) { put(o.latency.max_bytes, c.bytes(key)); }},
    {"detect.latency_min_time_share",
     [](const Config& c, const char* key, O& o) { put(o.latency.min_time_share, c.share(key)); }},
    {"detect.latency_flat_ratio",
     [](const Config& c, const char* key, O& o) { put(o.latency.flat_ratio, c.real(key)); }},
    {"detect.choice_min_samples",
     [](const Config& c, const char* key, O& o) { put(o.choice.min_samples, c.integer(key)); }},
    {"detect.choice_min_gain",
     [](const Config& c, const char* key, O& o) { put(o.choice.min_gain, c.share(key)); }},
    {"detect.choice_min_time_share",
     [](const Config& c, const char* key, O& o) { put(o.choice.min_time_share, c.share(key)); }},
    {"detect.choice_model_min_gain",
     [](const Config& c, const char* key, O& o) { put(o.choice.model_min_gain, c.share(key)); }},
    {"detect.host_bound_min_operations",
     [](const Config& c, const char* key, O& o) {
       put(o.host_bound.min_operations, c.integer(key));
     }},
    {"detect.host_bound_min_idle_share",
     [](const Config& c, const char* key, O& o) {
       put(o.host_bound.min_idle_share, c.share(key));
     }},
    {"detect.imbalance_min_ratio",
     [](const Config& c, const char* key, O& o) { put(o.imbalance.min_ratio, c.real(key)); }},
    {"detect.imbalance_min_share",
     [](const Config& c, const char* key, O& o) { put(o.imbalance.min_share, c.share(key)); }},
    {"detect.imbalance_min_pairs",
     [](const Config& c, const char* key, O& o) { put(o.imbalance.min_pairs, c.integer(key)); }},
    {"detect.imbalance_min_bytes",
     [](const Config& c, const char* key, O& o) { put(o.imbalance.min_bytes, c.bytes(key)); }},
    {"detect.pool_warning_share",
     [](const Config& c, const char* key, O& o) { put(o.pool.warning_share, c.share(key)); }},
    {"detect.pool_critical_share",
     [](const Config& c, const char* key, O& o) { put(o.pool.critical_share, c.share(key)); }},
    {"detect.change_min_slowdown",
     [](const Config& c, const char* key, O& o) { put(o.change.min_slowdown, c.real(key)); }},
    {"detect.change_min_z",
     [](const Config& c, const char* key, O& o) { put(o.change.min_z, c.real(key)); }},
    {"detect.change_min_points",
     [](const Config& c, const char* key, O& o) { put(o.change.min_points, c.integer(key)); }},
    {"detect.change_min_before",
     [](const Config& c, const char* key, O& o) { put(o.change.min_before, c.integer(key)); }},
    {"detect.change_min_time",
     [](const Config& c, const char* key, O& o) { put(o.change.min_time_ns, c.duration_ns(key)); }},
    {"detect.change_drift_min_growth",
     [](const Config& c, const char* key, O& o) { put(o.change.drift_min_growth, c.share(key)); }},
    {"detect.change_drift_min_z",
     [](const Config& c, const char* key, O& o) { put(o.change.drift_min_z, c.real(key)); }},
    {"detect.change_min_time_share",
     [](const Config& c, const char* key, O& o) { put(o.change.min_time_share, c.share(key)); }},
    {"detect.lost_warning_share",
     [](const Config& c, const char* key, O& o) { put(o.lost_warning_share, c.share(key)); }},
    {"overhead.budget",
     [](const Config& c, const char* key, O& o) { put(o.overhead_budget, c.share(key)); }},
};

}  // namespace

DetectOptions detect_options(const Config& config) {
  DetectOptions options;
  for (const auto& [key, set] : kThresholds) set(config, key, options);
  return options;
}

}  // namespace peerscope
