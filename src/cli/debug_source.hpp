// What the debug commands look at: a live session, one of the past, or a trace file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "config/config.hpp"
#include "session/debug_watch.hpp"
#include "session/monitor.hpp"

namespace peerscope {

// Who is which rank.
struct DebugMember {
  std::uint64_t comm = 0;
  int rank = 0;
  std::uint32_t pid = 0;
  ProcessState state = ProcessState::live;
};

struct DebugSource {
  std::vector<std::string> sessions;  // empty: a file
  std::string path;                   // of the file
  std::unique_ptr<Monitor> monitor;   // null: a file
  std::shared_ptr<DebugWatch> watch;
  std::shared_ptr<const Snapshot> snapshot;  // as of the last look()
  std::vector<DebugMember> members;
  bool live = false;

  // Reads what is new of a session, and looks.
  void look();
  [[nodiscard]] const DebugMember* member(std::uint64_t comm, int rank) const;
};

struct DebugSourceOptions {
  bool machine = false;                  // read the GPUs, too
  std::shared_ptr<Recording> recording;  // of a session
};

// Opens and reads what is there. Says in the command's name what is wrong, to standard error. `watch`
// may have hooks already.
std::optional<DebugSource> open_debug_source(const char* command, const std::string& wanted,
                                             const Config& config,
                                             std::shared_ptr<DebugWatch> watch,
                                             const DebugSourceOptions& options = {});
// `least`: of events, where that asks for more than debug.level.
std::shared_ptr<DebugWatch> make_debug_watch(const Config& config,
                                             EventSeverity least = EventSeverity::critical);

inline constexpr const char* kDebugSourceHelp =
    "a .pscope file, or a session: its id or the beginning of one, or 'all' (default: the newest)";

// One object, whatever bytes names are made of.
void print_json(const nlohmann::json& json, bool one_line = false);

}  // namespace peerscope
