// The table of everything that can be configured.
#include "config/schema.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace peerscope {
namespace {

using enum ValueType;

constexpr double kKi = 1024, kMi = 1024 * kKi, kGi = 1024 * kMi, kTi = 1024 * kGi;
constexpr double kMs = 1e6, kS = 1e9, kDay = 86'400 * kS, kYear = 365 * kDay;
constexpr bool kLive = true, kAtStart = false;
constexpr const char* kOperations =
    "other send recv copy broadcast reduce all_reduce all_gather reduce_scatter gather scatter "
    "all_to_all barrier put get signal compute";

constexpr SectionSpec kSections[] = {
    {"monitor", "How much is recorded, how often it is shown, and how much is kept of it."},
    {"overhead", "What monitoring may cost."},
    {"filter", "What is recorded at all. What is left out is still counted."},
    {"record", "The recorder inside the job. `run` passes it on as environment."},
    {"source", "What is recorded of programs that know nothing of peerscope."},
    {"session", "What sessions leave behind."},
    {"detect", "From where on something is a finding."},
    {"trace", "Recordings."},
    {"profile", "Where operations spend their time inside: phases and call sites."},
    {"debug", "Events, and what is written when something goes wrong."},
    {"metrics", "What others get: `/metrics` for Prometheus, and pushes to an OpenTelemetry collector."},
    {"dashboard", "The web view. This version has none: `run` and `top` say so if it is enabled."},
};

// name, type, built-in, least, most, unit, choices, run time, further environment names, help
// clang-format off: a table
constexpr KeySpec kSchema[] = {
{"monitor.enabled", boolean, "true", 0, 0, "", "", kAtStart, "P2P_ENABLE_MONITORING",
 "Record at all; false is level off."},
{"monitor.level", choice, "detailed", 0, 0, "", "off basic detailed comprehensive", kLive, "PEERSCOPE_LEVEL P2P_MONITORING_LEVEL",
 "How much processes record that peerscope starts."},
{"monitor.interval", duration, "1 s", 50 * kMs, 3600 * kS, "s", "", kAtStart, "",
 "Time between two views of top."},
{"monitor.publish_interval", duration, "100 ms", 1 * kMs, 60 * kS, "ms", "", kAtStart, "",
 "Time between two snapshots of a session that is watched."},
{"monitor.max_cells", integer, "4096", 16, 65'000, "rows", "", kAtStart, "",
 "Rows by operation, algorithm, size, device, rank, peer and communicator; the rest shares one row."},
{"monitor.max_series", integer, "128", 8, 4096, "rows", "", kAtStart, "",
 "Rows by operation, algorithm and size that have time windows."},
{"monitor.max_pairs", integer, "1024", 8, 65'000, "rows", "", kAtStart, "",
 "Pairs of ranks that exchange data."},
{"monitor.max_communicators", integer, "256", 1, 4096, "rows", "", kAtStart, "",
 "Communicators."},
{"monitor.max_ranks", integer, "1024", 1, 65'000, "rows", "", kAtStart, "",
 "Ranks of all communicators."},
{"monitor.max_devices", integer, "64", 1, 1024, "rows", "", kAtStart, "",
 "Devices."},
{"monitor.max_events", integer, "256", 1, 100'000, "events", "", kAtStart, "",
 "Events that are kept, the latest."},
{"monitor.max_details", integer, "1024", 1, 100'000, "rows", "", kAtStart, "",
 "Phases, and call sites, that are kept apart."},

{"overhead.budget", percent, "1 %", 0, 1, "", "", kLive, "",
 "Share of a thread's time that recording details may take, and above which the cost is a finding."},

{"filter.operations", list, "", 0, 0, "", kOperations, kLive, "",
 "Only these operations; empty: all."},
{"filter.exclude_operations", list, "", 0, 0, "", kOperations, kLive, "",
 "Not these operations."},
{"filter.devices", list, "", 0, 63, "", "", kLive, "",
 "Only communicators on these devices, by number; empty: all."},
{"filter.exclude_devices", list, "", 0, 63, "", "", kLive, "",
 "Not communicators on these devices."},
{"filter.communicators", list, "", 0, 0, "", "", kLive, "",
 "Only these communicators, by name or id, at most 8; empty: all."},
{"filter.min_bytes", bytes, "0", 0, kTi, "bytes", "", kLive, "",
 "Only operations of at least this size."},
{"filter.max_bytes", bytes, "0", 0, kTi, "bytes", "", kLive, "",
 "Only operations of at most this size; 0: no limit."},

{"record.segment_bytes", bytes, "64 MiB", 1 * kMi, 16 * kGi, "bytes", "", kAtStart, "PEERSCOPE_SEGMENT_BYTES",
 "Most memory that one process records into."},
{"record.runtime_dir", text, "", 0, 0, "", "", kAtStart, "PEERSCOPE_RUNTIME_DIR",
 "Where processes record and readers look; empty: /dev/shm/peerscope-UID, else /tmp/peerscope-UID."},
{"record.clock", choice, "auto", 0, 0, "", "auto monotonic", kAtStart, "PEERSCOPE_CLOCK",
 "auto: the time-stamp counter where it can be trusted; monotonic: the kernel's clock."},

{"source.nccl", boolean, "true", 0, 0, "", "", kAtStart, "",
 "NCCL's operations, by its profiler interface. A plugin that NCCL_PROFILER_PLUGIN names already is taken along."},
{"source.cuda", boolean, "false", 0, 0, "", "", kAtStart, "",
 "Copies between devices and known kernels of collectives, by CUPTI. Costs more than the budget on busy GPUs, and keeps PyTorch's profiler of before August 2026 from the GPU: on where it is asked for."},
{"source.nvml", boolean, "true", 0, 0, "", "", kAtStart, "",
 "This machine's GPUs, their links, errors and XIDs, read once a second by NVML beside a session that is watched."},
{"source.nvml_library", text, "", 0, 0, "", "", kAtStart, "",
 "NVML's libnvidia-ml.so.1; empty: where the system looks for libraries."},
{"source.exllama", boolean, "true", 0, 0, "", "", kAtStart, "",
 "ExLlamaV3's own tensor parallelism, by sampling what its processes share, for at most 2 % of a processor while it works."},

{"session.keep", duration, "10 min", 0, kYear, "s", "", kAtStart, "",
 "Age at which demo, run and bench remove sessions that are not live."},

{"detect.straggler_min_collectives", integer, "30", 1, kNoLimit, "collectives", "", kAtStart, "",
 "Collectives before a rank is called a straggler."},
{"detect.straggler_min_lateness", duration, "20 us", 0, 3600 * kS, "us", "", kAtStart, "",
 "Lateness below this is scheduling, not a straggler."},
{"detect.straggler_noise_ratio", real, "3", 0, 1e6, "", "", kAtStart, "",
 "Median lateness of a straggler over its spread (half the quartiles' distance)."},
{"detect.straggler_min_last_share", percent, "35 %", 0, 1, "", "", kAtStart, "",
 "Share of collectives in which a straggler was the last (lower bound at 1 %)."},
{"detect.straggler_min_waiting_share", percent, "10 %", 0, 1, "", "", kAtStart, "",
 "Share of all ranks' communication time that is lost to waiting for a straggler."},
{"detect.skew_min_collectives", integer, "100", 1, kNoLimit, "collectives", "", kAtStart, "",
 "Collectives before their arrival skew is judged."},
{"detect.skew_min_skew", duration, "200 us", 0, 3600 * kS, "us", "", kAtStart, "",
 "Median time from the first to the last arrival, from which on it is a finding."},
{"detect.skew_transfer_ratio", real, "3", 0, 1e6, "", "", kAtStart, "",
 "Median arrival skew over median transfer."},
{"detect.skew_min_waiting_share", percent, "50 %", 0, 1, "", "", kAtStart, "",
 "Share of all ranks' communication time that they wait for each other."},
{"detect.skew_min_time_share", percent, "20 %", 0, 1, "", "", kAtStart, "",
 "Share of all time that ranks wait for each other."},
{"detect.hang_min_age", duration, "0.5 s", 1 * kMs, kYear, "s", "", kAtStart, "",
 "Age from which an operation may be called hanging."},
{"detect.hang_first_age", duration, "2 s", 1 * kMs, kYear, "s", "", kAtStart, "",
 "The same, of kinds and sizes that have no history yet."},
{"detect.hang_min_history", integer, "20", 1, kNoLimit, "operations", "", kAtStart, "",
 "Operations of a kind and size that make a history."},
{"detect.hang_p999_ratio", real, "20", 1, 1e9, "", "", kAtStart, "",
 "Age of a hanging operation over the p99.9 of its kind and size."},
{"detect.failure_min_rate", percent, "0.1 %", 0, 1, "", "", kAtStart, "",
 "Share of operations of the last 10 s that fail, from which on it is a finding."},
{"detect.failure_critical_rate", percent, "5 %", 0, 1, "", "", kAtStart, "",
 "The same, from which on it is critical."},
{"detect.failure_retry_share", percent, "80 %", 0, 1, "", "", kAtStart, "",
 "Share of failures after which the same operation ended well, of retries."},
{"detect.pair_max_ratio", real, "0.6", 0, 1, "", "", kAtStart, "",
 "Bandwidth of a slow pair over the median of the other pairs."},
{"detect.pair_min_samples", integer, "100", 1, kNoLimit, "operations", "", kAtStart, "",
 "Operations of a pair before it is judged."},
{"detect.pair_min_bytes", bytes, "64 KiB", 0, kTi, "bytes", "", kAtStart, "",
 "Smaller messages measure latency, not bandwidth."},
{"detect.pair_min_path_share", percent, "30 %", 0, 1, "", "", kAtStart, "",
 "Share of what the path between two devices can do, below which a pair is told."},
{"detect.pair_path_bytes", bytes, "4 MiB", 0, kTi, "bytes", "", kAtStart, "",
 "Messages from which on a pair is compared with its path."},
{"detect.link_min_slowdown", real, "1.4", 1, 1e6, "", "", kAtStart, "",
 "Median time of a pair now over before, of a link that became slow."},
{"detect.link_min_z", real, "3.5", 0, 1e6, "", "", kAtStart, "",
 "How sure the rank test between before and after has to be, in standard deviations."},
{"detect.link_min_points", integer, "8", 3, 128, "", "", kAtStart, "",
 "Stretches of 0.125 s after the change before a link is told."},
{"detect.link_min_flaps", integer, "3", 2, 1e6, "", "", kAtStart, "",
 "Times that a pair became slow and recovered, of a link that flaps."},
{"detect.link_port_share", percent, "75 %", 0, 1, "", "", kAtStart, "",
 "Share of the slow pairs, by how slow they are, that a device's port has to explain."},
{"detect.link_foreign_ratio", real, "1.5", 1, 1e6, "", "", kAtStart, "",
 "Bytes counted on a link over those that ours explain, of contention."},
{"detect.link_min_error_bursts", integer, "2", 1, 1e6, "", "", kAtStart, "",
 "Rises of error counters with calm between them, of a link that flaps."},
{"detect.slow_min_samples", integer, "1000", 1, kNoLimit, "operations", "", kAtStart, "",
 "Operations of the last 10 s before their tail is judged."},
{"detect.slow_tail_ratio", real, "5", 1, 1e6, "", "", kAtStart, "",
 "p99 over p50 of the last 10 s, over the same of the past."},
{"detect.slow_min_tail", real, "20", 1, 1e6, "", "", kAtStart, "",
 "p99 over p50 of the last 10 s, at least."},
{"detect.latency_min_rate", real, "1000", 0, 1e9, "per second", "", kAtStart, "",
 "Operations of one rank a second, from which on small messages are worth joining."},
{"detect.latency_max_bytes", bytes, "64 KiB", 0, kTi, "bytes", "", kAtStart, "",
 "Larger messages are not bound by latency."},
{"detect.latency_min_time_share", percent, "30 %", 0, 1, "", "", kAtStart, "",
 "Share of all host time that small messages take."},
{"detect.latency_flat_ratio", real, "1.5", 1, 1e6, "", "", kAtStart, "",
 "Median time of a message four times as large over this one's, at most."},
{"detect.choice_min_samples", integer, "12", 6, kNoLimit, "operations", "", kAtStart, "",
 "Operations of each algorithm before they are compared."},
{"detect.choice_min_gain", percent, "20 %", 0, 1, "", "", kAtStart, "",
 "Share of its time that another algorithm saves, from which on the one in use is wrong."},
{"detect.choice_min_time_share", percent, "1 %", 0, 1, "", "", kAtStart, "",
 "Share of all host time that an operation takes, for its algorithm to matter."},
{"detect.choice_model_min_gain", percent, "30 %", 0, 1, "", "", kAtStart, "",
 "The gain where only the model knows the other algorithm."},
{"detect.host_bound_min_operations", integer, "500", 1, kNoLimit, "operations", "", kAtStart, "",
 "Asynchronous operations of a rank before its launches are judged."},
{"detect.host_bound_min_idle_share", percent, "50 %", 0, 1, "", "", kAtStart, "",
 "Share of device time that it is idle while the host enqueues the next operation."},
{"detect.imbalance_min_ratio", real, "4", 1, 1e6, "", "", kAtStart, "",
 "Bytes of the busiest pair over the median of the others."},
{"detect.imbalance_min_share", percent, "25 %", 0, 1, "", "", kAtStart, "",
 "Share of a communicator's bytes that the busiest pair carries."},
{"detect.imbalance_min_pairs", integer, "4", 2, kNoLimit, "pairs", "", kAtStart, "",
 "Pairs before they are compared."},
{"detect.imbalance_min_bytes", bytes, "64 MiB", 0, 1024 * kTi, "bytes", "", kAtStart, "",
 "Bytes of the busiest pair in 10 s, at least."},
{"detect.pool_warning_share", percent, "90 %", 0, 1, "", "", kAtStart, "",
 "How full a pool is when it is told."},
{"detect.pool_critical_share", percent, "98 %", 0, 1, "", "", kAtStart, "",
 "The same, from which on it is critical."},
{"detect.change_min_slowdown", real, "1.25", 1, 1e6, "", "", kAtStart, "",
 "Median time of an operation after a step over before it."},
{"detect.change_min_z", real, "4", 0, 1e6, "", "", kAtStart, "",
 "How sure the rank test between before and after has to be, in standard deviations."},
{"detect.change_min_points", integer, "8", 3, 128, "", "", kAtStart, "",
 "Stretches of 0.125 s after a step before it is told."},
{"detect.change_min_before", integer, "12", 3, 128, "", "", kAtStart, "",
 "Stretches before it."},
{"detect.change_min_time", duration, "2 us", 0, 3600 * kS, "us", "", kAtStart, "",
 "Slower by less is no step and no drift."},
{"detect.change_drift_min_growth", percent, "20 %", 0, 1, "", "", kAtStart, "",
 "Growth of a median time over what is remembered of it, of a drift."},
{"detect.change_drift_min_z", real, "5", 0, 1e6, "", "", kAtStart, "",
 "How sure Mann and Kendall's test for a trend has to be, in standard deviations."},
{"detect.change_min_time_share", percent, "2 %", 0, 1, "", "", kAtStart, "",
 "Share of all host time that an operation takes, for its changes to matter."},
{"detect.lost_warning_share", percent, "0.1 %", 0, 1, "", "", kAtStart, "",
 "Share of records lost from which on it is a warning."},

{"trace.max_bytes", bytes, "0", 0, 1024 * kTi, "bytes", "", kAtStart, "",
 "Most disk that recordings take, the oldest go first; 0: no limit."},
{"trace.max_age", duration, "0", 0, 100 * kYear, "s", "", kAtStart, "",
 "Age at which recorded operations go; 0: never."},
{"trace.dir", text, "", 0, 0, "", "", kAtStart, "P2P_MONITORING_OUTPUT_DIR",
 "Where recordings go that are given no path; empty: the current directory."},
{"trace.chunk_operations", integer, "65536", 1024, 65'536, "operations", "", kAtStart, "",
 "Operations in one chunk of a recording."},
{"trace.flush_interval", duration, "1 s", 10 * kMs, 3600 * kS, "s", "", kAtStart, "",
 "Longest time that an operation waits for its way to the disk."},
{"trace.summary_interval", duration, "10 s", 100 * kMs, 3600 * kS, "s", "", kAtStart, "",
 "Time between two summaries in a recording."},
{"trace.compression", integer, "1", 1, 9, "", "", kAtStart, "",
 "zstd's level: 1 fast, 9 small."},

{"trace.time_step", duration, "8 ns", 1, 65'536, "ns", "", kAtStart, "",
 "Times are rounded to at most this (a power of two), and to at most 1/256 of the median duration; 1 ns: not at all."},
{"profile.enabled", boolean, "true", 0, 0, "", "", kAtStart, "P2P_ENABLE_PROFILING",
 "Keep phases and call sites."},
{"profile.level", choice, "comprehensive", 0, 0, "", "basic detailed comprehensive", kAtStart, "P2P_PROFILING_LEVEL",
 "basic: neither; detailed: phases; comprehensive: call sites, too."},
{"profile.dir", text, "", 0, 0, "", "", kAtStart, "P2P_PROFILING_OUTPUT_DIR",
 "Where run writes its report as JSON, too; empty: nowhere."},

{"profile.compare_difference", percent, "3 %", 0, 1, "", "", kAtStart, "",
 "Difference of two medians below which `profile compare` names no winner; more where the medians wander more by themselves."},
{"profile.compare_p", real, "0.01", 1e-9, 0.5, "", "", kAtStart, "",
 "Of `profile compare`'s rank test after Holm's correction: above, a difference may be chance."},
{"profile.compare_effect", real, "0.147", 0, 1, "", "", kAtStart, "",
 "Cliff's delta below which an effect is negligible (0.33 medium, 0.474 large)."},
{"profile.compare_samples", integer, "8", 2, 1024, "samples", "", kAtStart, "",
 "Samples of each side below which nothing is compared."},

{"debug.enabled", boolean, "true", 0, 0, "", "", kAtStart, "P2P_ENABLE_DEBUGGING",
 "Keep events."},
{"debug.level", choice, "detailed", 0, 0, "", "basic detailed verbose", kAtStart, "P2P_DEBUG_LEVEL",
 "Events that are kept. basic: warnings and worse; detailed: info, too; verbose: debug and trace, too."},
{"debug.events_per_second", integer, "10", 0, 1'000'000, "events", "", kAtStart, "",
 "Events of one kind about one rank, pair or device that debug events keeps a second; the rest is \"and N more\". 0: all."},
{"debug.max_events", integer, "10000", 1, 1'000'000, "events", "", kAtStart, "",
 "Events that debug events keeps, the latest."},
{"debug.max_errors", integer, "1000", 1, 1'000'000, "errors", "", kAtStart, "",
 "Failed operations that debug errors keeps one by one, the latest; they are always counted."},
{"debug.dir", text, "", 0, 0, "", "", kAtStart, "P2P_DEBUG_OUTPUT_DIR",
 "Where run writes critical findings, operations in flight and events, if there are any; empty: nowhere."},

{"metrics.max_series", integer, "2000", 200, 100'000, "series", "", kAtStart, "",
 "Series at most: the largest have their own, the rest adds up in label value other."},
{"metrics.nccl_names", boolean, "false", 0, 0, "", "", kAtStart, "",
 "NCCL's operations also under the names that NVIDIA's Inspector gives them."},
{"metrics.dcgm_names", boolean, "false", 0, 0, "", "", kAtStart, "",
 "GPUs and their links also under the names of dcgm-exporter."},
{"metrics.otlp_url", text, "", 0, 0, "", "", kAtStart, "",
 "OpenTelemetry collector that metrics are pushed to: http://HOST:4318; empty: none."},
{"metrics.otlp_interval", duration, "10 s", 100 * kMs, 3600 * kS, "s", "", kAtStart, "",
 "Time between two pushes."},
{"metrics.otlp_headers", list, "", 0, 0, "", "", kAtStart, "",
 "Headers of each push, as name=value; they may hold secrets, and a debug bundle leaves them out."},

{"dashboard.enabled", boolean, "false", 0, 0, "", "", kAtStart, "P2P_ENABLE_DASHBOARD",
 "Serve the web view."},
{"dashboard.host", text, "127.0.0.1", 0, 0, "", "", kAtStart, "P2P_DASHBOARD_HOST",
 "Address on which it is served."},
{"dashboard.port", integer, "8080", 1, 65'535, "", "", kAtStart, "P2P_DASHBOARD_PORT",
 "Port on which it is served."},
};
// clang-format on

}  // namespace

std::span<const KeySpec> schema() { return kSchema; }
std::span<const SectionSpec> sections() { return kSections; }

const KeySpec* find_key(std::string_view name) {
  const auto* found = std::find_if(std::begin(kSchema), std::end(kSchema),
                                   [&](const KeySpec& key) { return name == key.name; });
  return found == std::end(kSchema) ? nullptr : found;
}

std::string environment_name(std::string_view key) {
  std::string name = "PEERSCOPE_";
  for (const char c : key) {
    if (c == '.') name += "__";
    if (c != '.') name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

}  // namespace peerscope
