// What the profile commands are about: a file or a session, and where in it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "config/config.hpp"
#include "session/profile.hpp"

namespace peerscope {

struct OpenedSource {
  std::unique_ptr<TraceReader> trace;  // of a file; null: rings
  MonitorOptions monitor;
  std::unique_ptr<ProfileSource> source;
};
// `wanted` as report takes it: a file, a session, "" the newest.
Result<OpenedSource> open_profile_source(const std::string& wanted, const Config& config);

// "2", "1.5s", "200 ms", "-3" (from the end). Empty text: nothing. The error names the option.
Result<std::optional<double>> read_seconds(const char* option, const std::string& text);

}  // namespace peerscope
