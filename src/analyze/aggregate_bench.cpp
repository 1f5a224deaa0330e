// Cost of aggregation. Goals: 40 M operations/s on an iterative workload, 10 M collectives/s of
// four ranks, and a cost per operation that does not depend on how many there are.
#include <array>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "analyze/aggregate.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kStepNs = 2'000;

// What a drain delivers: batches of one rank's operations, 7 sizes on 8 ranks, i.e. 56 cells.
std::vector<Op> iterative(std::size_t count) {
  std::vector<Op> ops(count);
  std::mt19937 random(1);
  std::lognormal_distribution<double> duration(9.5, 0.5);
  for (std::size_t i = 0; i < count; ++i) {
    Op& op = ops[i];
    op.begin_ns = static_cast<std::int64_t>(i) * kStepNs;
    op.host_duration_ns = static_cast<std::int64_t>(duration(random));
    op.bytes = std::uint64_t{1024} << (i % 7);
    op.sequence = i;
    op.comm = 42;
    op.rank = static_cast<std::uint16_t>(i / 512 % 8);
    op.ranks = 8;
    op.device = op.rank;
    op.kind = Kind::all_reduce;
    op.algorithm = Algorithm::ring;
  }
  return ops;
}

std::vector<Op> random_keys(std::size_t count, std::uint32_t ranks) {
  std::vector<Op> ops = iterative(count);
  std::mt19937 random(2);
  for (Op& op : ops) {
    op.rank = static_cast<std::uint16_t>(random() % ranks);
    op.peer = static_cast<std::uint16_t>(random() % ranks);
    op.device = op.rank;
    op.bytes = std::uint64_t{1} << (random() % 4 * 4);
    op.kind = Kind::send;
  }
  return ops;
}

// Feeds `ops` in batches of 4096 over and over, time going on.
void feed(benchmark::State& state, std::vector<Op> ops) {
  Aggregator aggregator;
  constexpr std::size_t kBatch = 4096;
  const std::int64_t lap_ns = static_cast<std::int64_t>(ops.size()) * kStepNs;
  std::size_t at = 0;
  for (auto _ : state) {
    const std::span<Op> batch = std::span(ops).subspan(at, kBatch);
    aggregator.advance(batch.back().begin_ns + 100'000);
    aggregator.add(batch);
    state.PauseTiming();
    for (Op& op : batch) op.begin_ns += lap_ns;
    state.ResumeTiming();
    at = (at + kBatch) % ops.size();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kBatch));
  state.counters["bytes"] = static_cast<double>(aggregator.memory_bytes());
}

void operations_of_56_cells(benchmark::State& state) { feed(state, iterative(16 * 4096)); }
void operations_of_1024_random_cells(benchmark::State& state) {
  feed(state, random_keys(16 * 4096, 16));
}
void operations_of_4096_random_cells(benchmark::State& state) {
  feed(state, random_keys(16 * 4096, 32));
}
void operations_beyond_the_cells(benchmark::State& state) {
  feed(state, random_keys(16 * 4096, 256));
}
BENCHMARK(operations_of_56_cells);
BENCHMARK(operations_of_1024_random_cells);
BENCHMARK(operations_of_4096_random_cells);
BENCHMARK(operations_beyond_the_cells);

// O(N): the time of N operations over N must not grow with N.
void operations_of_a_run(benchmark::State& state) {
  const std::vector<Op> ops = iterative(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    Aggregator aggregator;
    for (std::size_t at = 0; at < ops.size(); at += 4096) {
      const auto batch = std::span(ops).subspan(at, std::min<std::size_t>(4096, ops.size() - at));
      aggregator.advance(batch.back().begin_ns + 100'000);
      aggregator.add(batch);
    }
    benchmark::DoNotOptimize(aggregator.memory_bytes());
  }
  state.SetComplexityN(state.range(0));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(operations_of_a_run)
    ->RangeMultiplier(4)
    ->Range(1 << 14, 1 << 20)
    ->Complexity(benchmark::oN);

void collectives(benchmark::State& state) {
  const auto ranks = static_cast<std::uint16_t>(state.range(0));
  std::mt19937 random(3);
  std::exponential_distribution<double> jitter(1.0 / 50'000.0);
  std::vector<std::vector<Arrival>> arrivals(1024, std::vector<Arrival>(ranks));
  std::vector<Collective> stream(arrivals.size());
  for (std::size_t i = 0; i < stream.size(); ++i) {
    Collective& c = stream[i];
    for (std::uint16_t rank = 0; rank < ranks; ++rank) {
      arrivals[i][rank] = {static_cast<std::int64_t>(jitter(random)), 1'000'000, rank,
                           OpStatus::ok};
    }
    c = {.comm = 1,
         .sequence = i,
         .bytes = 16384,
         .end_ns = 1'000'000,
         .ranks = ranks,
         .kind = Kind::all_reduce,
         .complete = true,
         .arrivals = arrivals[i]};
    const auto order = [](const Arrival& a, const Arrival& b) { return a.begin_ns < b.begin_ns; };
    const auto [first, last] = std::minmax_element(arrivals[i].begin(), arrivals[i].end(), order);
    c.first_ns = first->begin_ns, c.first_rank = first->rank;
    c.last_ns = last->begin_ns, c.last_rank = last->rank;
  }
  Aggregator aggregator;
  for (auto _ : state) {
    for (const Collective& collective : stream) aggregator.add(collective);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * stream.size()));
}
BENCHMARK(collectives)->Arg(2)->Arg(4)->Arg(8)->Arg(64);

void snapshot(benchmark::State& state) {
  Aggregator aggregator;
  const std::vector<Op> ops = state.range(0) == 56 ? iterative(1 << 16) : random_keys(1 << 16, 32);
  aggregator.add(ops);
  std::int64_t now_ns = ops.back().begin_ns;
  for (auto _ : state) benchmark::DoNotOptimize(aggregator.snapshot(now_ns += 1'000'000));
  state.counters["bytes"] = static_cast<double>(aggregator.memory_bytes());
}
BENCHMARK(snapshot)->Arg(56)->Arg(4096)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace peerscope
