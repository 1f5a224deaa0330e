// peerscope top: a session as it goes. `--once` for scripts; the full-screen view is a later part.
#include <csignal>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "cli/stop.hpp"
#include "session/exllama_feeder.hpp"
#include "session/json.hpp"
#include "session/monitor.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

struct TopOptions {
  std::string wanted;
  bool once = false, json = false;
  double interval_s = 1.0;
};

// Watches for `seconds`, so that rates are rates.
std::shared_ptr<const Snapshot> watch(Monitor& monitor, double seconds) {
  const std::int64_t end_ns = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) +
                              static_cast<std::int64_t>(seconds * 1e9);
  while (static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) < end_ns && !stop_requested()) {
    monitor.poll();
    const std::int64_t nap_ns = monitor.next_poll_ns();
    const timespec nap{nap_ns / 1'000'000'000, nap_ns % 1'000'000'000};
    nanosleep(&nap, nullptr);
  }
  monitor.poll();
  return monitor.snapshot();
}

void print(const Snapshot& snapshot, const TopOptions& options) {
  if (options.json) {
    fmt::print("{}\n", to_json(snapshot).dump(options.once ? 2 : -1));
  } else {
    const Style style = terminal_style();
    if (!options.once && style.colour) fmt::print("\x1b[H\x1b[2J");
    fmt::print("{}\n{}", sessions_table(snapshot, style), report(snapshot, style));
  }
  std::fflush(stdout);
}

int top_main(Args& args) {
  TopOptions options;
  args.positional("session", options.wanted,
                  "id or the beginning of one, or 'all' (default: the newest)");
  args.flag("--once", options.once, "print once and end");
  args.flag("--json", options.json, "print JSON: one object with --once, else one a line");
  args.setting("--interval", "monitor.interval");
  if (const auto status = args.parse()) return *status;
  const Result<std::vector<std::string>> sessions = select_sessions(options.wanted);
  if (!sessions) {
    fmt::print(stderr, "peerscope top: {}\n", sessions.error().message);
    return 2;
  }
  options.interval_s = static_cast<double>(args.config().duration_ns("monitor.interval")) / 1e9;
  stop_on_interrupt();
  MonitorOptions watch_options = monitor_options(args.config());
  watch_options.collect.sessions = *sessions;
  watch_options.machine = machine_options(args.config());
  watch_options.feeders = session_feeders(args.config(), *sessions);
  Monitor monitor(watch_options);
  monitor.poll();
  if (options.once) {
    print(*watch(monitor, monitor.collector().any_live() ? std::min(options.interval_s, 1.0) : 0),
          options);
    return 0;
  }
  while (!stop_requested()) {
    print(*watch(monitor, options.interval_s), options);
    if (!monitor.collector().any_live()) break;
  }
  return 0;
}

}  // namespace

const Command kTopCommand{{"top", "watch a session as it goes",
                           "  peerscope top                    the newest session, once a second\n"
                           "  peerscope top --once --json      one look, for scripts\n",
                           ""},
                          top_main};

}  // namespace peerscope
