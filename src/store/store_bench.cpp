// What the store costs: to make its index, to answer, to follow. Times are of one thread, in ms.
// STORE_BENCH_OPERATIONS says how many operations the trace has (4 million), STORE_BENCH_FILE where it is and stays,
// STORE_BENCH_RANDOM makes every field of them random: far more cells than there is room for.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include "store/store.hpp"
#include "trace/workload_for_test.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

// Every collective by eight ranks, each a process; what is sent is received.
class EightRanks {
 public:
  std::vector<Op> take(std::size_t n) {
    std::vector<Op> ops;
    ops.reserve(n + 8);
    while (ops.size() < n) {
      Op op = workload_.next();
      op.sequence = sequence_++;
      if (op.kind == Kind::send) {
        add(op, op.rank, ops);
        std::swap(op.rank, op.peer);
        op.kind = Kind::recv;
        add(op, op.rank, ops);
      } else {
        for (std::uint16_t rank = 0; rank < 8; ++rank) add(op, rank, ops);
      }
    }
    return ops;
  }

 private:
  void add(Op op, std::uint16_t rank, std::vector<Op>& ops) {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    const auto late = static_cast<std::int64_t>(random_ >> 52);  // up to 4 us
    op.rank = op.device = rank;
    op.process = rank;
    if (is_collective(op.kind) && !has_root(op.kind)) op.peer = kNoPeer;
    op.begin_ns += late;
    op.host_duration_ns += 4096 - late;
    ops.push_back(op);
  }
  TraceWorkload workload_{std::getenv("STORE_BENCH_RANDOM") != nullptr};
  std::uint64_t sequence_ = 0, random_ = 1;
};

std::int64_t cpu_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::int64_t resident_bytes() {
  std::int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

class Stored {
 public:
  Stored() {
    const char* file = std::getenv("STORE_BENCH_FILE");
    const char* operations = std::getenv("STORE_BENCH_OPERATIONS");
    keep_ = file != nullptr;
    path_ = keep_ ? file : fmt::format("/tmp/peerscope-store-bench-{}.pscope", getpid());
    if (!std::filesystem::exists(path_)) {
      auto writer = TraceWriter::create(path_, {});
      EightRanks work;
      const std::uint64_t wanted = operations != nullptr ? std::stoull(operations) : 4'000'000;
      while (writer->status().operations < wanted) writer->add(work.take(65'536));
      static_cast<void>(writer->close());
    }
  }
  ~Stored() {
    if (!keep_) std::filesystem::remove(path_);
  }
  Stored(const Stored&) = delete;
  Stored& operator=(const Stored&) = delete;

  [[nodiscard]] std::unique_ptr<Store> open() const { return std::move(*Store::open(path_)); }
  [[nodiscard]] std::unique_ptr<Store> indexed() const {
    auto store = open();
    while (store->state().indexed < store->state().operations)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return store;
  }

 private:
  std::string path_;
  bool keep_ = false;
};
const Stored& stored() {
  static const Stored one;
  return one;
}

void index_all(benchmark::State& state) {
  const Stored& trace = stored();
  for (auto _ : state) {
    const std::int64_t before = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    const std::int64_t resident = resident_bytes();
    const auto store = trace.indexed();
    state.counters["cpu_s"] = static_cast<double>(cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - before) / 1e9;
    state.counters["index_mb"] = static_cast<double>(store->state().memory_bytes) / 1e6;
    state.counters["resident_mb"] = static_cast<double>(resident_bytes() - resident) / 1e6;
    state.counters["operations"] = static_cast<double>(store->state().operations);
    state.counters["slot_ms"] = static_cast<double>(store->state().slot_ns) / 1e6;
  }
}
BENCHMARK(index_all)->Iterations(1)->UseRealTime()->Unit(benchmark::kSecond);

// A range of the trace, from a billionth of it to all: each size as likely as any other.
class Ranges {
 public:
  explicit Ranges(const Store& store) : state_(store.state()) {}
  OpFilter next() {
    const auto whole = static_cast<double>(state_.last_ns - state_.first_ns);
    const double length = whole * std::pow(10.0, -6.0 * uniform_(engine_));
    OpFilter filter;
    filter.from_ns =
        state_.first_ns + static_cast<std::int64_t>(uniform_(engine_) * (whole - length));
    filter.to_ns = filter.from_ns + static_cast<std::int64_t>(length) + 1;
    return filter;
  }

 private:
  StoreState state_;
  std::mt19937_64 engine_{7};
  std::uniform_real_distribution<double> uniform_;
};

// `ask(store, ranges)` a hundred times.
template <class F>
void ask_often(benchmark::State& state, F&& ask) {
  static const std::unique_ptr<Store> store = stored().indexed();
  Ranges ranges(*store);
  std::vector<double> ms;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    const std::int64_t cpu = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    ask(*store, ranges);
    benchmark::DoNotOptimize(begin);
    ms.push_back(static_cast<double>(cpu_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) / 1e6);
  }
  std::sort(ms.begin(), ms.end());
  state.counters["p50"] = ms[ms.size() / 2];
  state.counters["p99"] = ms[(ms.size() - 1) * 99 / 100];
  state.counters["max"] = ms.back();
}

void aggregate(benchmark::State& state, std::vector<GroupBy> by, bool whole, int points) {
  ask_often(state, [&](const Store& store, Ranges& ranges) {
    AggregateQuery query;
    query.by = by;
    if (!whole) query.filter = ranges.next();
    const StoreState now = store.state();
    if (points > 0) query.resolution_ns = (now.last_ns - now.first_ns) / points;
    benchmark::DoNotOptimize(store.aggregate(query));
  });
}
BENCHMARK_CAPTURE(aggregate, all_by_operation_and_size, {GroupBy::operation, GroupBy::size}, true,
                  0)
    ->Iterations(100);
BENCHMARK_CAPTURE(aggregate, all_by_rank_200_points, {GroupBy::rank}, true, 200)->Iterations(100);
BENCHMARK_CAPTURE(aggregate, all_by_pair_1000_points,
                  {GroupBy::operation, GroupBy::rank, GroupBy::peer}, true, 1000)
    ->Iterations(100);
BENCHMARK_CAPTURE(aggregate, any_range_by_rank, {GroupBy::rank}, false, 0)->Iterations(300);

void heat_map(benchmark::State& state, bool whole) {
  ask_often(state, [&](const Store& store, Ranges& ranges) {
    HeatMapQuery query;
    if (!whole) query.filter = ranges.next();
    benchmark::DoNotOptimize(store.heat_map(query));
  });
}
BENCHMARK_CAPTURE(heat_map, all, true)->Iterations(100);
BENCHMARK_CAPTURE(heat_map, any_range, false)->Iterations(300);

void operations(benchmark::State& state, bool newest_first, bool only_errors, bool whole) {
  ask_often(state, [&](const Store& store, Ranges& ranges) {
    OperationQuery query;
    if (!whole) query.filter = ranges.next();
    query.newest_first = newest_first;
    query.filter.only_errors = only_errors;
    benchmark::DoNotOptimize(store.operations(query));
  });
}
BENCHMARK_CAPTURE(operations, first_page, false, false, true)->Iterations(100);
BENCHMARK_CAPTURE(operations, newest_first, true, false, true)->Iterations(100);
BENCHMARK_CAPTURE(operations, errors, false, true, true)->Iterations(100);
BENCHMARK_CAPTURE(operations, any_range, false, false, false)->Iterations(300);

void operations_of_none(benchmark::State& state) {
  ask_often(state, [&](const Store& store, Ranges&) {
    OperationQuery query;
    query.filter.rank = 999;
    benchmark::DoNotOptimize(store.operations(query));
  });
}
BENCHMARK(operations_of_none)->Iterations(100);

void collectives(benchmark::State& state, bool newest_first, bool only_errors, bool whole) {
  ask_often(state, [&](const Store& store, Ranges& ranges) {
    OperationQuery query;
    if (!whole) query.filter = ranges.next();
    query.newest_first = newest_first;
    query.filter.only_errors = only_errors;
    benchmark::DoNotOptimize(store.collectives(query));
  });
}
BENCHMARK_CAPTURE(collectives, first_page, false, false, true)->Iterations(100);
BENCHMARK_CAPTURE(collectives, errors, false, true, true)->Iterations(100);
BENCHMARK_CAPTURE(collectives, newest_first, true, false, true)->Iterations(100);
BENCHMARK_CAPTURE(collectives, any_range, false, false, false)->Iterations(300);

void timeline(benchmark::State& state, bool whole) {
  ask_often(state, [&](const Store& store, Ranges& ranges) {
    TimelineQuery query;
    if (!whole) query.filter = ranges.next();
    benchmark::DoNotOptimize(store.timeline(query));
  });
}
BENCHMARK_CAPTURE(timeline, all, true)->Iterations(100);
BENCHMARK_CAPTURE(timeline, any_zoom, false)->Iterations(300);

// A million operations a second are written; what the store's thread takes of a core.
void follow(benchmark::State& state) {
  const std::string path = fmt::format("/tmp/peerscope-store-follow-{}.pscope", getpid());
  constexpr std::size_t kBatch = 10'000;
  const std::vector<Op> ops = EightRanks().take(500 * kBatch);
  for (auto _ : state) {
    auto writer = TraceWriter::create(path, {});
    const auto store = std::move(*Store::open(path, 100'000'000));
    const std::int64_t all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID),
                       own = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < 500; ++i) {
      writer->add(std::span(ops).subspan(i * kBatch, kBatch));
      std::this_thread::sleep_until(begin + std::chrono::milliseconds(10 * (i + 1)));
    }
    const std::chrono::duration<double> s = std::chrono::steady_clock::now() - begin;
    const std::int64_t cpu =
        cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all - (cpu_ns(CLOCK_THREAD_CPUTIME_ID) - own);
    state.counters["share_of_a_core"] = static_cast<double>(cpu) / 1e9 / s.count();
    state.counters["operations_per_s"] = 500.0 * kBatch / s.count();
  }
  std::filesystem::remove(path);
}
BENCHMARK(follow)->Iterations(1)->UseRealTime();

}  // namespace
}  // namespace peerscope
