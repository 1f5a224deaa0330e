#include "session/replay.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "analyze/aggregate.hpp"
#include "analyze/histogram.hpp"
#include "analyze/profile/spans.hpp"
#include "collect/joiner.hpp"
#include "session/recording.hpp"
#include "session/summary.hpp"

namespace peerscope {

struct Replay::State final : CollectiveSink {
  explicit State(const MonitorOptions& o) : options(o), aggregator(o.aggregate), joiner(*this) {}
  void on_collective(const Collective& collective) override {
    aggregator.add(collective);
    if (options.debug) options.debug->on_collective(collective);
  }

  MonitorOptions options;
  Aggregator aggregator;
  Joiner joiner;
  std::int64_t now_ns = INT64_MIN;
  std::map<std::tuple<Kind, std::uint32_t, std::uint16_t>, Histogram> phases;
  std::map<std::tuple<Kind, std::uint32_t, std::uint16_t>, std::uint64_t> call_sites;
  std::vector<Mark> events;
  std::vector<Mark> debug_marks;  // at most kMostDebugMarks, the first
  static constexpr std::size_t kMostDebugMarks = 100'000;

  void add_details(const TraceMeta& meta, Snapshot& snapshot) const;
};

Replay::Replay(const MonitorOptions& options) : state_(std::make_unique<State>(options)) {}
Replay::~Replay() = default;

void Replay::add(std::span<const Op> ops) {
  // As live: the clock moves on with what has ended, in steps that the windows can follow.
  constexpr std::size_t kStep = 256;
  while (!ops.empty()) {
    const auto batch = ops.first(std::min(kStep, ops.size()));
    ops = ops.subspan(batch.size());
    for (const Op& op : batch)
      state_->now_ns =
          std::max(state_->now_ns, op.begin_ns + std::max<std::int64_t>(op.host_duration_ns, 0));
    state_->aggregator.advance(state_->now_ns);
    state_->aggregator.add(batch);
    state_->joiner.add(batch);
    if (state_->options.debug) state_->options.debug->on_ops(batch);
  }
}

void Replay::add(const Mark& mark) {
  State& state = *state_;
  if (state.options.debug && (mark.type == MarkType::event || mark.type == MarkType::control) &&
      state.debug_marks.size() < State::kMostDebugMarks)
    state.debug_marks.push_back(mark);
  const std::tuple key{mark.kind, mark.process, mark.name};
  const bool room = state.phases.size() + state.call_sites.size() < 2 * state.options.max_details;
  if (mark.type == MarkType::phase) {
    if (room || state.phases.count(key) > 0)
      state.phases[key].add(
          static_cast<std::uint64_t>(std::max<std::int64_t>(mark.duration_ns, 0)));
  } else if (mark.type == MarkType::call_site) {
    if (room || state.call_sites.count(key) > 0) ++state.call_sites[key];
  } else if (mark.type == MarkType::event) {
    if (state.events.size() >= state.options.max_events) state.events.erase(state.events.begin());
    state.events.push_back(mark);
  }
}

void Replay::State::add_details(const TraceMeta& meta, Snapshot& snapshot) const {
  for (const auto& [key, histogram] : phases) {
    const auto& [kind, process, name] = key;
    snapshot.phases.push_back({kind, std::string(meta.name(process, name)), histogram.count(),
                               histogram.quantile(0.5), histogram.quantile(0.99),
                               static_cast<double>(histogram.sum())});
  }
  for (const auto& [key, count] : call_sites) {
    const auto& [kind, process, name] = key;
    snapshot.call_sites.push_back({kind, std::string(meta.name(process, name)), count});
  }
  for (const Mark& mark : events) {
    const TraceProcess* process = meta.process(mark.process);
    snapshot.events.push_back({mark.at_ns, mark.severity,
                               std::string(meta.name(mark.process, mark.name)),
                               process != nullptr ? process->pid : 0, mark.value});
  }
}

namespace {

ProcessView view_of(const TraceProcess& process) {
  ProcessView view;
  view.pid = process.pid;
  view.name = process.name;
  view.session = process.session;
  view.state = process.state;
  view.level = process.level;
  view.operations = process.operations;
  view.bytes = process.bytes;
  view.errors = process.errors;
  view.recorded = process.recorded;
  view.delivered = process.delivered;
  view.lost = process.lost;
  view.before = process.before;
  view.dropped = process.dropped;
  view.pair_cost_ns = process.pair_cost_ns;
  view.overhead_fraction = process.overhead_fraction;
  view.created_ns = process.created_ns;
  view.created_real_ns = process.created_real_ns;
  return view;
}

}  // namespace

namespace {

// A program's own event, a change of what is recorded, or a reader's note ("link_down: GPU 1 ...").
DebugEvent event_of(const Mark& mark, const TraceMeta& meta) {
  DebugEvent event;
  event.at_ns = mark.at_ns;
  event.severity = event_severity(mark.severity);
  event.text = meta.name(mark.process, mark.name);
  event.kind = event.text.empty() ? "event" : event.text;
  event.comm = mark.comm;
  event.rank = mark.rank;
  event.process = mark.process;
  event.value = static_cast<double>(mark.value);
  if (mark.type == MarkType::control) {
    event.kind = "control";
    event.text = fmt::format("level is {}", name(static_cast<Level>(mark.value)));
    event.value.reset();
  } else if (mark.process == Recording::kNotesProcess) {
    const std::size_t colon = event.text.find(": ");
    event.kind = event.text.substr(0, colon);
    if (colon != std::string::npos) event.text.erase(0, colon + 2);
    if (mark.value >= 0) event.device = static_cast<std::uint16_t>(mark.value);
    event.value.reset();
  }
  return event;
}

// What the description of the session gives.
void add_meta(const TraceMeta& meta, Snapshot& snapshot) {
  snapshot.real_offset_ns = meta.clock.real_offset_ns;
  for (const TraceProcess& process : meta.processes) {
    snapshot.processes.push_back(view_of(process));
    snapshot.processes.back().last_sign_ns = snapshot.now_ns;
    snapshot.delivered += process.delivered;
  }
  for (const TraceComm& comm : meta.communicators)
    snapshot.communicators.push_back({comm.id, comm.name});
  snapshot.overhead_fraction = meta.overhead_fraction;
  snapshot.lost = meta.lost;
  snapshot.dropped = meta.dropped;
}

}  // namespace

namespace {

// What a live session knew beside the operations, at its end.
void add_stored(const Snapshot& stored, Snapshot& snapshot) {
  snapshot.in_flight = stored.in_flight;
  snapshot.metrics = stored.metrics;
  snapshot.machine = stored.machine;
  snapshot.trace = stored.trace;
  for (ProcessView& process : snapshot.processes) {
    for (const ProcessView& known : stored.processes) {
      if (known.pid != process.pid) continue;
      process.last_sign_ns = known.last_sign_ns;
      process.stopped = known.stopped;
    }
  }
}

}  // namespace

Snapshot Replay::finish(const TraceMeta& meta, const std::optional<Snapshot>& stored) {
  State& state = *state_;
  state.joiner.flush_all();
  Snapshot snapshot;
  snapshot.now_ns = state.now_ns == INT64_MIN ? 0 : state.now_ns;
  // A session ends when its processes gave their last sign, not with the last operation: a hang is what came after.
  if (stored) snapshot.now_ns = std::max(snapshot.now_ns, stored->now_ns);
  snapshot.aggregates = state.aggregator.snapshot(snapshot.now_ns);
  add_meta(meta, snapshot);
  if (stored) add_stored(*stored, snapshot);
  state.add_details(meta, snapshot);
  snapshot.findings = detect(snapshot, state.options.detect);
  if (state.options.debug) {
    for (const Mark& mark : state.debug_marks) state.options.debug->on_event(event_of(mark, meta));
  }
  return snapshot;
}

Result<Snapshot> replay(const TraceReader& trace, const MonitorOptions& options,
                        const std::function<void(std::uint64_t)>& progress,
                        const std::atomic<bool>* stop) {
  Replay replay(options);
  std::uint64_t done = 0;
  const auto stopped = [stop] { return stop != nullptr && stop->load(std::memory_order_acquire); };
  const Status read = trace.for_each_ops({}, [&](std::span<const Op> ops) {
    replay.add(ops);
    done += ops.size();
    if (progress) progress(done);
    return !stopped();
  });
  if (!read) return read.error();
  if (stopped()) return Error{ErrorCode::io, "reading " + trace.path() + " was stopped"};
  const Status marks = trace.for_each_marks([&](std::span<const Mark> marks_read) {
    for (const Mark& mark : marks_read) {
      // Marks of profiles would drive out what happened.
      const bool profile = mark.type == MarkType::event &&
                           !profile_session_of(trace.meta().name(mark.process, mark.name)).empty();
      if (!profile) replay.add(mark);
    }
    return true;
  });
  if (!marks) return marks.error();
  // A writer that was killed has stored less than it wrote: what was in flight then may have ended.
  auto stored = stored_snapshot(trace);
  if (stored && trace.summary_operations() < trace.operations()) stored->in_flight.clear();
  return replay.finish(trace.meta(), stored);
}

std::optional<Snapshot> stored_snapshot(const TraceReader& trace) {
  const auto text = trace.summary();
  if (!text) return std::nullopt;
  auto snapshot = parse_summary(*text);
  return snapshot ? std::optional(std::move(*snapshot)) : std::nullopt;
}

namespace {

// One (kind, algorithm, size class) of a file's statistics.
struct Pile {
  std::uint64_t count = 0, bytes = 0, errors = 0;
  Op op;  // what its operations have in common
};
using Piles = std::map<std::tuple<Kind, Algorithm, std::uint32_t>, Pile>;

Piles piles_of(const Rollup& rollup) {
  Piles piles;
  for (const ChunkCell& cell : rollup.cells) {
    const Op op = rollup.shapes[cell.shape].op();
    if (op.device_only) continue;
    Pile& pile = piles[{op.kind, op.algorithm, cell.size_class}];
    const std::uint16_t ranks = std::max(pile.op.ranks, op.ranks);
    pile.op = op;
    pile.op.ranks = ranks;
    pile.count += cell.count;
    pile.bytes += cell.bytes;
    pile.errors += op.status != OpStatus::ok ? cell.count : 0;
  }
  return piles;
}

// As many operations as a bucket holds, as one that stands for them all.
void add(Aggregator& aggregator, Op op, std::uint64_t count) {
  for (; count > 0; count -= op.weight) {
    op.weight = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, UINT32_MAX));
    aggregator.add({&op, 1});
  }
}

}  // namespace

std::optional<Snapshot> snapshot_from_statistics(const TraceReader& trace,
                                                 const MonitorOptions& options) {
  const Rollup* rollup = trace.rollup();
  if (rollup == nullptr || trace.chunks().empty()) return std::nullopt;
  Aggregator aggregator(options.aggregate);
  std::int64_t last_ns = INT64_MIN;
  for (const ChunkInfo& chunk : trace.chunks()) last_ns = std::max(last_ns, chunk.last_ns);
  aggregator.advance(last_ns);
  Piles piles = piles_of(*rollup);
  for (const ChunkSeries& series : rollup->series) {
    const auto found = piles.find({series.kind, series.algorithm, series.size_class});
    if (found == piles.end()) continue;
    Pile& pile = found->second;
    Op op = pile.op;
    op.begin_ns = last_ns;
    op.bytes = pile.count > 0 ? pile.bytes / pile.count : 0;
    for (const auto& [bucket, count] : series.buckets) {
      const auto middle_ns = static_cast<std::int64_t>(duration_bucket_middle(bucket));
      if (series.device) {
        op.device_only = true;
        op.device_begin_ns = last_ns;
        op.device_duration_ns = middle_ns;
        add(aggregator, op, count);
        continue;
      }
      op.host_duration_ns = middle_ns;
      const std::uint64_t failed = std::min(count, pile.errors);
      op.status = OpStatus::error;
      add(aggregator, op, failed);
      op.status = OpStatus::ok;
      add(aggregator, op, count - failed);
      pile.errors -= failed;
    }
  }
  Snapshot snapshot;
  snapshot.now_ns = last_ns;
  snapshot.aggregates = aggregator.snapshot(last_ns);
  add_meta(trace.meta(), snapshot);
  return snapshot;
}

}  // namespace peerscope
