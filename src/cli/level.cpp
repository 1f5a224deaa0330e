// peerscope level: how much running processes record, changed from outside, at once. A short form of
// `config set monitor.level LEVEL --live`.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/select.hpp"
#include "session/live.hpp"

namespace peerscope {
namespace {

int level_main(Args& args) {
  std::string level;
  std::string wanted;
  bool json = false;
  args.positional("level", level, "off, basic, detailed or comprehensive");
  args.positional("session", wanted, "id or the beginning of one, or 'all' (default: the newest)");
  args.flag("--json", json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  const Result<Config> config = args.config().with({"monitor.level", level, "level"});
  if (!config) {
    fmt::print(stderr, "peerscope {}\n", config.error().message);
    return 2;
  }
  const Result<std::vector<std::string>> sessions = select_sessions(wanted);
  if (!sessions) {
    fmt::print(stderr, "peerscope level: {}\n", sessions.error().message);
    return 2;
  }
  const int reached = change_live(*sessions, *config, "monitor.level").processes;
  if (json) {
    fmt::print("{}\n", nlohmann::json{{"level", level}, {"processes", reached}}.dump(2));
  } else {
    fmt::print("  {} process{} now record{} at level {}\n", reached, reached == 1 ? "" : "es",
               reached == 1 ? "s" : "", level);
  }
  return reached > 0 ? 0 : 1;
}

}  // namespace

const Command kLevelCommand{
    {"level", "change how much running processes record",
     "  peerscope level comprehensive     phases and call sites, from now on\n"
     "  peerscope level off all           all sessions fall silent\n",
     "1 no live process was reached"},
    level_main};

}  // namespace peerscope
