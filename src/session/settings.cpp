#include "session/settings.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>

namespace peerscope {
namespace {

constexpr double kMillion = 1e6;

template <class T>
T number(const Config& config, std::string_view key) {
  return static_cast<T>(config.integer(key));
}

// Each level keeps more than the one before.
EventSeverity least_severity(const Config& config) {
  const std::string& level = config.text("debug.level");
  return level == "basic"      ? EventSeverity::warning
         : level == "detailed" ? EventSeverity::info
                               : EventSeverity::trace;
}

// A bit for each that is wanted and not excluded; 0 if no list says anything. `all` is every bit.
template <class Bit, class Mask>
Mask mask_of(const std::vector<std::string>& wanted, const std::vector<std::string>& excluded,
             Mask all, Bit bit) {
  if (wanted.empty() && excluded.empty()) return 0;
  Mask mask = wanted.empty() ? all : 0;
  for (const std::string& item : wanted) mask |= bit(item);
  for (const std::string& item : excluded) mask &= ~bit(item);
  return mask;
}

std::uint32_t kinds_of(const Config& config) {
  return mask_of(config.list("filter.operations"), config.list("filter.exclude_operations"),
                 ~std::uint32_t{0}, [](const std::string& name) {
                   return 1U << static_cast<unsigned>(parse_kind(name).value_or(Kind::other));
                 });
}

std::uint64_t devices_of(const Config& config) {
  return mask_of(config.list("filter.devices"), config.list("filter.exclude_devices"),
                 ~std::uint64_t{0}, [](const std::string& number) {
                   return std::uint64_t{1} << (std::strtoul(number.c_str(), nullptr, 10) & 63);
                 });
}

}  // namespace

MonitorOptions monitor_options(const Config& config) {
  MonitorOptions options;
  options.aggregate.max_cells = number<std::size_t>(config, "monitor.max_cells");
  options.aggregate.max_series = number<std::size_t>(config, "monitor.max_series");
  options.aggregate.max_pairs = number<std::size_t>(config, "monitor.max_pairs");
  options.aggregate.max_communicators = number<std::size_t>(config, "monitor.max_communicators");
  options.aggregate.max_ranks = number<std::size_t>(config, "monitor.max_ranks");
  options.aggregate.max_devices = number<std::size_t>(config, "monitor.max_devices");
  options.max_events = number<std::size_t>(config, "monitor.max_events");
  options.max_details = number<std::size_t>(config, "monitor.max_details");
  options.publish_every_ns = config.duration_ns("monitor.publish_interval");
  const std::string& profile = config.text("profile.level");
  const bool profiles = config.boolean("profile.enabled") && profile != "basic";
  options.phases = profiles;
  options.call_sites = profiles && profile == "comprehensive";
  options.events = config.boolean("debug.enabled");
  options.least_severity = static_cast<std::uint8_t>(least_severity(config));
  options.detect = detect_options(config);
  return options;
}

TraceSettings trace_settings(const Config& config) {
  TraceSettings settings;
  settings.max_bytes = config.bytes("trace.max_bytes");
  settings.max_age_ns = config.duration_ns("trace.max_age");
  settings.dir = config.text("trace.dir");
  settings.chunk_operations = number<std::uint32_t>(config, "trace.chunk_operations");
  settings.flush_interval_ns = config.duration_ns("trace.flush_interval");
  settings.summary_interval_ns = config.duration_ns("trace.summary_interval");
  settings.compression = number<int>(config, "trace.compression");
  settings.time_step_ns = static_cast<std::uint32_t>(
      std::bit_floor(static_cast<std::uint64_t>(config.duration_ns("trace.time_step"))));
  return settings;
}

DebugOptions debug_options(const Config& config) {
  DebugOptions options;
  options.log.least = least_severity(config);
  options.log.per_second = number<std::uint32_t>(config, "debug.events_per_second");
  options.log.max_events = number<std::size_t>(config, "debug.max_events");
  options.errors.max_errors = number<std::size_t>(config, "debug.max_errors");
  return options;
}

ProfileCompareOptions compare_options(const Config& config) {
  ProfileCompareOptions options;
  options.least_difference = config.share("profile.compare_difference");
  options.p = config.real("profile.compare_p");
  options.least_delta = config.real("profile.compare_effect");
  options.least_samples = number<std::size_t>(config, "profile.compare_samples");
  return options;
}

std::optional<nvml::MachineOptions> machine_options(const Config& config) {
  if (!config.boolean("source.nvml")) return std::nullopt;
  nvml::MachineOptions options;
  options.library = config.text("source.nvml_library");
  return options;
}

Level recording_level(const Config& config) {
  if (!config.boolean("monitor.enabled")) return Level::off;
  return parse_level(config.text("monitor.level")).value_or(Level::detailed);
}

ControlChange control_change(const Config& config, std::string_view key) {
  ControlChange change;
  if (key == "monitor.level")
    change.level = parse_level(config.text("monitor.level")).value_or(Level::detailed);
  if (key == "overhead.budget") {
    change.detail_budget_ppm =
        static_cast<std::uint32_t>(std::lround(config.share("overhead.budget") * kMillion));
  }
  if (key == "filter.operations" || key == "filter.exclude_operations")
    change.kinds = kinds_of(config);
  if (key == "filter.devices" || key == "filter.exclude_devices") {
    change.devices = devices_of(config);
    change.pass_without_device = config.list("filter.devices").empty();
  }
  if (key == "filter.min_bytes") change.min_bytes = config.bytes("filter.min_bytes");
  if (key == "filter.max_bytes") change.max_bytes = config.bytes("filter.max_bytes");
  if (key == "filter.communicators") change.communicators = config.list("filter.communicators");
  return change;
}

ControlChange attach_control(const Config& config) {
  ControlChange all;
  const auto take = [](auto& into, const auto& from) {
    if (from) into = from;
  };
  for (const KeySpec& key : schema()) {
    // The level is the program's environment: one that names a level itself keeps it, unless it was changed since.
    const bool is_level = key.name == std::string_view("monitor.level");
    if (!key.live || config.is_built_in(key.name) ||
        (is_level && config.origin(key.name) != kAtRunTime))
      continue;
    const ControlChange one = control_change(config, key.name);
    take(all.level, one.level);
    take(all.detail_budget_ppm, one.detail_budget_ppm);
    take(all.kinds, one.kinds);
    take(all.min_bytes, one.min_bytes);
    take(all.max_bytes, one.max_bytes);
    take(all.devices, one.devices);
    take(all.pass_without_device, one.pass_without_device);
    take(all.communicators, one.communicators);
  }
  if (!config.boolean("monitor.enabled") && config.origin("monitor.level") != kAtRunTime)
    all.level = Level::off;
  return all;
}

}  // namespace peerscope
