// peerscope top: a session as it goes, on the full screen or as text.
#include <cstdio>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "cli/stop.hpp"
#include "cli/trace_files.hpp"
#include "session/exllama_feeder.hpp"
#include "session/json.hpp"
#include "session/monitor.hpp"
#include "session/replay.hpp"
#include "session/settings.hpp"
#include "tui/run.hpp"

namespace peerscope {
namespace {

struct TopOptions {
  std::string wanted;
  bool once = false, json = false, plain = false;
  double interval_s = 1.0;
  std::string no_screen;  // why there is text on a terminal where nobody asked for it
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
    // What was said before the first of them has been cleared away.
    if (style.colour && !options.no_screen.empty()) fmt::print("  top: {}\n", options.no_screen);
  }
  std::fflush(stdout);
}

// Text, again and again, or once.
int print_session(const TopOptions& options, const MonitorOptions& watch_options) {
  stop_on_interrupt();
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

int show(const tui::Watch& watch) {
  const Status shown = tui::run_screen(watch);
  if (shown) return 0;
  fmt::print(stderr, "peerscope top: {}\n", shown.error().message);
  return 2;
}

int show_session(const TopOptions& options, MonitorOptions watch_options) {
  tui::Watch watch;
  watch.interval_ns = static_cast<std::int64_t>(options.interval_s * 1e9);
  watch_options.publish_every_ns = watch.interval_ns;  // a snapshot that nobody sees is wasted
  MonitorThread monitor(watch_options);
  watch.latest = [&monitor] { return monitor.latest(); };
  watch.reading = [&monitor] { return monitor.machine_reading(); };
  watch.publish_every = [&monitor](std::int64_t ns) { monitor.publish_every(ns); };
  watch.session = watch_options.collect.sessions.front();
  if (watch_options.collect.sessions.size() > 1)
    watch.session += fmt::format(" and {} more", watch_options.collect.sessions.size() - 1);
  return show(watch);
}

std::optional<Snapshot> load_recording(const std::string& path, const Config& config) {
  const auto trace = open_trace("top", path);
  if (!trace) return std::nullopt;
  auto snapshot = stored_snapshot(*trace);
  if (snapshot) return snapshot;
  Progress progress("reading " + path, trace->operations());
  auto read =
      replay(*trace, monitor_options(config), [&](std::uint64_t done) { progress.update(done); });
  if (read) return std::move(*read);
  fmt::print(stderr, "peerscope top: {}\n", read.error().message);
  return std::nullopt;
}

int top_recording(const TopOptions& options, const Config& config, bool full_screen) {
  auto loaded = load_recording(options.wanted, config);
  if (!loaded) return 2;
  const auto snapshot = std::make_shared<const Snapshot>(std::move(*loaded));
  if (!full_screen) {
    TopOptions once = options;
    once.once = true;
    print(*snapshot, once);
    return 0;
  }
  tui::Watch watch;
  watch.latest = [&snapshot] { return snapshot; };
  watch.reading = [] { return nullptr; };
  watch.publish_every = [](std::int64_t) {};
  watch.session = options.wanted.substr(options.wanted.rfind('/') + 1);
  watch.recording = true;
  return show(watch);
}

// On a terminal, unless somebody wants text. Says why if it cannot be.
bool wants_screen(TopOptions& options) {
  if (options.once || options.json || options.plain || isatty(STDOUT_FILENO) == 0) return false;
  const Status ready = tui::screen_ready();
  if (ready) return true;
  options.no_screen = ready.error().message;
  fmt::print(stderr, "peerscope top: {}\n", options.no_screen);
  return false;
}

int top_main(Args& args) {
  TopOptions options;
  args.positional("session", options.wanted,
                  "a .pscope file, or a session: its id or the beginning of one, or 'all' "
                  "(default: the newest)");
  args.flag("--once", options.once, "print once and end");
  args.flag("--json", options.json, "print JSON: one object with --once, else one a line");
  args.flag("--plain", options.plain, "print text again and again, not the full screen");
  args.setting("--interval", "monitor.interval");
  if (const auto status = args.parse()) return *status;
  const Config& config = args.config();
  options.interval_s = static_cast<double>(config.duration_ns("monitor.interval")) / 1e9;
  if (names_a_file(options.wanted)) {
    const bool full_screen = wants_screen(options);
    return top_recording(options, config, full_screen);
  }
  const Result<std::vector<std::string>> sessions = select_sessions(options.wanted);
  if (!sessions) {
    fmt::print(stderr, "peerscope top: {}\n", sessions.error().message);
    return 2;
  }
  MonitorOptions watch_options = monitor_options(config);
  watch_options.collect.sessions = *sessions;
  watch_options.machine = machine_options(config);
  watch_options.feeders = session_feeders(config, *sessions);
  return wants_screen(options) ? show_session(options, std::move(watch_options))
                               : print_session(options, watch_options);
}

}  // namespace

const Command kTopCommand{
    {"top", "watch a session as it goes",
     "  peerscope top                    the newest session, on the full screen\n"
     "  peerscope top run.pscope         a recording\n"
     "  peerscope top --plain            text, once a second\n"
     "  peerscope top --once --json      one look, for scripts\n",
     ""},
    top_main};

}  // namespace peerscope
