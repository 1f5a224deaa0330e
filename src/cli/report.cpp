// peerscope report: what happened in a session, live or of the past, or in a trace file.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "cli/trace_files.hpp"
#include "session/json.hpp"
#include "session/monitor.hpp"
#include "session/replay.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

struct ReportOptions {
  std::string wanted;
  bool json = false, quiet = false, full = false;
};

void print(const Snapshot& snapshot, const ReportOptions& options) {
  if (options.json) {
    fmt::print("{}\n", to_json(snapshot).dump(2));
    return;
  }
  const Style style = terminal_style();
  // What was imported has no session to speak of.
  if (!options.quiet && !snapshot.processes.empty() && !snapshot.processes.front().session.empty())
    fmt::print("{}\n", sessions_table(snapshot, style));
  fmt::print("{}", options.quiet ? verdict(snapshot, style) : report(snapshot, style));
}

// Measurements that are no operations: what a benchmark said.
void print_measurements(const TraceMeta& meta) {
  if (meta.measurements.empty()) return;
  std::vector<std::vector<std::string>> rows{{"test", "from", "to", "size", "value", "unit"}};
  constexpr std::size_t kMost = 40;
  for (const TraceMeasurement& m : meta.measurements) {
    if (rows.size() > kMost) break;
    rows.push_back({m.test, m.from < 0 ? "" : std::to_string(m.from),
                    m.to < 0 ? "" : std::to_string(m.to), m.bytes == 0 ? "" : format_bytes(m.bytes),
                    fmt::format("{:.2f}", m.value), m.unit});
  }
  fmt::print("\n  Measurements of {}\n{}", meta.measurements[0].tool,
             table(rows, 1, terminal_style()));
  if (meta.measurements.size() > kMost)
    fmt::print("  ... and {} more: peerscope query FILE 'SELECT * FROM measurements'\n",
               meta.measurements.size() - kMost);
}

int report_file(const ReportOptions& options, const Config& config) {
  const auto trace = open_trace("report", options.wanted);
  if (!trace) return 2;
  std::optional<Snapshot> snapshot;
  if (!options.full) snapshot = stored_snapshot(*trace);
  if (snapshot && trace->summary_operations() < trace->operations() && trace->parts() == 1) {
    fmt::print(
        stderr,
        "peerscope report: the figures are those of the first {} of {} operations; with --full "
        "all are read again\n",
        format_count(trace->summary_operations()), format_count(trace->operations()));
  }
  constexpr std::uint64_t kReadAtOnce = 5'000'000;  // a third of a second
  if (!snapshot && !options.full && trace->operations() > kReadAtOnce) {
    snapshot = snapshot_from_statistics(*trace, monitor_options(config));
    if (snapshot && !options.json) {
      fmt::print(
          "{}\n  From the file's statistics. Ranks and findings need every operation: peerscope "
          "report --full {}\n",
          operations_table(*snapshot, terminal_style()), options.wanted);
      return 0;
    }
  }
  if (!snapshot) {
    Progress progress("reading " + options.wanted, trace->operations());
    auto read =
        replay(*trace, monitor_options(config), [&](std::uint64_t done) { progress.update(done); });
    if (!read) {
      fmt::print(stderr, "peerscope report: {}\n", read.error().message);
      return 2;
    }
    snapshot = std::move(*read);
  }
  print(*snapshot, options);
  if (!options.json && !options.quiet) print_measurements(trace->meta());
  return 0;
}

int report_session(const ReportOptions& options, const Config& config) {
  const Result<std::vector<std::string>> sessions = select_sessions(options.wanted);
  if (!sessions) {
    fmt::print(stderr, "peerscope report: {}\n", sessions.error().message);
    return 2;
  }
  MonitorOptions watch = monitor_options(config);
  watch.collect.sessions = *sessions;
  Monitor monitor(watch);
  monitor.poll();
  if (!monitor.collector().any_live()) monitor.finish();
  for (const std::string& problem : monitor.collector().problems())
    fmt::print(stderr, "peerscope report: skipped {}\n", problem);
  print(*monitor.snapshot(), options);
  return 0;
}

int report_main(Args& args) {
  ReportOptions options;
  args.positional("session", options.wanted,
                  "a .pscope file, or a session: its id or the beginning of one, or 'all' "
                  "(default: the newest)");
  args.flag("--json", options.json, "print one JSON object");
  args.flag("-q,--quiet", options.quiet, "print the verdict only");
  args.flag("--full", options.full,
            "of a file: read every operation again, with the settings of now");
  if (const auto status = args.parse()) return *status;
  return names_a_file(options.wanted) ? report_file(options, args.config())
                                      : report_session(options, args.config());
}

}  // namespace

const Command kReportCommand{
    {"report", "what happened in a session (live, just ended, or killed) or in a trace file",
     "  peerscope report                 the newest session\n"
     "  peerscope report demo-4711       that session\n"
     "  peerscope report run.pscope      a trace file\n"
     "  peerscope report --json | jq .findings\n",
     ""},
    report_main};

}  // namespace peerscope
