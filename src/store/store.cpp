#include "store/store.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "store/chunk_cache.hpp"
#include "store/view.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kCacheBytes = 24U << 20;
constexpr std::size_t kReaderBytesOfChunk = 128;
constexpr auto kPublishEvery = std::chrono::milliseconds(100);

StoreView view_of(std::shared_ptr<const TraceReader> trace,
                  std::shared_ptr<const IndexView> index) {
  StoreView view{std::move(trace), std::move(index), INT64_MAX, INT64_MIN};
  for (const ChunkInfo& chunk : view.trace->chunks()) {
    view.first_ns = std::min(view.first_ns, chunk.first_ns);
    view.last_ns = std::max(view.last_ns, chunk.last_ns);
  }
  if (view.first_ns > view.last_ns) view.first_ns = view.last_ns = kUnknownNs;
  return view;
}

// How many of the `indexed` first chunks are no longer at the front of the trace; more than all: what is left is not
// what was indexed.
std::size_t chunks_gone(const TraceReader& before, const TraceReader& after, std::size_t indexed) {
  if (after.trace_id() != before.trace_id()) return indexed + 1;
  const std::uint64_t first = after.chunks().empty() ? UINT64_MAX : after.chunk_id(0);
  std::size_t gone = 0;
  while (gone < indexed && before.chunk_id(gone) < first) ++gone;
  const std::size_t left = indexed - gone;
  const bool same = left == 0 || (left <= after.chunks().size() &&
                                  after.chunk_id(left - 1) == before.chunk_id(indexed - 1));
  return same ? gone : indexed + 1;
}

}  // namespace

struct Store::State {
  explicit State(TraceReader reader, std::int64_t follow)
      : cache(kCacheBytes),
        follow_ns(follow),
        trace(std::make_shared<TraceReader>(std::move(reader))) {
    publish();
  }

  mutable ChunkCache cache;
  const std::int64_t follow_ns;

  mutable std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;                  // under the mutex
  std::shared_ptr<const StoreView> view;  // under the mutex

  // Of the thread alone.
  std::shared_ptr<const TraceReader> trace;
  Index index;
  std::size_t indexed = 0;  // chunks
  std::thread thread;

  void run();
  void look_again();
  void index_all();
  void publish();
  bool waits_no_longer(std::int64_t ns) {
    std::unique_lock lock(mutex);
    return wake.wait_for(lock, std::chrono::nanoseconds(ns), [this] { return stopping; });
  }
  [[nodiscard]] std::shared_ptr<const StoreView> now() const {
    const std::lock_guard lock(mutex);
    return view;
  }
};

void Store::State::publish() {
  auto next = std::make_shared<const StoreView>(view_of(trace, index.publish()));
  const std::lock_guard lock(mutex);
  view.swap(next);
}

// A file that cannot be read for now stays as it was.
void Store::State::look_again() {
  auto newer = trace->refreshed();
  if (!newer || !*newer) return;
  auto next = std::make_shared<const TraceReader>(std::move(**newer));
  const std::size_t gone = chunks_gone(*trace, *next, indexed);
  if (gone > indexed) {
    index = Index();
    index.expect(*next);
    indexed = 0;
  } else if (gone > 0) {
    index.forget(*next, gone);
    indexed -= gone;
  }
  trace = std::move(next);
}

// Views are published often enough to be seen growing, and so seldom that this takes little of the time.
void Store::State::index_all() {
  using Steady = std::chrono::steady_clock;
  Steady::time_point next = Steady::now() + kPublishEvery;
  while (indexed < trace->chunks().size()) {
    index.add(*trace, indexed++);
    const Steady::time_point begin = Steady::now();
    if (begin < next) continue;
    publish();
    if (waits_no_longer(0)) return;
    const Steady::time_point end = Steady::now();
    next = end + std::max<Steady::duration>(kPublishEvery, 10 * (end - begin));
  }
}

void Store::State::run() {
  index.expect(*trace);
  for (;;) {
    index_all();
    publish();
    if (follow_ns <= 0) return;
    std::shared_ptr<const TraceReader> before = trace;
    while (trace == before) {
      if (waits_no_longer(follow_ns)) return;
      look_again();
    }
  }
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path, std::int64_t follow_ns) {
  auto reader = TraceReader::open(path);
  if (!reader) return reader.error();
  auto state = std::make_unique<State>(std::move(*reader), follow_ns);
  State* running = state.get();
  state->thread = std::thread([running] { running->run(); });
  return std::unique_ptr<Store>(new Store(std::move(state)));
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}

Store::~Store() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  state_->thread.join();
}

StoreState Store::state() const {
  const auto view = state_->now();
  StoreState out;
  out.operations = view->trace->operations();
  out.indexed = view->index->operations;
  out.first_ns = view->first_ns;
  out.last_ns = view->last_ns;
  out.slot_ns = view->index->slots.slot_ns();
  out.overflowed = view->index->overflowed;
  out.memory_bytes = view->index->memory_bytes + state_->cache.memory_bytes() +
                     view->trace->chunks().size() * kReaderBytesOfChunk;
  return out;
}

std::shared_ptr<const TraceReader> Store::trace() const { return state_->now()->trace; }

Result<OperationPage> Store::operations(const OperationQuery& query) const {
  return find_operations(*state_->now(), query);
}
Result<CollectivePage> Store::collectives(const OperationQuery& query) const {
  return find_collectives(*state_->now(), query);
}
Result<AggregateTable> Store::aggregate(const AggregateQuery& query) const {
  return aggregate_trace(*state_->now(), state_->cache, query);
}
Result<HeatMap> Store::heat_map(const HeatMapQuery& query) const {
  return make_heat_map(*state_->now(), state_->cache, query);
}
Result<Timeline> Store::timeline(const TimelineQuery& query) const {
  return make_timeline(*state_->now(), state_->cache, query);
}

}  // namespace peerscope
