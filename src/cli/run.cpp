// peerscope run -- CMD: a session for a child that records, watched while it runs, reported when it
// ends.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/dashboard.hpp"
#include "cli/left_behind.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "cli/sources.hpp"
#include "cli/stop.hpp"
#include "cli/trace_files.hpp"
#include "session/exllama_feeder.hpp"
#include "session/json.hpp"
#include "session/monitor.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

struct RunOptions {
  std::vector<std::string> command;
  std::string level, out;
  bool json = false, quiet = false;
};

pid_t start(const RunOptions& options, const SourceEnvironment& sources,
            const std::string& session) {
  const pid_t child = fork();
  if (child != 0) return child;
  for (const auto& [name, value] : sources.variables) setenv(name.c_str(), value.c_str(), 1);
  setenv("PEERSCOPE_SESSION", session.c_str(), 1);
  setenv("PEERSCOPE_LEVEL", options.level.c_str(), 1);
  std::vector<char*> words;
  for (const std::string& word : options.command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  fmt::print(stderr, "peerscope run: cannot run '{}': {}\n", options.command[0],
             std::strerror(errno));
  _exit(127);
}

// Returns the child's wait status. What ends us ends the child first, so that its report is still
// printed.
int wait_for(pid_t child) {
  int status = 0;
  bool passed_on = false;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return 0;
    if (stop_requested() && !passed_on) kill(child, SIGTERM);
    passed_on = passed_on || stop_requested();
  }
  return status;
}

int exit_status(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

// Where it is enabled, and while the program runs. That it cannot be shown does not keep the program from running.
std::unique_ptr<Dashboard> show_dashboard(const Config& config, const std::string& session,
                                          const std::string& command) {
  if (!config.boolean("dashboard.enabled")) return nullptr;
  DashboardOptions options = dashboard_options(config);
  options.sessions = {session};
  options.id = session;
  options.command = command;
  auto dashboard = Dashboard::start(options, config);
  if (!dashboard) {
    fmt::print(stderr, "peerscope run: no dashboard: {}\n", dashboard.error().message);
    return nullptr;
  }
  for (const std::string& warning : (*dashboard)->warnings())
    fmt::print(stderr, "peerscope run: {}\n", warning);
  fmt::print(stderr, "peerscope run: the dashboard is at {}\n", (*dashboard)->url());
  return std::move(*dashboard);
}

int run_main(Args& args) {
  RunOptions options;
  args.setting("-l,--level", "monitor.level");
  args.setting("--budget", "overhead.budget");
  args.text("-o,--out", options.out, "write a trace to this file; to NAME.json: the report");
  args.flag("--json", options.json, "print the report as JSON");
  args.flag("-q,--quiet", options.quiet, "print the verdict only");
  args.rest("CMD", options.command, "the program to run, with its arguments");
  if (const auto status = args.parse()) return *status;
  if (options.command.empty()) {
    fmt::print(stderr, "peerscope run: what is to be run? Write: peerscope run -- CMD [ARG ...]\n");
    return 2;
  }
  const Config& config = args.config();
  options.level = name(recording_level(config));
  prune_sessions(config.duration_ns("session.keep"));
  const SourceEnvironment sources = source_environment(
      config, source_libraries(), [](const char* name) -> const char* { return getenv(name); });
  for (const std::string& note : sources.notes) fmt::print(stderr, "peerscope run: {}\n", note);
  const std::string session = fmt::format("run-{}", getpid());
  std::shared_ptr<Recording> recording;
  if (!options.out.empty() && !wants_report(options.out)) {
    auto started =
        start_recording(config, options.out, fmt::format("{}", fmt::join(options.command, " ")));
    if (!started) {
      fmt::print(stderr, "peerscope run: {}\n", started.error().message);
      return 2;
    }
    recording = std::move(*started);
  }
  stop_on_interrupt();
  std::fflush(nullptr);
  const pid_t child = start(options, sources, session);
  if (child < 0) {
    fmt::print(stderr, "peerscope run: cannot start a process: {}\n", std::strerror(errno));
    return 2;
  }
  MonitorOptions watch_options = monitor_options(config);
  watch_options.collect.sessions = {session};
  // The dashboard has the configuration as it is now, and tells it itself.
  const auto shown = std::make_shared<std::atomic<bool>>(false);
  watch_options.collect.on_attach = [shown, change = attach_control(config)] {
    return *shown ? ControlChange{} : change;
  };
  watch_options.recording = recording;
  watch_options.machine = machine_options(config);
  watch_options.feeders = session_feeders(config, {session});
  MonitorThread monitor(watch_options);
  const auto dashboard = show_dashboard(config, session, args.command());
  *shown = dashboard != nullptr;
  const int status = wait_for(child);
  const auto snapshot = monitor.stop();
  const nlohmann::json json = to_json(*snapshot);
  if (wants_report(options.out)) {
    std::ofstream file(options.out);
    file << json.dump(2) << '\n';
    if (!file)
      fmt::print(stderr, "peerscope run: cannot write {}: {}\n", options.out, std::strerror(errno));
  }
  if (!snapshot->processes.empty()) leave_reports(config, session, *snapshot);
  if (options.json) {
    fmt::print("{}\n", json.dump(2));
  } else if (snapshot->processes.empty() && snapshot->aggregates->totals.operations == 0) {
    fmt::print(stderr,
               "peerscope run: nothing was recorded: '{}' used neither NCCL nor peerscope's "
               "library; what can be recorded here: peerscope doctor sources\n",
               options.command[0]);
  } else {
    const Style style = terminal_style();
    fmt::print("\n{}", options.quiet ? verdict(*snapshot, style) : report(*snapshot, style));
    if (recording && !options.quiet) fmt::print("\n{}", recorded_line(recording->view()));
  }
  return exit_status(status);
}

}  // namespace

const Command kRunCommand{
    {"run", "run a program, record what its GPUs say to each other, report at its end",
     "  peerscope run -- torchrun --nproc-per-node 2 train.py\n"
     "  peerscope run --level comprehensive --budget 5% --out run.pscope -- ./my_program\n",
     "else that of the program (128 + signal if one ended it, 127 if it cannot be run)"},
    run_main};

}  // namespace peerscope
