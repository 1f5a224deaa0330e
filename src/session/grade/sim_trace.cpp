#include "session/grade/sim_trace.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "session/summary.hpp"

namespace peerscope {

Result<SimTrace> SimTrace::create(const std::string& path, const TraceWriterOptions& options) {
  auto writer = TraceWriter::create(path, options);
  if (!writer) return writer.error();
  return SimTrace(std::move(*writer));
}

void SimTrace::on_event(const sim::SimEvent& event) {
  const auto next = static_cast<std::uint16_t>(names_.size() + 1);
  Mark mark;
  mark.type = MarkType::event;
  mark.at_ns = event.at_ns;
  mark.value = event.value;
  mark.process = static_cast<std::uint32_t>(event.rank);
  mark.rank = static_cast<std::uint16_t>(event.rank);
  mark.name = names_.try_emplace(event.name, next).first->second;
  mark.severity = static_cast<std::uint8_t>(event.severity);
  writer_.add(mark);
}

TraceMeta SimTrace::meta_of(const sim::Simulation& run, const Snapshot& snapshot,
                            const std::string& command) const {
  const sim::Topology& topology = run.options().topology;
  TraceMeta meta;
  meta.session = "simulated-" + topology.name;
  meta.command = command;
  meta.version = PSCOPE_VERSION;
  TraceComm comm{
      run.options().comm, "world", static_cast<std::uint16_t>(topology.ranks()), Backend::sim, {}};
  for (int rank = 0; rank < topology.ranks(); ++rank) {
    const auto at = static_cast<std::size_t>(rank);
    const ProcessView& view = snapshot.processes[at];
    const auto host = static_cast<std::uint32_t>(std::max(0, topology.host_of(rank)));
    while (meta.hosts.size() <= host) {
      TraceHost one;
      one.name = fmt::format("host{}", meta.hosts.size());
      one.os = "simulated";
      meta.hosts.push_back(std::move(one));
    }
    TraceProcess process;
    process.index = static_cast<std::uint32_t>(rank);
    process.host = host;
    process.pid = view.pid;
    process.name = view.name;
    process.session = meta.session;
    process.clock = "virtual";
    process.state = view.state;
    process.level = view.level;
    process.created_ns = view.created_ns;
    process.operations = process.recorded = process.delivered = view.operations;
    process.bytes = view.bytes;
    process.errors = view.errors;
    meta.processes.push_back(std::move(process));
    meta.devices.push_back({host, static_cast<std::uint16_t>(rank), "simulated GPU",
                            fmt::format("SIM-{:04d}", rank), ""});
    comm.members.push_back({static_cast<std::uint16_t>(rank), static_cast<std::uint32_t>(rank),
                            static_cast<std::uint16_t>(rank)});
    for (const auto& [text, id] : names_)
      meta.names.push_back({static_cast<std::uint32_t>(rank), id, text});
  }
  meta.communicators.push_back(std::move(comm));
  if (snapshot.machine) {
    for (const PathSummary& path : snapshot.machine->paths) {
      TraceLink link;
      link.from = static_cast<std::uint16_t>(path.from);
      link.to = static_cast<std::uint16_t>(path.to);
      link.type = path.path;
      link.bandwidth_bytes_per_s = path.bandwidth_bytes_per_s.value_or(-1);
      link.source = "simulated";
      meta.links.push_back(std::move(link));
    }
  }
  meta.settings.push_back({"simulate.seed", std::to_string(run.options().seed), "command line"});
  return meta;
}

Status SimTrace::finish(const sim::Simulation& run, const Snapshot& snapshot,
                        const std::string& command) {
  writer_.set_meta(meta_of(run, snapshot, command));
  writer_.set_summary(to_summary(snapshot));
  return writer_.close();
}

std::string truth_path(const std::string& trace_path) {
  constexpr std::string_view kEnd = ".pscope";
  std::string stem = trace_path;
  if (stem.size() > kEnd.size() && stem.ends_with(kEnd)) stem.resize(stem.size() - kEnd.size());
  return stem + ".truth.json";
}

}  // namespace peerscope
