#include "session/grade/watch.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detect.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kReadingNs = 100'000'000;    // as MachineSampler
constexpr std::int64_t kGiveUpNs = 10'000'000'000;  // as Collector

}  // namespace

SimWatch::SimWatch(sim::Simulation& run, const MonitorOptions& options, sim::SimSink* also)
    : run_(run),
      options_(options),
      also_(also),
      aggregator_(options.aggregate),
      joiner_(*this),
      operations_(run.options().topology.gpus.size()),
      errors_(operations_.size()),
      bytes_(operations_.size()),
      now_ns_(run.options().origin_ns),
      next_reading_ns_(now_ns_) {}

bool SimWatch::run_until(std::int64_t until_ns) {
  bool more = true;
  while (more && now_ns_ < until_ns) {
    now_ns_ = std::min(until_ns, next_reading_ns_ > now_ns_ ? next_reading_ns_ : until_ns);
    more = run_.advance(now_ns_, *this);
    aggregator_.advance(now_ns_);
    joiner_.flush_before(now_ns_ - kGiveUpNs);
    if (now_ns_ < next_reading_ns_) continue;
    tally_.add(run_.machine());
    next_reading_ns_ = now_ns_ + kReadingNs;
  }
  return more;
}

// In steps that the windows can follow, as a replay does it.
void SimWatch::on_ops(std::span<const Op> ops) {
  if (also_ != nullptr) also_->on_ops(ops);
  constexpr std::size_t kStep = 256;
  while (!ops.empty()) {
    const auto batch = ops.first(std::min(kStep, ops.size()));
    ops = ops.subspan(batch.size());
    std::int64_t end_ns = INT64_MIN;
    for (const Op& op : batch) {
      end_ns = std::max(end_ns, op.begin_ns + std::max<std::int64_t>(op.host_duration_ns, 0));
      if (op.device_only) continue;
      ++operations_[op.rank];
      bytes_[op.rank] += op.bytes;
      errors_[op.rank] += op.status == OpStatus::ok ? 0 : 1;
    }
    aggregator_.advance(end_ns);
    aggregator_.add(batch);
    joiner_.add(batch);
  }
}

void SimWatch::on_event(const sim::SimEvent& event) {
  if (also_ != nullptr) also_->on_event(event);
  if (events_.size() >= options_.max_events) events_.pop_front();
  events_.push_back({event.at_ns, static_cast<std::uint8_t>(event.severity), event.name,
                     sim::Simulation::pid_of(event.rank), event.value});
}

Snapshot SimWatch::snapshot() {
  Snapshot snapshot;
  snapshot.now_ns = now_ns_;
  snapshot.aggregates = aggregator_.snapshot(now_ns_);
  for (int rank = 0; rank < static_cast<int>(operations_.size()); ++rank) {
    const auto at = static_cast<std::size_t>(rank);
    ProcessView process;
    process.pid = sim::Simulation::pid_of(rank);
    process.name = fmt::format("rank {}", rank);
    process.session = "simulated";
    process.state = run_.process_state(rank);
    process.level = Level::detailed;
    process.operations = process.recorded = process.delivered = operations_[at];
    process.bytes = bytes_[at];
    process.errors = errors_[at];
    process.threads = 1;
    process.created_ns = run_.options().origin_ns;
    process.last_sign_ns = run_.last_sign_ns(rank);
    snapshot.delivered += operations_[at];
    snapshot.processes.push_back(std::move(process));
    const sim::PoolGauge pool = run_.pool(rank);
    for (const auto& [name, value] : {std::pair{"pool.used_bytes", pool.used_bytes},
                                      std::pair{"pool.capacity_bytes", pool.capacity_bytes}}) {
      MetricView metric;
      metric.name = name;
      metric.unit = "bytes";
      metric.value = value;
      metric.rank = rank;
      snapshot.metrics.push_back(std::move(metric));
    }
  }
  snapshot.in_flight = run_.in_flight();
  snapshot.communicators.push_back({run_.options().comm, "world"});
  snapshot.events.assign(events_.begin(), events_.end());
  snapshot.machine = std::make_shared<MachineSummary>(tally_.summary());
  snapshot.findings = detect(snapshot, options_.detect);
  return snapshot;
}

}  // namespace peerscope
