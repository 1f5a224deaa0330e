#include "session/live.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <map>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/units.hpp"
#include "collect/collector.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

std::string now_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text, now.tv_nsec / 1'000'000);
}

constexpr off_t kLogBytes = 1 << 20;

// One write: lines of several changers do not mix. That it cannot be written changes nothing. A log
// that is full becomes the old one, which is replaced.
void append_line(const std::string& path, const nlohmann::ordered_json& line) {
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  const std::string text = line.dump() + "\n";
  [[maybe_unused]] const ssize_t ignored = write(file, text.data(), text.size());
  if (lseek(file, 0, SEEK_END) >= kLogBytes)
    static_cast<void>(std::rename(path.c_str(), (path + ".old").c_str()));
  close(file);
}

template <class Mask>
std::string written_mask(Mask mask, bool (*exists)(unsigned), std::string (*item)(unsigned)) {
  std::vector<std::string> items;
  for (unsigned bit = 0; mask != 0 && bit < sizeof mask * 8; ++bit) {
    if (exists(bit) && (mask >> bit & 1) != 0) items.push_back(item(bit));
  }
  return fmt::format("[{}]", fmt::join(items, ", "));
}

std::string written_ids(const CommFilter& comms) {
  std::vector<std::string> ids;
  for (std::uint32_t i = 0; i < comms.count; ++i) ids.push_back(fmt::format("{}", comms.ids[i]));
  return fmt::format("[{}]", fmt::join(ids, ", "));
}

bool is_kind(unsigned bit) { return name(static_cast<Kind>(bit)) != "?"; }
std::string kind_name(unsigned bit) { return std::string(name(static_cast<Kind>(bit))); }
bool is_any(unsigned) { return true; }
std::string number_name(unsigned bit) { return std::to_string(bit); }

}  // namespace

std::string written_control(const ControlState& control, std::string_view key) {
  if (key == "monitor.level") return std::string(name(control.level));
  if (key == "overhead.budget") {
    return control.detail_budget_ppm > 1'000'000 ? "unlimited"
                                                 : format_percent(control.detail_budget_ppm / 1e6);
  }
  if (key == "filter.min_bytes") return std::to_string(control.min_bytes);
  if (key == "filter.max_bytes") return std::to_string(control.max_bytes);
  if (key == "filter.communicators") return written_ids(control.comms);
  if (key == "filter.devices" || key == "filter.exclude_devices")
    return written_mask(control.devices, is_any, number_name);
  return written_mask(control.kinds, is_kind, kind_name);
}

LiveChange change_live(const std::vector<std::string>& sessions, const Config& config,
                       std::string_view key) {
  DeafSink deaf;
  CollectorOptions options;
  options.sessions = sessions;
  options.only_live = true;
  Collector collector(options, deaf);
  const std::vector<ControlState> before = collector.controls();
  LiveChange result;
  result.processes = collector.set_control(control_change(config, key));
  const std::vector<ControlState> after = collector.controls();
  const std::vector<ProcessStatus> processes = collector.processes();
  result.matches_none = key == "filter.communicators" && !config.list(key).empty() &&
                        std::none_of(after.begin(), after.end(), [](const ControlState& control) {
                          return control.comms.ids[0] != 0;
                        });
  std::map<std::string, std::size_t> first;  // of each session: it speaks for all
  for (std::size_t i = 0; i < processes.size(); ++i) first.emplace(processes[i].session, i);
  for (const auto& [session, i] : first) {
    const auto dir = std::filesystem::path(processes[i].path).parent_path();
    append_line((dir / kChangeLog).string(), {{"time", now_text()},
                                              {"uid", geteuid()},
                                              {"pid", getpid()},
                                              {"session", session},
                                              {"key", key},
                                              {"old", written_control(before[i], key)},
                                              {"new", written_control(after[i], key)}});
  }
  return result;
}

}  // namespace peerscope
