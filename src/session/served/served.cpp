#include "session/served/served.hpp"

#include <algorithm>
#include <chrono>

#include <nlohmann/json.hpp>

#include "session/debug_json.hpp"
#include "session/recording.hpp"
#include "session/replay.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kEventsNs =
    20'000'000;  // between two lots of events: a storm of them is told in lots

std::int64_t monotonic_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

std::int64_t start_of(const Snapshot& snapshot) {
  std::int64_t start_ns = INT64_MAX;
  for (const ProcessView& process : snapshot.processes) {
    if (process.created_ns != kUnknownNs) start_ns = std::min(start_ns, process.created_ns);
  }
  if (snapshot.aggregates && snapshot.aggregates->totals.first_ns != kUnknownNs)
    start_ns = std::min(start_ns, snapshot.aggregates->totals.first_ns);
  return start_ns == INT64_MAX ? 0 : start_ns;
}

// Of a file at once, so that no time that was given out has to be counted anew once all of it has been read.
std::int64_t start_of(const TraceReader& trace) {
  std::int64_t start_ns = INT64_MAX;
  for (const TraceProcess& process : trace.meta().processes) {
    if (process.created_ns != kUnknownNs) start_ns = std::min(start_ns, process.created_ns);
  }
  for (const ChunkInfo& chunk : trace.chunks()) start_ns = std::min(start_ns, chunk.first_ns);
  return start_ns == INT64_MAX ? 0 : start_ns;
}

// What the writer knew at the end speaks where it covers all of the file: it saw the run itself.
Snapshot best_of(Snapshot replayed, const TraceReader& trace) {
  auto stored = stored_snapshot(trace);
  if (!stored) return replayed;
  if (trace.closed() && trace.summary_operations() >= trace.operations()) {
    replayed.now_ns = stored->now_ns;
    replayed.findings = std::move(stored->findings);
    replayed.events = std::move(stored->events);
  }
  return replayed;
}

}  // namespace

Result<std::unique_ptr<Served>> Served::open(ServedOptions options) {
  std::unique_ptr<Served> served(new Served(std::move(options)));
  Served& self = *served;
  self.watch_ = std::make_shared<DebugWatch>(self.options_.debug);
  self.watch_->hook(EventSeverity::trace, [&self](const DebugEvent& event) {
    self.fresh_.push_back({self.next_event_++, event});
  });
  self.options_.monitor.debug = self.watch_;
  if (!self.options_.path.empty()) {
    auto store = Store::open(self.options_.path, self.options_.file ? 0 : self.options_.follow_ns);
    if (!store) return store.error();
    self.store_ = std::move(*store);
  }
  if (self.options_.file) self.start_ns_ = start_of(*self.store_->trace());
  if (!self.options_.file) {
    self.monitor_ = std::make_unique<Monitor>(self.options_.monitor);
    self.monitor_->poll();
    self.live_ = self.monitor_->collector().any_live();
    self.take(self.monitor_->snapshot());
  } else if (auto quick = snapshot_from_statistics(*self.store_->trace(), self.options_.monitor)) {
    if (auto stored = stored_snapshot(*self.store_->trace()))
      quick->findings = std::move(stored->findings);
    self.take(std::make_shared<const Snapshot>(std::move(*quick)));
  } else {  // it was not closed: until all is read nothing is known
    Snapshot empty;
    empty.real_offset_ns = self.store_->trace()->meta().clock.real_offset_ns;
    self.take(std::make_shared<const Snapshot>(std::move(empty)));
  }
  self.analysed_ = self.options_.file ? 0 : 1;
  return served;
}

Served::~Served() { stop(); }

void Served::start(OnLook on_look, OnEvents on_events) {
  on_look_ = std::move(on_look);
  on_events_ = std::move(on_events);
  thread_ = std::thread([this] { run(); });
}

void Served::stop() {
  stopping_.store(true, std::memory_order_release);
  if (thread_.joinable()) thread_.join();
}

void Served::run() {
  if (options_.file)
    run_file();
  else
    run_live();
}

void Served::run_live() {
  std::int64_t next_ns = 0;
  bool finished = false;
  while (!stopping_.load(std::memory_order_acquire)) {
    if (!finished) monitor_->poll();
    const std::int64_t now_ns = monotonic_ns();
    if (now_ns >= next_events_ns_) {
      next_events_ns_ = now_ns + kEventsNs;
      watch_->tell(*snapshot());
      tell_events();
    }
    if (!finished && now_ns >= next_ns) {
      const bool live =
          monitor_->collector().process_count() == 0 || monitor_->collector().any_live();
      if (!live) monitor_->finish();
      live_.store(live, std::memory_order_release);
      auto snapshot = monitor_->snapshot();
      if (!live) watch_->finish();
      take(std::move(snapshot));
      finished = !live;
      next_ns = now_ns + options_.monitor.publish_every_ns;
    }
    std::this_thread::sleep_for(
        std::chrono::nanoseconds(finished ? 20'000'000 : monitor_->next_poll_ns()));
  }
  if (finished) return;
  monitor_->poll();
  monitor_->finish();
  auto last = monitor_->snapshot();
  watch_->finish();
  take(std::move(last));
}

// The statistics of the file answered at once; ranks, collectives and findings need every operation.
void Served::run_file() {
  const std::shared_ptr<const TraceReader> trace = store_->trace();
  const auto all = static_cast<double>(std::max<std::uint64_t>(trace->operations(), 1));
  auto snapshot = replay(
      *trace, options_.monitor,
      [&](std::uint64_t done) {
        analysed_.store(static_cast<double>(done) / all, std::memory_order_relaxed);
      },
      &stopping_);
  if (!snapshot) return;  // stopped, or the file broke: what its statistics say stays
  analysed_.store(1, std::memory_order_relaxed);
  auto whole = std::make_shared<Snapshot>(best_of(std::move(*snapshot), *trace));
  watch_->look(*whole);
  watch_->finish();
  take(std::move(whole));
}

void Served::take(std::shared_ptr<const Snapshot> snapshot) {
  if (start_ns_.load(std::memory_order_relaxed) == 0)
    start_ns_.store(start_of(*snapshot), std::memory_order_release);
  note_errors(*snapshot);
  add_point(*snapshot);
  snapshot_.store(std::move(snapshot));
  tell_events();
  if (on_look_) on_look_(*this);
}

void Served::tell_events() {
  std::vector<ServedEvent> fresh;
  fresh.swap(fresh_);
  if (fresh.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    events_.insert(events_.end(), fresh.begin(), fresh.end());
    while (events_.size() > kMostEvents) events_.pop_front();
  }
  if (on_events_) on_events_(*this, fresh);
}

// A table of a thousand errors is not made ten times a second.
void Served::note_errors(const Snapshot& snapshot) {
  const std::int64_t now_ns = monotonic_ns();
  if (live() && now_ns < next_errors_ns_ &&
      (failed_ == watch_->errors().failed() || now_ns < next_errors_ns_ - kSecondNs / 2))
    return;
  failed_ = watch_->errors().failed();
  next_errors_ns_ = now_ns + kSecondNs;
  std::string text = ::peerscope::errors_json(watch_->errors(), snapshot)
                         .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const std::lock_guard lock(mutex_);
  errors_ = std::move(text);
}

void Served::add_point(const Snapshot& snapshot) {
  if (snapshot.now_ns < next_point_ns_ || !snapshot.aggregates) return;
  next_point_ns_ = snapshot.now_ns + kSecondNs;
  const Point point = point_of(snapshot);
  const std::lock_guard lock(mutex_);
  points_.push_back(point);
  if (points_.size() > kMostPoints) points_.pop_front();
}

std::vector<ServedEvent> Served::events(
    std::uint64_t before, std::size_t limit,
    const std::function<bool(const DebugEvent&)>& wanted) const {
  std::vector<ServedEvent> out;
  const std::lock_guard lock(mutex_);
  for (auto at = events_.rbegin(); at != events_.rend() && out.size() < limit; ++at) {
    if (before != 0 && at->id >= before) continue;
    if (!wanted || wanted(at->event)) out.push_back(*at);
  }
  return out;
}

std::vector<Point> Served::points(std::size_t last) const {
  const std::lock_guard lock(mutex_);
  const std::size_t from = points_.size() > last ? points_.size() - last : 0;
  return {points_.begin() + static_cast<std::ptrdiff_t>(from), points_.end()};
}

std::string Served::errors_json() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

}  // namespace peerscope
