// peerscope record: a live session, written to a trace file from outside.
#include <cstdio>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "cli/stop.hpp"
#include "cli/trace_files.hpp"
#include "session/exllama_feeder.hpp"
#include "session/monitor.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

struct RecordOptions {
  std::string wanted, out;
  double seconds = 0;
  bool json = false;
};

std::int64_t now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

void print_progress(const TraceView& view, std::int64_t begin_ns) {
  const double seconds = static_cast<double>(now_ns() - begin_ns) / 1e9;
  std::string line = fmt::format("  {:.0f} s · {} operations · {} on disk", seconds,
                                 format_count(view.operations), format_bytes(view.bytes));
  if (view.suspended)
    line += fmt::format(" · DISK FULL, {} not written", format_count(view.not_written));
  fmt::print(stderr, "\r{} \x1b[K", line);
}

// Until all processes have ended, the time is over, or somebody says stop.
void follow(Monitor& monitor, const Recording& recording, const RecordOptions& options) {
  const std::int64_t begin_ns = now_ns();
  const std::int64_t end_ns =
      options.seconds > 0 ? begin_ns + static_cast<std::int64_t>(options.seconds * 1e9) : INT64_MAX;
  const bool live = isatty(STDERR_FILENO) != 0 && !options.json;
  std::int64_t next_line_ns = 0;
  while (!stop_requested() && now_ns() < end_ns) {
    monitor.poll();
    if (!monitor.collector().any_live()) break;
    if (live && now_ns() >= next_line_ns) {
      print_progress(recording.view(), begin_ns);
      next_line_ns = now_ns() + 500'000'000;
    }
    const std::int64_t nap_ns = monitor.next_poll_ns();
    const timespec nap{nap_ns / 1'000'000'000, nap_ns % 1'000'000'000};
    nanosleep(&nap, nullptr);
  }
  if (live) fmt::print(stderr, "\r\x1b[K");
}

int record_main(Args& args) {
  RecordOptions options;
  args.positional("session", options.wanted,
                  "id or the beginning of one, or 'all' (default: the newest)");
  args.text("-o,--out", options.out, "the file (default: SESSION.pscope in trace.dir)");
  args.real("--seconds", options.seconds, 0, 1e9,
            "stop after this time (default: when the session ends)");
  args.flag("--json", options.json, "print one JSON object at the end");
  if (const auto status = args.parse()) return *status;
  const Result<std::vector<std::string>> sessions = select_sessions(options.wanted);
  if (!sessions) {
    fmt::print(stderr, "peerscope record: {}\n", sessions.error().message);
    return 2;
  }
  const Config& config = args.config();
  if (options.out.empty()) {
    const std::string dir = trace_settings(config).dir;
    std::error_code error;
    if (!dir.empty()) std::filesystem::create_directories(dir, error);
    options.out = (dir.empty() ? "" : dir + "/") + sessions->front() + ".pscope";
  }
  auto recording =
      start_recording(config, options.out, fmt::format("peerscope record {}", sessions->front()));
  if (!recording) {
    fmt::print(stderr, "peerscope record: {}\n", recording.error().message);
    return 2;
  }
  stop_on_interrupt();
  MonitorOptions watch = monitor_options(config);
  watch.collect.sessions = *sessions;
  watch.collect.on_attach = [change = attach_control(config)] { return change; };
  watch.recording = *recording;
  watch.machine = machine_options(config);
  watch.feeders = session_feeders(config, *sessions);
  Monitor monitor(watch);
  follow(monitor, **recording, options);
  monitor.poll();
  monitor.finish();
  const TraceView view = (*recording)->view();
  if (options.json) {
    fmt::print("{}\n", nlohmann::json{{"path", view.path},
                                      {"operations", view.operations},
                                      {"bytes", view.bytes},
                                      {"not_written", view.not_written},
                                      {"lost", monitor.snapshot()->lost}}
                           .dump(2));
  } else {
    fmt::print("{}", recorded_line(view));
    fmt::print("  next: peerscope report {0}   peerscope export {0} --to perfetto\n", view.path);
  }
  return view.suspended ? 1 : 0;
}

}  // namespace

const Command kRecordCommand{
    {"record", "write a live session to a trace file, from outside",
     "  peerscope record --out run.pscope             the newest session, until it ends\n"
     "  peerscope record demo --seconds 10 -o d.pscope\n"
     "  peerscope record --set trace.max_bytes=1G     keep the newest gigabyte\n",
     "1 the disk was full at the end"},
    record_main};

}  // namespace peerscope
