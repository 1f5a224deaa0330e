// peerscope profile: a marked session, a window of time, or a whole run.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/profile_open.hpp"
#include "cli/profile_views.hpp"
#include "cli/progress.hpp"
#include "cli/state_dir.hpp"
#include "cli/stop.hpp"
#include "session/profile_json.hpp"

namespace peerscope {
namespace {

struct ProfileArguments {
  std::string wanted, name, from, to, html;
  double seconds = 0;
  bool list = false, json = false;
};

int refuse_profile(const std::string& why) {
  fmt::print(stderr, "peerscope profile: {}\n", why);
  return 2;
}

int list_sessions(OpenedSource& opened, const ProfileArguments& arguments) {
  const Result<ProfileSurvey> survey = opened.source->survey();
  if (!survey) return refuse_profile(survey.error().message);
  if (arguments.json) {
    fmt::print("{}\n",
               to_json(*survey).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{}", survey_text(*survey, opened.source->name(), terminal_style()));
  }
  return 0;
}

Result<Profiled> make_profile(OpenedSource& opened, const ProfileArguments& arguments) {
  const auto from = read_seconds("--from", arguments.from);
  if (!from) return from.error();
  const auto to = read_seconds("--to", arguments.to);
  if (!to) return to.error();
  if (arguments.seconds > 0) {
    stop_on_interrupt();
    return profile_from_now(opened.monitor, arguments.seconds, stop_requested);
  }
  const std::uint64_t operations = opened.trace ? opened.trace->operations() : 0;
  Progress progress("reading " + opened.source->name(), operations);
  return profile(*opened.source, {arguments.name, *from, *to}, opened.monitor.aggregate,
                 [&](std::uint64_t done) { progress.update(done); });
}

std::string fault_of(const ProfileArguments& arguments) {
  const bool window = !arguments.from.empty() || !arguments.to.empty();
  if (!arguments.name.empty() && window)
    return "--name is a session, --from and --to are a window of time: give one of them";
  if (arguments.seconds > 0 && (window || !arguments.name.empty()))
    return "--seconds is a window from now on: leave out --name, --from and --to";
  return {};
}

int profile_main(Args& args) {
  ProfileArguments arguments;
  args.positional("session", arguments.wanted,
                  "a .pscope file, or a session: its id or the beginning of one (default: the "
                  "newest)");
  args.text("--name", arguments.name, "the profile session to report: what the program marked");
  args.text("--from", arguments.from,
            "begin of the window, in seconds since the first operation; -2 counts from the end");
  args.text("--to", arguments.to, "its end (default: the run's)");
  args.real("--seconds", arguments.seconds, 0, 86400, "watch a live session for so long, from now");
  args.flag("--list", arguments.list, "list the sessions that are marked");
  args.flag("--json", arguments.json, "print one JSON object");
  args.text("--html", arguments.html, "write a page with charts to this file");
  if (const auto status = args.parse()) return *status;
  if (const std::string fault = fault_of(arguments); !fault.empty()) return refuse_profile(fault);
  Result<OpenedSource> opened = open_profile_source(arguments.wanted, args.config());
  if (!opened) return refuse_profile(opened.error().message);
  if (arguments.list) return list_sessions(*opened, arguments);
  if (arguments.seconds > 0 && opened->trace)
    return refuse_profile("--seconds watches a live session, and " + arguments.wanted +
                          " is a file: use --from and --to");
  const Result<Profiled> made = make_profile(*opened, arguments);
  if (!made) return refuse_profile(made.error().message);
  if (!arguments.html.empty()) {
    if (const Status written = write_file(arguments.html, profile_html(made->report)); !written)
      return refuse_profile(written.error().message);
  }
  if (arguments.json) {
    fmt::print("{}\n",
               to_json(made->report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{}", profile_text(made->report, terminal_style()));
    if (!arguments.html.empty()) fmt::print("  wrote {}\n", arguments.html);
  }
  return 0;
}

}  // namespace

const Command kProfileCommand{
    {"profile", "a marked session, a window of time or a whole run, in detail",
     "  peerscope profile --list                       what the newest session has marked\n"
     "  peerscope profile run.pscope --name decode     one of them\n"
     "  peerscope profile run.pscope --from 2 --to 3.5 --html p.html\n"
     "  peerscope profile --seconds 5                  what happens now\n"
     "  peerscope profile compare before.pscope after.pscope\n",
     ""},
    profile_main};

}  // namespace peerscope
