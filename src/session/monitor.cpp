#include "session/monitor.hpp"

#include <algorithm>
#include <chrono>

namespace peerscope {
namespace {

constexpr std::size_t kMaxDetails = 1024;
constexpr std::size_t kMaxEvents = 256;

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
    if (known.name != view.name || known.type != view.type) continue;
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

}  // namespace

Monitor::Monitor(const MonitorOptions& options)
    : aggregator_(options.aggregate), collector_(options.collect, *this), detect_(options.detect) {}

std::int64_t Monitor::horizon_ns() const {
  if (collector_.process_count() == 0 || collector_.any_live()) return monotonic_ns();
  return collector_.last_activity_ns();
}

std::uint64_t Monitor::poll() {
  aggregator_.advance(horizon_ns());
  return collector_.poll();
}

void Monitor::on_phase(const PhaseMark& phase) {
  const PhaseKey key{phase.kind, phase.process, phase.name};
  const auto found = phases_.find(key);
  if (found == phases_.end() && phases_.size() >= kMaxDetails) return;
  phases_[key].add(static_cast<std::uint64_t>(std::max<std::int64_t>(phase.duration_ns, 0)));
}

void Monitor::on_call_site(const CallSite& site) {
  const PhaseKey key{site.kind, site.process, site.name};
  const auto found = call_sites_.find(key);
  if (found == call_sites_.end() && call_sites_.size() >= kMaxDetails) return;
  ++call_sites_[key];
}

void Monitor::on_event(const Event& event) {
  if (events_.size() >= kMaxEvents) events_.erase(events_.begin());
  events_.push_back({event.at_ns, event.severity, collector_.text(event.process, event.name),
                     event.process, event.value});
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
  for (const MetricValue& metric : collector_.metrics())
    add_metric(snapshot->metrics, view_of(metric));
  add_details(*snapshot);
  snapshot->events = events_;
  for (EventView& event : snapshot->events) {
    if (event.pid < snapshot->processes.size()) event.pid = snapshot->processes[event.pid].pid;
  }
  snapshot->findings = detect(*snapshot, detect_);
  return snapshot;
}

MonitorThread::MonitorThread(const MonitorOptions& options, std::int64_t publish_every_ns)
    : monitor_(options), publish_every_ns_(publish_every_ns), latest_(monitor_.snapshot()) {
  thread_ = std::thread([this] { run(); });
}

MonitorThread::~MonitorThread() { stop(); }

void MonitorThread::run() {
  std::int64_t next_ns = 0;
  while (!stopping_.load(std::memory_order_acquire)) {
    monitor_.poll();
    const std::int64_t now_ns = monotonic_ns();
    if (now_ns >= next_ns) {
      latest_.store(monitor_.snapshot());  // publishes an immutable snapshot
      next_ns = now_ns + publish_every_ns_;
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
