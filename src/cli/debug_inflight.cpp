// peerscope debug inflight: what is open now, one group a collective.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/debug_hang.hpp"
#include "session/debug_json.hpp"

namespace peerscope {
namespace {

int debug_inflight_main(Args& args) {
  std::string wanted;
  bool json = false;
  int last = 16;
  args.positional("session", wanted, kDebugSourceHelp);
  args.integer("--last", last, 1, 100'000, "print the oldest so many");
  args.flag("--json", json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  auto source =
      open_debug_source("debug inflight", wanted, args.config(), make_debug_watch(args.config()));
  if (!source) return 2;
  const std::vector<InFlightGroup> groups = in_flight_groups(*source->snapshot);
  if (json) {
    nlohmann::json out = {{"live", source->live},
                          {"operations", source->snapshot->in_flight.size()},
                          {"groups", nlohmann::json::array()}};
    for (const InFlightGroup& group : groups) out["groups"].push_back(group_json(group, *source));
    print_json(out);
    return 0;
  }
  const Style style = terminal_style();
  if (groups.empty()) {
    fmt::print("  Nothing is in flight{}.\n", source->live ? "" : "; the session is over");
    return 0;
  }
  fmt::print("  {} operation{} in flight\n\n", format_count(source->snapshot->in_flight.size()),
             source->snapshot->in_flight.size() == 1 ? "" : "s");
  std::size_t shown = 0;
  for (const InFlightGroup& group : groups) {
    if (shown == static_cast<std::size_t>(last)) break;
    ++shown;
    if (group.hang) fmt::print("{}", finding_text(*group.hang, style));
    fmt::print("{}\n", group_text(group, *source, style));
  }
  if (shown < groups.size()) fmt::print("  and {} more: see --json\n", groups.size() - shown);
  return 0;
}

}  // namespace

const Command kDebugInflightCommand{
    {"debug inflight",
     "operations that are open now (or were when the process died), by collective",
     "  peerscope debug inflight                  the newest session\n"
     "  peerscope debug inflight run.pscope       what was open when the recording ended\n"
     "  peerscope debug inflight --json | jq '.groups[] | {operation, sequence, age_s}'\n",
     ""},
    debug_inflight_main};

}  // namespace peerscope
