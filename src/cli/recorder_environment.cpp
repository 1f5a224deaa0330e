#include "cli/recorder_environment.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <fmt/format.h>

namespace peerscope {

void tell_recorders(const Config& config) {
  const auto tell = [](const char* name, const std::string& value) {
    setenv(name, value.c_str(), 1);
  };
  if (const std::string& dir = config.text("record.runtime_dir"); !dir.empty())
    tell("PEERSCOPE_RUNTIME_DIR", std::filesystem::absolute(dir).string());  // for any directory
  if (!config.is_built_in("record.segment_bytes"))
    tell("PEERSCOPE_SEGMENT_BYTES", std::to_string(config.bytes("record.segment_bytes")));
  if (!config.is_built_in("overhead.budget"))
    tell("PEERSCOPE_OVERHEAD__BUDGET",
         fmt::format("{:.4f} %", config.share("overhead.budget") * 100));
  if (!config.is_built_in("record.clock")) tell("PEERSCOPE_CLOCK", config.text("record.clock"));
}

}  // namespace peerscope
