#include "session/served/live_config.hpp"

#include <fmt/format.h>

#include "session/live.hpp"

namespace peerscope {

bool can_change_live(std::string_view key) {
  const KeySpec* spec = find_key(key);
  return spec != nullptr && (spec->live || key.substr(0, 6) == "alert.");
}

LiveConfig::LiveConfig(Config config, std::vector<std::string> sessions)
    : config_(std::make_shared<const Config>(std::move(config))), sessions_(std::move(sessions)) {}

std::shared_ptr<const Config> LiveConfig::now() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

Status LiveConfig::change(const std::vector<std::pair<std::string, std::string>>& settings) {
  const std::lock_guard one_at_a_time(changing_);
  Config next = *now();
  for (const auto& [key, value] : settings) {
    if (find_key(key) == nullptr)
      return Error{ErrorCode::invalid_argument, fmt::format("there is no key {}", key)};
    if (!can_change_live(key))
      return Error{ErrorCode::invalid_argument,
                   fmt::format("{} cannot change while programs run; write it to a file with: "
                               "peerscope config set {} {}",
                               key, key, value)};
    Result<Config> changed = next.with({key, value, "run time"});
    if (!changed) return changed.error();
    next = std::move(*changed);
  }
  const auto published = std::make_shared<const Config>(std::move(next));
  {
    const std::lock_guard lock(mutex_);
    config_ = published;
  }
  for (const auto& [key, value] : settings) {
    if (find_key(key)->live && !sessions_.empty()) change_live(sessions_, *published, key);
    if (on_change_) on_change_(*published, key);
  }
  return Done{};
}

}  // namespace peerscope
