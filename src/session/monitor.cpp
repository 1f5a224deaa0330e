#include "session/monitor.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "analyze/profile/spans.hpp"
#include "base/units.hpp"
#include "session/process_state.hpp"
#include "session/recording.hpp"

namespace peerscope {
namespace {

constexpr std::uint32_t kMillion = 1'000'000;

std::int64_t monotonic_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

ProcessView view_of(const ProcessStatus& status, std::int64_t now_ns) {
  ProcessView view;
  view.pid = status.pid;
  view.name = status.name;
  view.session = status.session;
  view.state = status.state;
  view.level = status.level;
  view.operations = status.operations;
  view.bytes = status.bytes;
  view.errors = status.errors;
  view.recorded = status.recorded;
  view.delivered = status.delivered;
  view.lost = status.lost;
  view.before = status.before;
  view.dropped = status.dropped;
  view.threads = status.threads;
  view.segment_bytes = status.segment_bytes;
  view.path = status.path;
  view.pair_cost_ns = status.pair_cost_ns;
  view.created_ns = status.created_ns;
  view.created_real_ns = status.created_real_ns;
  view.last_sign_ns = status.state == ProcessState::live ? now_ns : status.last_sign_ns;
  const auto life_ns = static_cast<double>(view.last_sign_ns - status.created_ns);
  if (life_ns > 0)
    view.overhead_fraction = static_cast<double>(status.recorded) * status.pair_cost_ns / life_ns;
  return view;
}

MetricView view_of(const MetricValue& value) {
  MetricView view;
  view.name = value.name;
  view.unit = value.unit;
  view.type = value.type == MetricKind::counter ? MetricType::counter
              : value.type == MetricKind::gauge ? MetricType::gauge
                                                : MetricType::histogram;
  view.value = value.value;
  view.count = value.count;
  if (value.type == MetricKind::histogram && value.count > 0) {
    view.p50 = value.p50;
    view.p99 = value.p99;
  }
  return view;
}

// Processes that have one metric in common show it once. Counters add up; quantiles do not.
void add_metric(std::vector<MetricView>& views, const MetricView& view) {
  for (MetricView& known : views) {
    if (known.name != view.name || known.type != view.type || known.rank != view.rank) continue;
    if (view.type == MetricType::gauge) {
      known.value = view.value;
    } else if (view.type == MetricType::counter) {
      known.value += view.value;
    } else if (view.count > known.count) {
      known = view;  // the process with most samples speaks
    }
    return;
  }
  views.push_back(view);
}

void add_processes(const std::vector<ProcessStatus>& processes, Snapshot& snapshot) {
  double cost_ns = 0;
  double life_ns = 0;
  for (const ProcessStatus& status : processes) {
    const ProcessView view = view_of(status, snapshot.now_ns);
    snapshot.lost += view.lost;
    snapshot.dropped += view.dropped;
    snapshot.delivered += view.delivered;
    const auto life =
        static_cast<double>(std::max<std::int64_t>(view.last_sign_ns - view.created_ns, 0));
    cost_ns += view.overhead_fraction * life;
    life_ns += life;
    snapshot.processes.push_back(view);
  }
  if (life_ns > 0) snapshot.overhead_fraction = cost_ns / life_ns;
}

// The rank that a process is, if it is one and the same in all its communicators.
std::optional<int> rank_of(const std::vector<std::pair<std::uint32_t, CommInfo>>& memberships,
                           std::uint32_t process) {
  std::optional<int> rank;
  for (const auto& [index, comm] : memberships) {
    if (index != process) continue;
    if (rank && *rank != comm.rank) return std::nullopt;
    rank = comm.rank;
  }
  return rank;
}

// Of gauges that are each rank's own the last process' value would say nothing of the others.
void add_metrics(const Collector& collector, Snapshot& snapshot) {
  const auto memberships = collector.memberships();
  for (const MetricValue& metric : collector.metrics()) {
    MetricView view = view_of(metric);
    if (view.type == MetricType::gauge && view.name.rfind("pool.", 0) == 0)
      view.rank = rank_of(memberships, metric.process);
    add_metric(snapshot.metrics, view);
  }
}

void add_ranks(const Collector& collector, Snapshot& snapshot) {
  const auto memberships = collector.memberships();
  for (std::size_t i = 0; i < snapshot.processes.size(); ++i)
    snapshot.processes[i].rank = rank_of(memberships, static_cast<std::uint32_t>(i));
}

// Whether the kernel lets it run: only asked where something does not end, or nothing is heard of.
void mark_stopped(Snapshot& snapshot) {
  constexpr std::int64_t kOldNs = 100'000'000;
  constexpr std::int64_t kSilentNs = 400'000'000;
  const bool old = std::any_of(snapshot.in_flight.begin(), snapshot.in_flight.end(),
                               [](const InFlight& entry) { return entry.age_ns >= kOldNs; });
  const std::int64_t last_ns =
      snapshot.aggregates ? snapshot.aggregates->totals.last_ns : kUnknownNs;
  if (!old && (last_ns == kUnknownNs || snapshot.now_ns - last_ns < kSilentNs)) return;
  for (ProcessView& process : snapshot.processes)
    process.stopped = process.state == ProcessState::live && is_process_stopped(process.pid);
}

// What a program says itself. Value and rank are its own.
DebugEvent debug_event(const EventView& view, std::uint64_t comm, std::uint16_t rank) {
  DebugEvent event;
  event.at_ns = view.at_ns;
  event.severity = event_severity(view.severity);
  event.kind = view.name.empty() ? "event" : view.name;
  event.text = view.name;
  event.comm = comm;
  event.rank = rank;
  event.process = view.pid;  // its index, until a snapshot is made
  event.value = static_cast<double>(view.value);
  return event;
}

DebugEvent control_changed(const ControlEvent& change, const std::string& text) {
  DebugEvent event;
  event.at_ns = change.at_ns;
  event.kind = "control";
  event.text = text;
  event.process = change.process;
  return event;
}

std::string budget(const ControlState& control) {
  if (control.detail_budget_ppm > kMillion) return "unlimited";
  return format_percent(control.detail_budget_ppm / 1e6);
}

}  // namespace

Monitor::Monitor(const MonitorOptions& options)
    : aggregator_(options.aggregate),
      collector_(options.collect, *this),
      options_(options),
      detect_(options.detect),
      machine_(options.machine ? std::make_unique<MachineSampler>(*options.machine) : nullptr) {}

std::int64_t Monitor::horizon_ns() const {
  for (const auto& feeder : options_.feeders) {
    if (feeder->live()) return monotonic_ns();
  }
  if (collector_.process_count() == 0 || collector_.any_live()) return monotonic_ns();
  return collector_.last_activity_ns();
}

std::uint64_t Monitor::poll() {
  aggregator_.advance(horizon_ns());
  const std::uint64_t records = collector_.poll();
  for (const auto& feeder : options_.feeders) feeder->poll(*this);
  if (options_.recording && options_.recording->tick(monotonic_ns()))
    options_.recording->store(collector_, *snapshot());
  return records;
}

void Monitor::finish() {
  collector_.finish();
  if (machine_) machine_->stop();
  if (options_.recording) options_.recording->finish(collector_, *snapshot());
}

void Monitor::on_ops(std::span<const Op> ops) {
  aggregator_.add(ops);
  if (options_.debug) options_.debug->on_ops(ops);
  if (options_.recording) options_.recording->on_ops(ops);
}

void Monitor::on_collective(const Collective& collective) {
  aggregator_.add(collective);
  if (options_.debug) options_.debug->on_collective(collective);
}

void Monitor::on_completion(const Completion& completion) {
  if (options_.recording) options_.recording->on_completion(completion);
}

void Monitor::on_phase(const PhaseMark& phase) {
  if (options_.recording) options_.recording->on_phase(phase);
  if (!options_.phases) return;
  const PhaseKey key{phase.kind, phase.process, phase.name};
  const auto found = phases_.find(key);
  if (found == phases_.end() && phases_.size() >= options_.max_details) return;
  phases_[key].add(static_cast<std::uint64_t>(std::max<std::int64_t>(phase.duration_ns, 0)));
}

void Monitor::on_call_site(const CallSite& site) {
  if (options_.recording) options_.recording->on_call_site(site);
  if (!options_.call_sites) return;
  const PhaseKey key{site.kind, site.process, site.name};
  const auto found = call_sites_.find(key);
  if (found == call_sites_.end() && call_sites_.size() >= options_.max_details) return;
  ++call_sites_[key];
}

void Monitor::on_event(const Event& event) {
  if (options_.recording) options_.recording->on_event(event);
  std::string text = collector_.text(event.process, event.name);
  if (!profile_session_of(text).empty()) return;  // marks of profiles would drive out what happened
  EventView view{event.at_ns, event.severity, std::move(text), event.process, event.value};
  if (options_.debug) options_.debug->on_event(debug_event(view, event.comm_id, event.rank));
  keep(std::move(view));
}

void Monitor::on_control(const ControlEvent& event) {
  if (options_.recording) options_.recording->on_control(event);
  const ControlState& before = event.before;
  const ControlState& after = event.after;
  const auto say = [&](std::string text) {
    if (options_.debug) options_.debug->on_event(control_changed(event, text));
    keep({event.at_ns, PSCOPE_SEVERITY_INFO, std::move(text), event.process, 0});
  };
  if (before.level != after.level)
    say(fmt::format("level {} -> {}", name(before.level), name(after.level)));
  if (before.detail_budget_ppm != after.detail_budget_ppm) {
    say(fmt::format("detail budget {} -> {}", budget(before), budget(after)));
    if (after.detail_budget_ppm <= kMillion)
      detect_.overhead_budget = after.detail_budget_ppm / 1e6;
  }
  if (!before.same_filter(after))
    say(!after.filtered ? "filter off" : before.filtered ? "filter changed" : "filter on");
}

void Monitor::keep(EventView event) {
  if (!options_.events || event.severity < options_.least_severity) return;
  if (events_.size() >= options_.max_events) events_.pop_front();
  events_.push_back(std::move(event));
}

// Processes name phases and call sites each for itself: the same text is the same thing.
void Monitor::add_details(Snapshot& snapshot) const {
  std::map<std::pair<Kind, std::string>, Histogram> phases;
  for (const auto& [key, histogram] : phases_)
    phases[{key.kind, collector_.text(key.process, key.name)}].merge(histogram);
  for (const auto& [key, histogram] : phases) {
    snapshot.phases.push_back({key.first, key.second, histogram.count(), histogram.quantile(0.5),
                               histogram.quantile(0.99), static_cast<double>(histogram.sum())});
  }
  std::sort(snapshot.phases.begin(), snapshot.phases.end(),
            [](const PhaseView& a, const PhaseView& b) { return a.total_ns > b.total_ns; });
  std::map<std::pair<Kind, std::string>, std::uint64_t> sites;
  for (const auto& [key, count] : call_sites_)
    sites[{key.kind, collector_.text(key.process, key.name)}] += count;
  for (const auto& [key, count] : sites)
    snapshot.call_sites.push_back({key.first, key.second, count});
  std::sort(snapshot.call_sites.begin(), snapshot.call_sites.end(),
            [](const CallSiteView& a, const CallSiteView& b) { return a.count > b.count; });
}

std::shared_ptr<const Snapshot> Monitor::snapshot() {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->now_ns = horizon_ns();
  snapshot->real_offset_ns = collector_.clock().real_offset_ns();
  snapshot->aggregates = aggregator_.snapshot(snapshot->now_ns);
  add_processes(collector_.processes(), *snapshot);
  snapshot->in_flight = collector_.in_flight(snapshot->now_ns);
  for (const CommInfo& comm : collector_.communicators())
    snapshot->communicators.push_back({comm.id, comm.name});
  add_metrics(collector_, *snapshot);
  add_ranks(collector_, *snapshot);
  mark_stopped(*snapshot);
  add_details(*snapshot);
  snapshot->events.assign(events_.begin(), events_.end());
  for (EventView& event : snapshot->events) {
    if (event.pid < snapshot->processes.size()) event.pid = snapshot->processes[event.pid].pid;
  }
  if (options_.recording) snapshot->trace = options_.recording->view();
  for (const auto& feeder : options_.feeders) feeder->add_to(*snapshot);
  if (machine_) snapshot->machine = machine_->latest();
  snapshot->findings = detect(*snapshot, detect_);
  for (const auto& feeder : options_.feeders) feeder->add_findings(*snapshot);
  order(snapshot->findings);
  note_machine_changes();
  if (options_.debug) options_.debug->look(*snapshot);
  return snapshot;
}

void Monitor::note_machine_changes() {
  if (!machine_) return;
  for (const DebugEvent& event : machine_->take_changes()) {
    if (options_.recording) options_.recording->on_note(event);
    if (options_.debug) options_.debug->on_event(event);
  }
}

MonitorThread::MonitorThread(const MonitorOptions& options)
    : monitor_(options), publish_every_ns_(options.publish_every_ns), latest_(monitor_.snapshot()) {
  thread_ = std::thread([this] { run(); });
}

MonitorThread::~MonitorThread() { stop(); }

void MonitorThread::run() {
  std::int64_t last_ns = INT64_MIN / 2;
  while (!stopping_.load(std::memory_order_acquire)) {
    monitor_.poll();
    const std::int64_t now_ns = monotonic_ns();
    if (now_ns - last_ns >= publish_every_ns_.load(std::memory_order_relaxed)) {
      latest_.store(monitor_.snapshot());  // publishes an immutable snapshot
      last_ns = now_ns;
    }
    std::this_thread::sleep_for(std::chrono::nanoseconds(monitor_.next_poll_ns()));
  }
}

std::shared_ptr<const Snapshot> MonitorThread::stop() {
  stopping_.store(true, std::memory_order_release);
  if (thread_.joinable()) {
    thread_.join();
    monitor_.poll();
    monitor_.finish();
    latest_.store(monitor_.snapshot());
  }
  return latest();
}

}  // namespace peerscope
