#include "cli/debug_source.hpp"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/progress.hpp"
#include "cli/select.hpp"
#include "cli/trace_files.hpp"
#include "session/exllama_feeder.hpp"
#include "session/replay.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

// A replay finds what operations say; what was in flight at the end its writer knew.
Snapshot with_stored(Snapshot replayed, const TraceReader& trace) {
  std::optional<Snapshot> stored = stored_snapshot(trace);
  if (!stored) return replayed;
  replayed.in_flight = std::move(stored->in_flight);
  replayed.machine = std::move(stored->machine);
  replayed.events = std::move(stored->events);
  const bool whole = trace.summary_operations() == trace.operations();
  for (const ProcessView& process : stored->processes) {
    for (ProcessView& known : replayed.processes) {
      if (known.pid == process.pid) known.last_sign_ns = process.last_sign_ns;
    }
  }
  if (whole) {
    replayed.now_ns = stored->now_ns;
    replayed.findings = std::move(stored->findings);
    return replayed;
  }
  for (Finding& finding : stored->findings) {
    if (finding.kind == "hang" || finding.kind == "process_died")
      replayed.findings.push_back(std::move(finding));
  }
  order(replayed.findings);
  return replayed;
}

std::optional<DebugSource> open_file(const char* command, const std::string& path,
                                     MonitorOptions options) {
  const auto trace = open_trace(command, path);
  if (!trace) return std::nullopt;
  Progress progress("reading " + path, trace->operations());
  auto read = replay(*trace, options, [&](std::uint64_t done) { progress.update(done); });
  progress.hide();
  if (!read) {
    fmt::print(stderr, "peerscope {}: {}\n", command, read.error().message);
    return std::nullopt;
  }
  DebugSource source;
  source.path = path;
  source.watch = options.debug;
  source.snapshot = std::make_shared<const Snapshot>(with_stored(std::move(*read), *trace));
  source.watch->look(*source.snapshot);
  source.watch->finish();
  for (const TraceComm& comm : trace->meta().communicators) {
    for (const TraceMember& member : comm.members) {
      const TraceProcess* process = trace->meta().process(member.process);
      if (process != nullptr)
        source.members.push_back({comm.id, member.rank, process->pid, process->state});
    }
  }
  return source;
}

}  // namespace

void DebugSource::look() {
  monitor->poll();
  live = monitor->collector().any_live();
  if (!live) monitor->finish();
  snapshot = monitor->snapshot();
  if (!live) watch->finish();
  members.clear();
  for (const auto& [process, comm] : monitor->collector().memberships()) {
    if (process < snapshot->processes.size())
      members.push_back({comm.id, comm.rank, snapshot->processes[process].pid,
                         snapshot->processes[process].state});
  }
}

const DebugMember* DebugSource::member(std::uint64_t comm, int rank) const {
  for (const DebugMember& member : members) {
    if (member.comm == comm && member.rank == rank) return &member;
  }
  return nullptr;
}

std::shared_ptr<DebugWatch> make_debug_watch(const Config& config, EventSeverity least) {
  DebugOptions options = debug_options(config);
  options.log.least = std::min(options.log.least, least);
  return std::make_shared<DebugWatch>(options);
}

std::optional<DebugSource> open_debug_source(const char* command, const std::string& wanted,
                                             const Config& config,
                                             std::shared_ptr<DebugWatch> watch,
                                             const DebugSourceOptions& options) {
  MonitorOptions watching = monitor_options(config);
  watching.debug = std::move(watch);
  if (names_a_file(wanted)) return open_file(command, wanted, std::move(watching));
  const Result<std::vector<std::string>> sessions = select_sessions(wanted);
  if (!sessions) {
    fmt::print(stderr, "peerscope {}: {}\n", command, sessions.error().message);
    return std::nullopt;
  }
  watching.collect.sessions = *sessions;
  watching.recording = options.recording;
  if (options.machine) watching.machine = machine_options(config);
  watching.feeders = session_feeders(config, *sessions);
  DebugSource source;
  source.sessions = *sessions;
  source.watch = watching.debug;
  source.monitor = std::make_unique<Monitor>(watching);
  source.look();
  for (const std::string& problem : source.monitor->collector().problems())
    fmt::print(stderr, "peerscope {}: skipped {}\n", command, problem);
  return source;
}

void print_json(const nlohmann::json& json, bool one_line) {
  fmt::print("{}\n",
             json.dump(one_line ? -1 : 2, ' ', false, nlohmann::json::error_handler_t::replace));
  std::fflush(stdout);
}

}  // namespace peerscope
