// Who is monitored, what that costs, and what got lost.
#include <array>
#include <map>

#include "metrics/collect.hpp"

namespace peerscope::metrics {
namespace {

using enum FamilyType;

constexpr std::array kStates = {ProcessState::live, ProcessState::ended, ProcessState::dead};

}  // namespace

void add_sessions(const Source& source, MetricSet& out) {
  Group build{"build",
              Rest::drop,
              {"version"},
              {{"peerscope_build", info, "The program that says all this."}},
              {}};
  build.rows.push_back({{PSCOPE_VERSION}, 0, {std::uint64_t{1}}});
  Group sessions{"sessions",
                 Rest::drop,
                 {"session"},
                 {{"peerscope_session", info, "A session that is watched."}},
                 {}};
  Group states{"session_processes",
               Rest::drop,
               {"session", "state"},
               {{"peerscope_session_processes", gauge,
                 "Processes by state. ended: closed its session; dead: went without closing it."}},
               {}};
  std::map<std::string, std::array<std::uint64_t, kStates.size()>> counts;
  for (const ProcessView& process : source.snapshot.processes)
    ++counts[process.session][static_cast<std::size_t>(process.state)];
  for (const auto& [session, by_state] : counts) {
    sessions.rows.push_back({{session}, 0, {std::uint64_t{1}}});
    for (const ProcessState state : kStates) {
      const std::uint64_t count = by_state[static_cast<std::size_t>(state)];
      states.rows.push_back({{session, name(state)}, static_cast<double>(count), {count}});
    }
  }
  for (Group* group : {&build, &sessions, &states}) out.groups.push_back(std::move(*group));
}

void add_processes(const Source& source, MetricSet& out) {
  Group group{
      "processes",
      Rest::drop,
      {"session", "pid", "process"},
      {{"peerscope_process_operations", counter, "Operations that a process performed."},
       {"peerscope_process_bytes", counter, "Bytes of these operations."},
       {"peerscope_process_errors", counter, "Operations of it that did not end well."},
       {"peerscope_process_records_delivered", counter, "Records read from it."},
       {"peerscope_process_records_lost", counter, "Records overwritten before they were read."},
       {"peerscope_process_records_dropped", counter, "Records that its recorder refused."},
       {"peerscope_process_overhead_ratio", gauge, "Share of its time that recording takes."},
       {"peerscope_process_live", gauge, "1 while it lives and has not closed its session."},
       {"peerscope_process_stopped", gauge, "1 while it lives and the kernel does not let it run."},
       {"peerscope_process_segment_bytes", gauge, "Shared memory that it records into."}},
      {}};
  for (const ProcessView& process : source.snapshot.processes) {
    const bool live = process.state == ProcessState::live;
    group.rows.push_back(
        {{process.session, std::to_string(process.pid), process.name},
         static_cast<double>(process.operations),
         {process.operations, process.bytes, process.errors, process.delivered, process.lost,
          process.dropped, process.overhead_fraction, std::uint64_t{live},
          std::uint64_t{live && process.stopped}, process.segment_bytes}});
  }
  out.groups.push_back(std::move(group));
}

void add_own_figures(const Source& source, MetricSet& out) {
  const Snapshot& snapshot = source.snapshot;
  Group own{
      "own",
      Rest::drop,
      {},
      {{"peerscope_snapshot_timestamp_seconds", gauge, "When this was so, since 1970."},
       {"peerscope_overhead_ratio", gauge, "Share of the processes' time that recording takes."},
       {"peerscope_records_delivered", counter, "Records read from all processes."},
       {"peerscope_records_lost", counter, "Records overwritten before they were read."},
       {"peerscope_records_dropped", counter, "Records that recorders refused."}},
      {}};
  own.rows.push_back({{},
                      0,
                      {seconds(static_cast<double>(snapshot.now_ns + snapshot.real_offset_ns)),
                       snapshot.processes.empty() ? Value() : Value(snapshot.overhead_fraction),
                       snapshot.delivered, snapshot.lost, snapshot.dropped}});
  Group trace{"recording",
              Rest::drop,
              {},
              {{"peerscope_recording_operations", counter, "Operations written to the recording."},
               {"peerscope_recording_file_bytes", gauge, "The recording's size on disk."},
               {"peerscope_recording_discarded_operations", counter,
                "Operations that found no room on the disk."},
               {"peerscope_recording_suspended", gauge, "1 while the disk is full."}},
              {}};
  if (!snapshot.trace.path.empty()) {
    trace.rows.push_back({{},
                          0,
                          {snapshot.trace.operations, snapshot.trace.bytes,
                           snapshot.trace.not_written, std::uint64_t{snapshot.trace.suspended}}});
  }
  out.groups.push_back(std::move(own));
  out.groups.push_back(std::move(trace));
}

void add_server(const Source& source, MetricSet& out) {
  const auto whole = [](const std::optional<std::uint64_t>& value) {
    return value ? Value(*value) : Value();
  };
  const ServerFigures& server = source.server;
  Group group{"server",
              Rest::drop,
              {},
              {{"peerscope_server_connections", gauge, "Connections open."},
               {"peerscope_server_streams", gauge, "Clients that follow live."},
               {"peerscope_server_memory_bytes", gauge, "Resident memory of the server."},
               {"peerscope_server_processor_seconds", counter, "Processor time of the server."},
               {"peerscope_push_sent", counter, "Pushes by OTLP that were taken."},
               {"peerscope_push_failed", counter, "Pushes by OTLP that were not."},
               {"peerscope_push_rejected_points", counter,
                "Data points that a receiver of pushes refused."}},
              {}};
  const auto& push = server.push;
  group.rows.push_back(
      {{},
       0,
       {whole(server.connections), whole(server.streams), whole(server.memory_bytes),
        maybe(server.processor_seconds), push ? Value(push->sent) : Value(),
        push ? Value(push->failed) : Value(), push ? Value(push->rejected_points) : Value()}});
  Group requests{"server_requests",
                 Rest::sum,
                 {"code"},
                 {{"peerscope_server_requests", counter, "Requests answered, by HTTP's status."}},
                 {}};
  for (const auto& [code, count] : server.requests)
    requests.rows.push_back({{std::to_string(code)}, static_cast<double>(count), {count}});
  Group refused{
      "server_refused",
      Rest::sum,
      {"reason"},
      {{"peerscope_server_refused", counter, "Requests and connections that were refused."}},
      {}};
  for (const auto& [reason, count] : server.refused)
    refused.rows.push_back({{reason}, static_cast<double>(count), {count}});
  for (Group* each : {&group, &requests, &refused}) out.groups.push_back(std::move(*each));
}

}  // namespace peerscope::metrics
