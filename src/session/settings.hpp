// What the configuration means to the session: options of its parts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "analyze/profile/compare.hpp"
#include "collect/control.hpp"
#include "config/config.hpp"
#include "model/kinds.hpp"
#include "session/monitor.hpp"

namespace peerscope {

struct TraceSettings {
  std::uint64_t max_bytes = 0;  // 0: no limit
  std::int64_t max_age_ns = 0;  // 0: no limit
  std::string dir;              // where recordings go that are given no path
  std::uint32_t chunk_operations = 65536;
  std::int64_t flush_interval_ns = 1'000'000'000, summary_interval_ns = 10'000'000'000;
  int compression = 1;             // zstd's level
  std::uint32_t time_step_ns = 8;  // a power of two
};

MonitorOptions monitor_options(const Config& config);  // sessions and dirs are left to the caller
DetectOptions detect_options(const Config& config);
DebugOptions debug_options(const Config& config);
TraceSettings trace_settings(const Config& config);
ProfileCompareOptions compare_options(const Config& config);

// NVML, unless source.nvml is false.
std::optional<nvml::MachineOptions> machine_options(const Config& config);

// How much processes record that we start: monitor.level, or off without monitor.enabled.
Level recording_level(const Config& config);

// What is configured of level, filter and budget for processes that appear later: give it to
// CollectorOptions::on_attach. What nobody has configured is left as the program has it.
ControlChange attach_control(const Config& config);

// The part of it that one key is about: `config set KEY VALUE --live`.
ControlChange control_change(const Config& config, std::string_view key);

}  // namespace peerscope
