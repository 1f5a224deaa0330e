// Changes what running processes record, and says who did it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "collect/control.hpp"
#include "config/config.hpp"

namespace peerscope {

struct LiveChange {
  int processes = 0;          // that were reached
  bool matches_none = false;  // filter.communicators: no process knows any of them (yet)
};

// What `config` says of `key`, in all live processes of these sessions, at once: they notice at
// their next operation. Each session gets one line in changes.jsonl of its runtime directory.
LiveChange change_live(const std::vector<std::string>& sessions, const Config& config,
                       std::string_view key);

// What a process records, as the configuration would write it: "detailed", ["all_reduce"].
std::string written_control(const ControlState& control, std::string_view key);

inline constexpr const char* kChangeLog = "changes.jsonl";

}  // namespace peerscope
