#include "session/served/live_config.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "session/live.hpp"

namespace peerscope {
namespace {

// Whether a key can change while this program and those it watches run.
bool can_change_live(std::string_view key) {
  const KeySpec* spec = find_key(key);
  // Rules, and nothing that says whom to tell or what to run: who may look may not run commands.
  constexpr std::string_view kRules[] = {"alert.min_bandwidth",
                                         "alert.min_bandwidth_size",
                                         "alert.max_latency",
                                         "alert.min_success_rate",
                                         "alert.max_memory_share",
                                         "alert.finding_severity",
                                         "alert.finding_for",
                                         "alert.for",
                                         "alert.keep",
                                         "alert.rules",
                                         "alert.repeat"};
  return spec != nullptr &&
         (spec->live || std::find(std::begin(kRules), std::end(kRules), key) != std::end(kRules));
}

}  // namespace

LiveConfig::LiveConfig(Config config, std::vector<std::string> sessions)
    : config_(std::make_shared<const Config>(std::move(config))), sessions_(std::move(sessions)) {}

std::shared_ptr<const Config> LiveConfig::now() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

bool LiveConfig::can_change(std::string_view key) const {
  return !sessions_.empty() && can_change_live(key);
}

Status LiveConfig::change(const std::vector<std::pair<std::string, std::string>>& settings) {
  const std::lock_guard one_at_a_time(changing_);
  Config next = *now();
  for (const auto& [key, value] : settings) {
    if (find_key(key) == nullptr)
      return Error{ErrorCode::invalid_argument, fmt::format("there is no key {}", key)};
    if (sessions_.empty())
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("this is a recording: nothing runs that {} could change; write it to "
                      "a file with: peerscope config set {} {}",
                      key, key, value)};
    if (!can_change_live(key))
      return Error{ErrorCode::invalid_argument,
                   fmt::format("{} cannot change while programs run; write it to a file with: "
                               "peerscope config set {} {}",
                               key, key, value)};
    Result<Config> changed = next.with({key, value, std::string(kAtRunTime)});
    if (!changed) return changed.error();
    next = std::move(*changed);
  }
  if (on_change_) {
    if (const Status taken = on_change_(next); !taken) return taken;
  }
  const auto published = std::make_shared<const Config>(std::move(next));
  {
    const std::lock_guard lock(mutex_);
    config_ = published;
  }
  for (const auto& [key, value] : settings) {
    if (find_key(key)->live && !sessions_.empty()) change_live(sessions_, *published, key);
  }
  return Done{};
}

}  // namespace peerscope
