// peerscope demo: see in five seconds what this is for.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/dashboard.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "cli/stop.hpp"
#include "cli/trace_files.hpp"
#include "cli/workload.hpp"
#include "session/json.hpp"
#include "session/monitor.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

struct DemoOptions {
  WorkloadOptions work;
  std::string slow_rank = "2", out;
  double slow_after_s = -1, slow_by_us = -1;
  bool json = false, quiet = false, serve = false;
};

struct Seen {
  double first_finding_s = -1;  // since the workload began
  std::shared_ptr<const Snapshot> last;
};

// Enough to stand out from the noise: where many ranks share a processor, each waits for its turn.
double default_slow_by_us(int ranks) {
  const double processors = std::max(1U, std::thread::hardware_concurrency());
  return 250.0 * std::max(1.0, ranks / (2.0 * processors));
}

// -1 and "none": nobody. Else a rank that exists.
bool read_slow_rank(DemoOptions& options) {
  if (options.slow_rank == "none" || options.slow_rank == "-1") {
    options.work.slow_rank = -1;
    return true;
  }
  char* end = nullptr;
  const long rank = std::strtol(options.slow_rank.c_str(), &end, 10);
  if (options.slow_rank.empty() || *end != '\0' || rank < 0 || rank >= options.work.ranks)
    return false;
  options.work.slow_rank = static_cast<int>(rank);
  return true;
}

void print_heading(const DemoOptions& options) {
  const WorkloadOptions& work = options.work;
  fmt::print("  {} ranks on host memory · all_reduce {} × {} per token · {:.3g} s\n", work.ranks,
             format_bytes(work.bytes), 2 * work.layers, work.duration_s);
  if (work.slow_rank >= 0) {
    fmt::print("  rank {} computes {} longer from {:.3g} s on\n", work.slow_rank,
               format_duration(work.slow_by_us * 1e3), work.slow_after_s);
  }
  fmt::print("\n");
  std::fflush(stdout);
}

// One line that renews itself, on a terminal only.
void print_progress(const Snapshot& snapshot, double elapsed_s, double duration_s) {
  constexpr int kWidth = 24;
  const double share = std::min(elapsed_s / duration_s, 1.0);
  const int filled = static_cast<int>(share * kWidth);
  std::string bar;
  for (int i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
  std::uint64_t operations = 0;
  for (const ProcessView& process : snapshot.processes) operations += process.operations;
  fmt::print("\r  {} {:.1f} of {:.3g} s · {} operations · {} \x1b[K", bar, elapsed_s, duration_s,
             format_count(operations),
             format_rate(elapsed_s > 0 ? static_cast<double>(operations) / elapsed_s : 0));
  std::fflush(stdout);
}

bool names_straggler(const Snapshot& snapshot) {
  return std::any_of(snapshot.findings.begin(), snapshot.findings.end(),
                     [](const Finding& finding) { return finding.kind == "straggler"; });
}

// Watches until the workload's time is over. Says what it finds when it finds it.
Seen watch(MonitorThread& monitor, const DemoOptions& options) {
  Seen seen;
  const Style style = terminal_style();
  const bool live = isatty(STDOUT_FILENO) != 0 && !options.json && !options.quiet;
  for (;;) {
    usleep(50'000);
    seen.last = monitor.latest();
    const std::int64_t start_ns = workload_start_ns();
    const double elapsed_s =
        start_ns == 0
            ? 0
            : static_cast<double>(static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) - start_ns) /
                  1e9;
    if (seen.first_finding_s < 0 && start_ns != 0 && names_straggler(*seen.last)) {
      seen.first_finding_s = elapsed_s;
      if (!options.json && !options.quiet) {
        fmt::print("{}  {:.1f} s after the start:\n{}\n", live ? "\r\x1b[K" : "", elapsed_s,
                   verdict(*seen.last, style));
        std::fflush(stdout);
      }
    }
    if (live && start_ns != 0) print_progress(*seen.last, elapsed_s, options.work.duration_s);
    if (elapsed_s >= options.work.duration_s || stop_requested()) break;
    const auto& processes = seen.last->processes;
    const bool over =
        !processes.empty() && processes.size() == static_cast<std::size_t>(options.work.ranks) &&
        std::none_of(processes.begin(), processes.end(),
                     [](const ProcessView& p) { return p.state == ProcessState::live; });
    if (over) break;
  }
  if (live) fmt::print("\r\x1b[K");
  return seen;
}

nlohmann::json demo_json(const Seen& seen) {
  nlohmann::json out = to_json(*seen.last);
  out["first_finding_s"] =
      seen.first_finding_s < 0 ? nlohmann::json(nullptr) : nlohmann::json(seen.first_finding_s);
  return out;
}

int finish(const DemoOptions& options, const Seen& seen) {
  const Style style = terminal_style();
  const nlohmann::json json = demo_json(seen);
  if (wants_report(options.out)) {
    std::ofstream file(options.out);
    file << json.dump(2) << '\n';
    if (!file.flush()) {
      fmt::print(stderr, "peerscope demo: cannot write {}: {}\n", options.out,
                 std::strerror(errno));
      return 2;
    }
  }
  if (options.json) {
    fmt::print("{}\n", json.dump(2));
  } else if (options.quiet) {
    fmt::print("{}", verdict(*seen.last, style));
  } else {
    fmt::print(
        "{}\n  next: peerscope demo --serve (browser)   peerscope top   peerscope report   "
        "peerscope run -- CMD\n",
        report(*seen.last, style));
  }
  return 0;
}

// In the browser, until Ctrl-C.
int serve_demo(const DemoOptions& options, const std::vector<pid_t>& ranks, Args& args) {
  DashboardOptions how = dashboard_options(args.config());
  how.sessions = {options.work.session};
  how.id = options.work.session;
  how.command = args.command();
  Result<std::unique_ptr<Dashboard>> dashboard = Dashboard::start(how, args.config());
  if (!dashboard) {
    fmt::print(stderr, "peerscope demo: {}\n", dashboard.error().message);
    finish_workload(ranks, true);
    return 2;
  }
  print_address("demo", **dashboard, how.id, options.json, options.quiet);
  while (!stop_requested()) usleep(50'000);
  dashboard->reset();
  const WorkloadEnd end = finish_workload(ranks, true);
  return end.failed > 0 ? 1 : 0;
}

int demo_main(Args& args) {
  DemoOptions options;
  args.integer("--ranks", options.work.ranks, 2, 64, "processes that talk to each other");
  args.real("--duration", options.work.duration_s, 0.5, 86400, "seconds");
  args.text("--slow-rank", options.slow_rank,
            "the rank that becomes slow, or none (default: 2, or the last)");
  args.real("--slow-after", options.slow_after_s, -1, 86400,
            "seconds (default: half of the duration, at most 1.5)");
  args.real(
      "--slow-by", options.slow_by_us, -1, 1e6,
      "microseconds before each all_reduce (default: 250, more where ranks share processors)");
  args.setting("-l,--level", "monitor.level");
  args.text("-o,--out", options.out, "write a trace to this file; to NAME.json: the report");
  args.flag("--serve", options.serve,
            "show it in the browser until Ctrl-C, with ranks that also send to each other");
  args.setting("-p,--port", "dashboard.port");
  args.flag("--json", options.json, "print one JSON object");
  args.flag("-q,--quiet", options.quiet, "print the verdict only");
  if (const auto status = args.parse()) return *status;
  if (options.slow_rank == "2" && options.work.ranks < 3)
    options.slow_rank = std::to_string(options.work.ranks - 1);
  if (!read_slow_rank(options)) {
    fmt::print(stderr, "peerscope demo: --slow-rank {}: there are ranks 0 to {}, or none\n",
               options.slow_rank, options.work.ranks - 1);
    return 2;
  }
  WorkloadOptions& work = options.work;
  if (options.serve && !options.out.empty()) {
    fmt::print(stderr,
               "peerscope demo: --serve goes on until Ctrl-C and keeps its own history; leave out "
               "--out, and export from the page\n");
    return 2;
  }
  if (options.serve) {
    constexpr double kUntilStopped = 1e7;
    work.duration_s = kUntilStopped;
    work.sends = true;
  }
  work.slow_after_s =
      options.slow_after_s >= 0 ? options.slow_after_s : std::min(work.duration_s / 2, 1.5);
  work.slow_by_us = options.slow_by_us >= 0 ? options.slow_by_us : default_slow_by_us(work.ranks);
  work.session = session_or(fmt::format("demo-{}", getpid()));
  if (!options.json && !options.quiet && !options.serve) print_heading(options);
  work.level = name(recording_level(args.config()));
  prune_sessions(args.config().duration_ns("session.keep"));
  stop_on_interrupt();
  const Result<std::vector<pid_t>> ranks = start_workload(work);
  if (!ranks) {
    fmt::print(stderr, "peerscope demo: {}\n", ranks.error().message);
    return 1;
  }
  if (options.serve) return serve_demo(options, *ranks, args);
  std::shared_ptr<Recording> recording;
  if (!options.out.empty() && !wants_report(options.out)) {
    auto started = start_recording(args.config(), options.out, "peerscope demo");
    if (!started) {
      fmt::print(stderr, "peerscope demo: {}\n", started.error().message);
      finish_workload(*ranks, true);
      return 2;
    }
    recording = std::move(*started);
  }
  // No filter: a demonstration shows all that it does.
  MonitorOptions watch_options = monitor_options(args.config());
  watch_options.collect.sessions = {work.session};
  watch_options.recording = recording;
  MonitorThread monitor(watch_options);
  Seen seen = watch(monitor, options);
  const WorkloadEnd end = finish_workload(*ranks, stop_requested());
  seen.last = monitor.stop();
  if (end.failed > 0) {
    fmt::print(stderr, "peerscope demo: {} of {} ranks failed: {}\n", end.failed, work.ranks,
               end.why);
  }
  const int status = finish(options, seen);
  if (recording && !options.json && !options.quiet)
    fmt::print("{}", recorded_line(recording->view()));
  return end.failed > 0 ? 1 : status;
}

}  // namespace

const Command kDemoCommand{
    {"demo", "see it work: ranks that talk, one of them slow, named while it happens",
     "  peerscope demo\n"
     "  peerscope demo --serve                in the browser\n"
     "  peerscope demo --ranks 8 --duration 10 --slow-rank 5\n"
     "  peerscope demo --slow-rank none       all well: nothing is found\n"
     "  peerscope demo --json | jq '.findings[0].sentence'\n",
     "1 a rank failed"},
    demo_main};

}  // namespace peerscope
