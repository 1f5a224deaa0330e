// peerscope sessions: which there are; and taking away what is left of old ones.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "session/json.hpp"
#include "session/monitor.hpp"

namespace peerscope {
namespace {

int sessions_main(Args& args) {
  bool json = false;
  bool prune = false;
  double age_s = 0;
  args.flag("--json", json, "print one JSON object");
  args.flag("--prune", prune, "remove what ended and dead sessions have left in memory");
  args.real("--older-than", age_s, 0, 1e9,
            "with --prune: only sessions older than this many seconds");
  if (const auto status = args.parse()) return *status;

  const int removed = prune ? prune_sessions(static_cast<std::int64_t>(age_s * 1e9)) : 0;
  Monitor monitor(MonitorOptions{});  // attaches, reads nothing
  const auto snapshot = monitor.snapshot();
  if (json) {
    nlohmann::json out = {{"sessions", to_json(*snapshot)["sessions"]},
                          {"problems", monitor.collector().problems()}};
    if (prune) out["removed_files"] = removed;
    fmt::print("{}\n", out.dump(2));
    return 0;
  }
  if (prune) fmt::print("  removed {} file{}\n", removed, removed == 1 ? "" : "s");
  if (snapshot->processes.empty()) {
    fmt::print("  No session. Start one with: peerscope demo, or peerscope run -- CMD\n");
  } else {
    fmt::print("{}", sessions_table(*snapshot, terminal_style()));
  }
  for (const std::string& problem : monitor.collector().problems())
    fmt::print("  not read: {}\n", problem);
  return 0;
}

}  // namespace

const Command kSessionsCommand{
    {"sessions", "list the sessions on this machine",
     "  peerscope sessions               what runs, what ended, what was killed\n"
     "  peerscope sessions --prune       free the memory of those that no longer run\n",
     ""},
    sessions_main};

}  // namespace peerscope
