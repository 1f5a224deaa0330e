// The configuration of a program that runs: what it is now, and changes to it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace peerscope {

// Any thread may ask and change.
class LiveConfig {
 public:
  // Called before a change holds; an error refuses it. Changes come one after the other.
  using OnChange = std::function<Status(const Config&)>;

  // Without sessions nothing runs, and nothing can change.
  LiveConfig(Config config, std::vector<std::string> sessions);

  [[nodiscard]] std::shared_ptr<const Config> now() const;
  [[nodiscard]] bool can_change(std::string_view key) const;
  // All of them or none. Those that running programs notice are told to them. The error names what is wrong, or
  // what cannot change while things run.
  Status change(const std::vector<std::pair<std::string, std::string>>& settings);
  void on_change(OnChange call) { on_change_ = std::move(call); }

 private:
  mutable std::mutex mutex_;
  std::mutex changing_;
  std::shared_ptr<const Config> config_;
  std::vector<std::string> sessions_;
  OnChange on_change_;
};

}  // namespace peerscope
