// peerscope debug events: what happened, as a log; live, of the past, from a file.
#include <algorithm>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/debug_source.hpp"
#include "cli/event_command.hpp"
#include "cli/render.hpp"
#include "cli/stop.hpp"
#include "session/debug_json.hpp"

namespace peerscope {
namespace {

struct EventsOptions {
  std::string wanted, severity = "info", kind, exec;
  int rank = -1, last = 200;
  bool follow = false, json = false;
};

const char* mark(EventSeverity severity) {
  constexpr const char* kMarks[] = {"·", "·", "●", "▲", "■", "■"};
  return kMarks[static_cast<int>(severity)];
}
const char* colour_of(EventSeverity severity) {
  constexpr const char* kCodes[] = {"2", "2", "36", "33;1", "31;1", "31;1"};
  return kCodes[static_cast<int>(severity)];
}

std::string line_of(const DebugEvent& event, std::int64_t real_offset_ns, const Style& style) {
  constexpr std::size_t kIndent = 26;  // columns before the text
  std::string text = event.text;
  // A program's own event: its value is all that it says.
  if (event.value && event.unit.empty()) text += fmt::format(" {:.17g}", *event.value);
  if (!event.communicator.empty()) text += " · " + event.communicator;
  if (event.pid != 0 && event.rank == kNoRank &&
      text.find(std::to_string(event.pid)) == std::string::npos)
    text += fmt::format(" · pid {}", event.pid);
  const std::size_t width = static_cast<std::size_t>(std::max(style.width, 60)) - kIndent;
  return fmt::format("  {} {} {:<8} {}\n",
                     paint(style, "2", time_of_day(event.at_ns + real_offset_ns)),
                     paint(style, colour_of(event.severity), mark(event.severity)),
                     name(event.severity), wrap(text, width, std::string(kIndent, ' ')));
}

EventCommand::Variables variables_of(const DebugEvent& event) {
  const auto number = [](std::uint32_t value, std::uint32_t none) {
    return value == none ? std::string() : std::to_string(value);
  };
  return {{"PEERSCOPE_EVENT_SEVERITY", name(event.severity)},
          {"PEERSCOPE_EVENT_KIND", event.kind},
          {"PEERSCOPE_EVENT_TEXT", event.text},
          {"PEERSCOPE_EVENT_RANK", number(event.rank, kNoRank)},
          {"PEERSCOPE_EVENT_PEER", number(event.peer, kNoPeer)},
          {"PEERSCOPE_EVENT_DEVICE", number(event.device, kNoDevice)},
          {"PEERSCOPE_EVENT_PID", number(event.pid, 0)},
          {"PEERSCOPE_EVENT_COMMUNICATOR", event.communicator},
          {"PEERSCOPE_EVENT_OPERATION", event.operation},
          {"PEERSCOPE_EVENT_SEQUENCE", event.sequence ? std::to_string(*event.sequence) : ""}};
}

EventSeverity least_of(const EventsOptions& options) {
  return parse_event_severity(options.severity).value_or(EventSeverity::info);
}

bool passes(const DebugEvent& event, const EventsOptions& options) {
  return event.severity >= least_of(options) &&
         (options.kind.empty() || event.kind == options.kind) &&
         (options.rank < 0 || event.rank == options.rank);
}

void nap(std::int64_t ns) {
  const timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
  nanosleep(&time, nullptr);
}

void end_commands(EventCommand* commands) {
  if (commands == nullptr) return;
  commands->wait(EventCommand::kLongestS);
  if (commands->failed() + commands->skipped() > 0)
    fmt::print(stderr, "peerscope debug events: of {} commands {} failed; {} events were skipped\n",
               commands->ran(), commands->failed(), commands->skipped());
}

// As they come, until the session ends or Ctrl-C.
int follow(const EventsOptions& options, const Config& config, EventCommand* commands) {
  auto watch = make_debug_watch(config, least_of(options));
  const Style style = terminal_style();
  std::int64_t real_offset_ns = 0;
  std::vector<DebugEvent> come;
  watch->hook(EventSeverity::trace, [&](const DebugEvent& event) {
    if (passes(event, options)) come.push_back(event);
  });
  DebugSourceOptions with;
  with.machine = true;
  auto source = open_debug_source("debug events", options.wanted, config, watch, with);
  if (!source) return 2;
  constexpr std::int64_t kLookNs = 100'000'000;
  for (;;) {
    real_offset_ns = source->snapshot->real_offset_ns;
    for (const DebugEvent& event : come) {
      const nlohmann::json json = to_json(event, real_offset_ns);
      if (options.json)
        print_json(json, true);
      else
        fmt::print("{}", line_of(event, real_offset_ns, style));
      if (commands != nullptr)
        commands->add(variables_of(event),
                      json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    std::fflush(stdout);
    come.clear();
    if (commands != nullptr) commands->poll();
    if (!source->live || stop_requested()) break;
    for (std::int64_t slept_ns = 0; slept_ns < kLookNs && !stop_requested();) {
      const std::int64_t ns = source->monitor->next_poll_ns();
      nap(ns);
      slept_ns += ns;
      source->monitor->poll();
    }
    source->look();
  }
  end_commands(commands);
  return 0;
}

int once(const EventsOptions& options, const Config& config, EventCommand* commands) {
  auto source = open_debug_source("debug events", options.wanted, config,
                                  make_debug_watch(config, least_of(options)));
  if (!source) return 2;
  source->watch->finish();
  std::vector<DebugEvent> events = in_order(source->watch->log());
  std::erase_if(events, [&](const DebugEvent& event) { return !passes(event, options); });
  const auto most = static_cast<std::size_t>(options.last);
  const std::size_t left_out = events.size() > most ? events.size() - most : 0;
  events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(left_out));
  const std::int64_t real_offset_ns = source->snapshot->real_offset_ns;
  const EventLog& log = source->watch->log();
  nlohmann::json counts = nlohmann::json::object();
  for (const EventSeverity severity : kEventSeverities)
    counts[name(severity)] = log.count(severity);
  nlohmann::json out = {{"events", nlohmann::json::array()},
                        {"counts", counts},
                        {"held_back", log.held_back()},
                        {"left_out", left_out},
                        {"forgotten", log.forgotten() + source->watch->overrun()}};
  for (const DebugEvent& event : events) {
    const nlohmann::json json = to_json(event, real_offset_ns);
    if (commands != nullptr)
      commands->add(variables_of(event),
                    json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    out["events"].push_back(json);
  }
  if (options.json) {
    print_json(out);
  } else {
    const Style style = terminal_style();
    if (left_out > 0)
      fmt::print("  {} earlier ones are left out: --last {}\n", format_count(left_out),
                 left_out + most);
    for (const DebugEvent& event : events) fmt::print("{}", line_of(event, real_offset_ns, style));
    if (events.empty())
      fmt::print("  No event of severity {} or above{}. All: --severity trace\n", options.severity,
                 options.kind.empty() ? "" : " of kind " + options.kind);
    if (log.held_back() > 0)
      fmt::print("  {}",
                 paint(style, "2",
                       fmt::format("{} were alike and came faster than {} a second: said as "
                                   "\"and N more\"\n",
                                   format_count(log.held_back()),
                                   config.integer("debug.events_per_second"))));
  }
  std::fflush(stdout);
  end_commands(commands);
  return 0;
}

int debug_events_main(Args& args) {
  EventsOptions options;
  args.positional("session", options.wanted, kDebugSourceHelp);
  args.choice("--severity", options.severity,
              {"trace", "debug", "info", "warning", "error", "critical"}, "at least this");
  args.text("--kind", options.kind,
            "only these: operation_failed, recovered, mismatch, process_died, link_down, a "
            "finding's kind, or a program's own name");
  args.integer("--rank", options.rank, -1, 65534, "only of this rank (-1: all)");
  args.integer("--last", options.last, 1, 1'000'000, "the latest so many");
  args.flag("-f,--follow", options.follow,
            "go on with what happens, until the session ends; with --json one object a line");
  args.text("--exec", options.exec,
            "run this shell command for each event that passes: $PEERSCOPE_EVENT_TEXT, _SEVERITY, "
            "_KIND, _RANK, ...; the event as JSON on its standard input");
  args.flag("--json", options.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  stop_on_interrupt();
  std::optional<EventCommand> commands;
  if (!options.exec.empty()) commands.emplace(options.exec);
  EventCommand* const exec = commands ? &*commands : nullptr;
  return options.follow ? follow(options, args.config(), exec) : once(options, args.config(), exec);
}

}  // namespace

const Command kDebugEventsCommand{
    {"debug events", "what happened: failures, findings, processes, links, a program's own events",
     "  peerscope debug events                        the newest session\n"
     "  peerscope debug events run.pscope --severity warning\n"
     "  peerscope debug events --follow --severity error \\\n"
     "    --exec 'notify-send \"$PEERSCOPE_EVENT_TEXT\"'\n"
     "  peerscope debug events --json | jq '.events[] | select(.rank == 2)'\n",
     ""},
    debug_events_main};

}  // namespace peerscope
