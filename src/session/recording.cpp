#include "session/recording.hpp"

#include <fstream>

#include <sys/utsname.h>

#include "session/summary.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kFirstSummaryNs = 1'000'000'000;  // soon: most runs are short

std::uint32_t index_of(const std::vector<TraceComm>& comms, std::uint64_t id) {
  std::uint32_t at = 0;
  while (at < comms.size() && comms[at].id != id) ++at;
  return at;
}

void add_communicators(const Collector& collector, TraceMeta& meta) {
  for (const auto& [process, info] : collector.memberships()) {
    const std::uint32_t at = index_of(meta.communicators, info.id);
    if (at == meta.communicators.size())
      meta.communicators.push_back({info.id, info.name, info.ranks, info.backend, {}});
    meta.communicators[at].members.push_back({info.rank, process, info.device});
  }
}

void add_names(const Collector& collector, std::uint32_t process, TraceMeta& meta) {
  for (std::uint16_t id = 1; id != 0; ++id) {
    std::string text = collector.text(process, id);
    if (text.empty()) return;
    meta.names.push_back({process, id, std::move(text)});
  }
}

TraceProcess process_of(const ProcessStatus& status, const ProcessView& view) {
  TraceProcess process;
  process.index = status.index;
  process.pid = status.pid;
  process.name = status.name;
  process.session = status.session;
  process.library_version = status.library_version;
  process.clock = status.clock == ClockSource::tsc ? "tsc" : "monotonic";
  process.state = status.state;
  process.level = status.level;
  process.created_ns = status.created_ns;
  process.created_real_ns = status.created_real_ns;
  process.operations = status.operations;
  process.bytes = status.bytes;
  process.errors = status.errors;
  process.recorded = status.recorded;
  process.delivered = status.delivered;
  process.lost = status.lost;
  process.before = status.before;
  process.dropped = status.dropped;
  process.pair_cost_ns = status.pair_cost_ns;
  process.overhead_fraction = view.overhead_fraction;
  return process;
}

void add_machine(const MachineSummary& machine, TraceMeta& meta) {
  for (const DeviceSummary& device : machine.devices) {
    meta.devices.push_back(
        {0, static_cast<std::uint16_t>(device.index), device.name, device.uuid, device.pci_bus_id});
  }
  for (const PathSummary& path : machine.paths) {
    TraceLink link;
    link.from = static_cast<std::uint16_t>(path.from);
    link.to = static_cast<std::uint16_t>(path.to);
    link.type = path.path;
    link.bandwidth_bytes_per_s = path.bandwidth_bytes_per_s.value_or(-1);
    link.source = "nvml";
    meta.links.push_back(std::move(link));
  }
  if (!machine.driver_version.empty())
    meta.versions.push_back({"nvidia driver", machine.driver_version, ""});
}

}  // namespace

TraceHost this_host() {
  TraceHost host;
  utsname name{};
  if (uname(&name) == 0) {
    host.name = name.nodename;
    host.os = std::string(name.sysname) + " " + name.release;
  }
  std::ifstream boot("/proc/sys/kernel/random/boot_id");
  std::getline(boot, host.boot_id);
  return host;
}

Result<std::shared_ptr<Recording>> Recording::start(RecordingOptions options) {
  auto writer = TraceWriter::create(options.path, options.writer);
  if (!writer) return writer.error();
  return std::make_shared<Recording>(std::move(options), std::move(*writer));
}

Recording::Recording(RecordingOptions options, TraceWriter writer)
    : options_(std::move(options)),
      writer_(std::move(writer)),
      created_real_ns_(static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME))) {}

void Recording::on_phase(const PhaseMark& phase) {
  Mark mark;
  mark.type = MarkType::phase;
  mark.at_ns = phase.begin_ns;
  mark.duration_ns = phase.duration_ns;
  mark.comm = phase.comm;
  mark.sequence = phase.sequence;
  mark.process = phase.process;
  mark.rank = phase.rank;
  mark.name = phase.name;
  mark.kind = phase.kind;
  writer_.add(mark);
}

void Recording::on_completion(const Completion& completion) {
  Mark mark;
  mark.type = MarkType::completion;
  mark.at_ns = completion.begin_ns;
  mark.duration_ns = completion.duration_ns;
  mark.comm = completion.comm;
  mark.sequence = completion.sequence;
  mark.process = completion.process;
  mark.rank = completion.rank;
  mark.kind = completion.kind;
  mark.status = completion.status;
  writer_.add(mark);
}

void Recording::on_event(const Event& event) {
  Mark mark;
  mark.type = MarkType::event;
  mark.at_ns = event.at_ns;
  mark.value = event.value;
  mark.process = event.process;
  mark.sequence = std::uint64_t{event.thread} + 1;
  mark.name = event.name;
  mark.comm = event.comm_id;
  mark.rank = event.rank;
  mark.severity = event.severity;
  writer_.add(mark);
}

void Recording::on_note(const DebugEvent& event) {
  if (notes_.size() >= kMostNotes) return;
  Mark mark;
  mark.type = MarkType::event;
  mark.at_ns = event.at_ns;
  mark.value = event.device == kNoDevice ? -1 : event.device;
  mark.process = kNotesProcess;
  mark.name = static_cast<std::uint16_t>(notes_.size() + 1);
  mark.severity = static_cast<std::uint8_t>(event.severity);
  notes_.push_back({kNotesProcess, mark.name, event.kind + ": " + event.text});
  writer_.add(mark);
}

void Recording::on_call_site(const CallSite& site) {
  Mark mark;
  mark.type = MarkType::call_site;
  mark.at_ns = now_ns_;
  mark.process = site.process;
  mark.name = site.name;
  mark.kind = site.kind;
  writer_.add(mark);
}

void Recording::on_control(const ControlEvent& event) {
  Mark mark;
  mark.type = MarkType::control;
  mark.at_ns = event.at_ns;
  mark.process = event.process;
  mark.value = static_cast<std::int64_t>(event.after.level);
  mark.severity = PSCOPE_SEVERITY_INFO;
  writer_.add(mark);
}

bool Recording::tick(std::int64_t now_ns) {
  if (next_summary_ns_ == 0) next_summary_ns_ = now_ns + kFirstSummaryNs;
  now_ns_ = now_ns;
  writer_.tick(now_ns);
  if (finished_ || now_ns < next_summary_ns_) return false;
  next_summary_ns_ = now_ns + options_.summary_interval_ns;
  return true;
}

TraceMeta Recording::meta_of(const Collector& collector, const Snapshot& snapshot) const {
  TraceMeta meta;
  meta.version = PSCOPE_VERSION;
  meta.command = options_.command;
  meta.created_real_ns = created_real_ns_;
  meta.clock = {snapshot.real_offset_ns, collector.clock().uncertainty_ns(),
                collector.clock().ns_per_tick()};
  meta.hosts.push_back(this_host());
  const std::vector<ProcessStatus> processes = collector.processes();
  for (std::size_t i = 0; i < processes.size() && i < snapshot.processes.size(); ++i) {
    meta.processes.push_back(process_of(processes[i], snapshot.processes[i]));
    add_names(collector, processes[i].index, meta);
    if (meta.session.empty()) meta.session = processes[i].session;
  }
  meta.names.insert(meta.names.end(), notes_.begin(), notes_.end());
  add_communicators(collector, meta);
  meta.settings = options_.settings;
  meta.versions.push_back({"peerscope", PSCOPE_VERSION, ""});
  meta.versions.push_back({"kernel", meta.hosts[0].os, ""});
  if (snapshot.machine) add_machine(*snapshot.machine, meta);
  meta.overhead_fraction = snapshot.overhead_fraction;
  meta.lost = snapshot.lost;
  meta.dropped = snapshot.dropped;
  meta.not_written = writer_.status().not_written;
  return meta;
}

void Recording::store(const Collector& collector, const Snapshot& snapshot) {
  writer_.set_meta(meta_of(collector, snapshot));
  writer_.set_summary(to_summary(snapshot));
}

void Recording::finish(const Collector& collector, const Snapshot& snapshot) {
  if (finished_) return;
  finished_ = true;
  store(collector, snapshot);
  static_cast<void>(writer_.close());  // what went wrong is in view()
}

TraceView Recording::view() const {
  const TraceWriterStatus& status = writer_.status();
  TraceView view;
  view.path = options_.path;
  view.operations = status.operations;
  view.bytes = status.bytes;
  view.not_written = status.not_written;
  view.suspended = status.suspended;
  view.since_ns = status.suspended ? status.suspended_since_ns : kUnknownNs;
  view.why = status.why;
  return view;
}

}  // namespace peerscope
