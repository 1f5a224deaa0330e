// peerscope report: what happened in a session, live or of the past.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "session/json.hpp"
#include "session/monitor.hpp"

namespace peerscope {
namespace {

int report_main(Args& args) {
  std::string wanted;
  bool json = false;
  bool quiet = false;
  args.positional("session", wanted, "id or the beginning of one, or 'all' (default: the newest)");
  args.flag("--json", json, "print one JSON object");
  args.flag("-q,--quiet", quiet, "print the verdict only");
  if (const auto status = args.parse()) return *status;

  const Result<std::vector<std::string>> sessions = select_sessions(wanted);
  if (!sessions) {
    fmt::print(stderr, "peerscope report: {}\n", sessions.error().message);
    return 2;
  }
  MonitorOptions options;
  options.collect.sessions = *sessions;
  Monitor monitor(options);
  monitor.poll();
  if (!monitor.collector().any_live()) monitor.finish();
  const auto snapshot = monitor.snapshot();
  for (const std::string& problem : monitor.collector().problems())
    fmt::print(stderr, "peerscope report: skipped {}\n", problem);
  if (json) {
    fmt::print("{}\n", to_json(*snapshot).dump(2));
  } else {
    const Style style = terminal_style();
    if (!quiet) fmt::print("{}\n", sessions_table(*snapshot, style));
    fmt::print("{}", quiet ? verdict(*snapshot, style) : report(*snapshot, style));
  }
  return 0;
}

}  // namespace

const Command kReportCommand{{"report", "what happened in a session: live, just ended, or killed",
                              "  peerscope report                 the newest session\n"
                              "  peerscope report demo-4711       that session\n"
                              "  peerscope report --json | jq .findings\n",
                              ""},
                             report_main};

}  // namespace peerscope
