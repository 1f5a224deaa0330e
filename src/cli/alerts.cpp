// peerscope alerts: what is wrong for long enough, as it fires and as it ends; and whether anybody would hear of it.
#include <cstdio>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "analyze/alert/words.hpp"
#include "cli/commands.hpp"
#include "cli/debug_source.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "cli/state_dir.hpp"
#include "cli/stop.hpp"
#include "record/ticks.hpp"
#include "session/alerts/json.hpp"
#include "session/alerts/service.hpp"
#include "session/exllama_feeder.hpp"
#include "session/json.hpp"
#include "session/monitor.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

struct AlertsOptions {
  std::string wanted;
  bool once = false, json = false, history = false, check = false, test = false, deliver = false;
  double seconds = 0;
  int limit = 20;
};

int complain(const std::string& sentence, int status = 2) {
  fmt::print(stderr, "peerscope alerts: {}\n", sentence);
  return status;
}

std::string mark_of(const Alert& alert, const Style& style) {
  if (alert.state == AlertState::resolved) return paint(style, "32", "● resolved");
  if (alert.state == AlertState::pending) return "○ pending ";
  return alert.severity == Severity::critical  ? paint(style, "31;1", "■ critical")
         : alert.severity == Severity::warning ? paint(style, "33", "▲ warning ")
                                               : "● info    ";
}

std::string alert_text(const Alert& alert, const Style& style) {
  const std::int64_t at_ns = alert.state == AlertState::resolved ? alert.resolved_ns
                             : alert.state == AlertState::firing ? alert.fired_ns
                                                                 : alert.since_ns;
  std::string quiet;
  if (!alert.silenced_by.empty())
    quiet = " (silenced)";
  else if (!alert.inhibited_by.empty())
    quiet = fmt::format(" (kept quiet by {})", alert.inhibited_by);
  const std::string text = fmt::format("{}{}: {}", alert.rule, quiet, alert.sentence);
  const std::string indent(6, ' ');
  std::string out = fmt::format("  {} {}\n      {}\n", time_of_day(at_ns + alert.real_offset_ns),
                                mark_of(alert, style),
                                wrap(text, static_cast<std::size_t>(style.width) - 6, indent));
  if (!alert.action.empty() && alert.state != AlertState::resolved)
    out +=
        fmt::format("      -> {}\n",
                    wrap(alert.action, static_cast<std::size_t>(style.width) - 9, indent + "   "));
  return out;
}

// ---- rules --------------------------------------------------------------------------------------

int check(const AlertSettings& settings, const AlertsOptions& options) {
  json rules = json::array();
  for (const Rule& rule : settings.rules) {
    rules.push_back(to_json(RuleView{rule, AlertState::inactive}));
    rules.back().erase("state");
    if (!options.json)
      fmt::print("  {}\n      {}\n      from {}\n", paint(terminal_style(), "1", rule.name),
                 rule_meaning(rule), rule.origin);
  }
  if (options.json)
    print_json({{"rules", rules}});
  else
    fmt::print("  {} rule{} right\n", settings.rules.size(),
               settings.rules.size() == 1 ? " is" : "s are");
  return 0;
}

// ---- receivers ----------------------------------------------------------------------------------

int test(AlertSettings settings, const AlertsOptions& options) {
  settings.rules.clear();
  settings.history.path.clear();
  settings.receivers.retry_for_ns = 0;  // once is enough to know
  const std::int64_t patience_ns = settings.receivers.timeout_ns + 5'000'000'000;
  AlertService service(std::move(settings));
  service.send_test(static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME)));
  service.drain(patience_ns);
  const auto state = service.state();
  if (state->deliveries.empty())
    return complain(
        "no receiver is configured; set alert.log, alert.command, alert.webhook_url, "
        "alert.smtp_url or alert.alertmanager_url",
        1);
  bool all = true;
  json receivers = json::array();
  for (const DeliveryView& view : state->deliveries) {
    const bool ok = view.delivered == 1;
    all = all && ok;
    const std::string detail = ok                  ? ""
                               : view.last.empty() ? "it has not answered"
                                                   : view.last.back().detail;
    receivers.push_back({{"receiver", view.receiver},
                         {"target", view.target},
                         {"ok", ok},
                         {"detail", detail.empty() ? json(nullptr) : json(detail)}});
    if (!options.json)
      fmt::print("  {:<12} {}: {}\n", view.receiver, view.target,
                 ok ? "took the test alert" : "FAILED: " + detail);
  }
  if (options.json) print_json({{"receivers", receivers}});
  return all ? 0 : 1;
}

// ---- the past -----------------------------------------------------------------------------------

int history(const AlertSettings& settings, const AlertsOptions& options) {
  if (settings.history.path.empty()) return complain("no history is kept: alert.history is none");
  HistoryQuery query;
  query.limit = static_cast<std::size_t>(options.limit);
  const Result<HistoryPage> page = read_history(settings.history.path, query);
  if (!page) return complain(page.error().message);
  const json all = to_json(*page);
  if (options.json) {
    print_json(all);
    return 0;
  }
  if (page->items.empty()) fmt::print("  No alert is in {}.\n", settings.history.path);
  for (const json& item : all["items"]) {
    const json& alert = item["alert"];
    if (!alert.is_object()) continue;
    fmt::print("  {}  {:<8}  {:<8}  {}: {}\n", item["at"].get<std::string>(),
               alert.value("state", ""), alert.value("severity", ""), alert.value("rule", ""),
               alert.value("sentence", ""));
  }
  if (!page->next.empty()) fmt::print("  … and more: --limit\n");
  return 0;
}

// ---- watching -----------------------------------------------------------------------------------

void print_change(const Alert& alert, const AlertsOptions& options) {
  if (options.json)
    print_json(to_json(alert), true);
  else if (alert.state != AlertState::pending)
    fmt::print("{}", alert_text(alert, terminal_style()));
  std::fflush(stdout);
}

int print_once(const AlertsState& state, const AlertsOptions& options) {
  bool fires = false;
  for (const Alert& alert : state.alerts) {
    fires = fires || alert.state == AlertState::firing;
    if (!options.json) fmt::print("{}", alert_text(alert, terminal_style()));
  }
  if (options.json)
    print_json(to_json(state));
  else if (state.alerts.empty())
    fmt::print("  No alert: {} rule{} judged.\n", state.rules.size(),
               state.rules.size() == 1 ? "" : "s");
  return fires ? 1 : 0;
}

// Looks every publish interval until the time is over, the session has ended or somebody stops it.
void watch(Monitor& monitor, AlertService& service, const Config& config, double seconds) {
  const std::int64_t every_ns = config.duration_ns("monitor.publish_interval");
  const auto now_ns = [] { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); };
  const std::int64_t end_ns =
      seconds > 0 ? now_ns() + static_cast<std::int64_t>(seconds * 1e9) : INT64_MAX;
  std::int64_t next_ns = now_ns();
  do {
    monitor.poll();
    if (now_ns() >= next_ns) {
      service.look(*monitor.snapshot());
      next_ns = now_ns() + every_ns;
    }
    const std::int64_t nap_ns = std::min(monitor.next_poll_ns(), every_ns);
    const timespec nap{nap_ns / 1'000'000'000, nap_ns % 1'000'000'000};
    nanosleep(&nap, nullptr);
  } while (!stop_requested() && now_ns() < end_ns && monitor.collector().any_live());
  monitor.poll();
  service.look(*monitor.snapshot());
}

int judge(AlertSettings settings, const AlertsOptions& options, const Config& config) {
  const Result<std::vector<std::string>> sessions = select_sessions(options.wanted);
  if (!sessions) return complain(sessions.error().message);
  if (settings.rules.empty())
    return complain(
        "there is no rule: alert.enabled is false, or alert.finding_severity is off and nothing "
        "else is set");
  stop_on_interrupt();
  MonitorOptions with = monitor_options(config);
  with.collect.sessions = *sessions;
  with.machine = machine_options(config);
  with.feeders = session_feeders(config, *sessions);
  Monitor monitor(with);
  if (!options.deliver) settings.history.path.clear();  // who delivers writes it
  AlertService service(std::move(settings), options.deliver);
  if (!options.once) service.on_change([&](const Alert& alert) { print_change(alert, options); });
  if (!options.once && !options.json)
    fmt::print("  {} rules; alerts appear as they fire and as they end\n",
               service.state()->rules.size());
  std::fflush(stdout);
  watch(monitor, service, config, options.seconds > 0 ? options.seconds : options.once ? 3.0 : 0.0);
  if (!service.state()->history_note.empty()) complain(service.state()->history_note);
  return options.once ? print_once(*service.state(), options) : 0;
}

int alerts_main(Args& args) {
  AlertsOptions options;
  args.positional("session", options.wanted,
                  "id or the beginning of one, or 'all' (default: the newest)");
  args.flag("--once", options.once,
            "look for 3 s (--seconds), print what is pending and what fires, end");
  args.flag("--deliver", options.deliver, "to the configured receivers and the history, too");
  args.real("--seconds", options.seconds, 0, 1e9, "end after so long");
  args.flag("--check", options.check, "are the rules right, and what do they wait for?");
  args.flag("--test", options.test, "send a test alert to every receiver, and say how it went");
  args.flag("--history", options.history, "print past alerts, the newest first");
  args.integer("--limit", options.limit, 1, static_cast<int>(kMostHistoryPage),
               "with --history: at most so many");
  args.flag("--json", options.json,
            "print JSON: one object with --once, --check, --test and --history, else one a line");
  if (const auto status = args.parse()) return *status;
  if (options.once + options.check + options.test + options.history > 1)
    return complain("--once, --check, --test and --history do not go together");
  const Result<std::string> state = state_directory();
  const Result<AlertSettings> settings = alert_settings(args.config(), state ? *state : "");
  if (!settings) return complain(settings.error().message);
  if (options.check) return check(*settings, options);
  if (options.test) return test(*settings, options);
  if (options.history) return history(*settings, options);
  return judge(*settings, options, args.config());
}

}  // namespace

const Command kAlertsCommand{
    {"alerts", "judge rules while a session goes on: what fires, and what is over",
     "  peerscope alerts                         the newest session, as it goes\n"
     "  peerscope alerts --once --json           a look of 3 s, for scripts\n"
     "  peerscope alerts --deliver               and tell the configured receivers\n"
     "  peerscope alerts --check                 are the rules right?\n"
     "  peerscope alerts --set 'alert.rules=p99(all_reduce, device) > 200us for 10s'\n",
     "1 with --once: something fires; with --test: a receiver did not take it"},
    alerts_main};

}  // namespace peerscope
