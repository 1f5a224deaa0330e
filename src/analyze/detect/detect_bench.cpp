// Aggregates and all detectors together, on one core. Goals: 5 M operations/s, and a cost per
// operation that does not grow from 10^3 to 10^8 of them. 10^8 takes half a minute: PSCOPE_BENCH_LARGE=1.
#include <cstdlib>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "analyze/aggregate.hpp"
#include "analyze/detect/detect.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kLap = 1 << 15;
constexpr std::uint16_t kRanks = 8;
constexpr std::int64_t kEveryNs = 25'000;      // of one collective, or one send a rank
constexpr std::int64_t kLookNs = 100'000'000;  // findings are asked for, as a session does it

// A quarter of it is sends between all pairs, the rest collectives of seven sizes: eight operations
// each, one a rank.
struct Lap {
  std::vector<Op> ops;
  std::vector<Collective> collectives;  // of each eight operations; ranks 0: sends
  std::vector<Arrival> arrivals;
  std::int64_t ns = 0;
};

Lap make_lap() {
  Lap lap;
  std::mt19937 random(1);
  std::lognormal_distribution<double> duration(9.5, 0.3);
  const std::size_t steps = kLap / kRanks;
  lap.arrivals.resize(kLap);
  for (std::size_t step = 0; step < steps; ++step) {
    const auto begin_ns = static_cast<std::int64_t>(step) * kEveryNs;
    const bool sends = step % 4 == 3;
    Collective c;
    c.ranks = sends ? 0 : kRanks;
    c.comm = 42;
    c.bytes = std::uint64_t{1024} << (step % 7);
    c.kind = Kind::all_reduce;
    c.algorithm = Algorithm::ring;
    c.complete = true;
    c.first_ns = begin_ns;
    for (std::uint16_t rank = 0; rank < kRanks; ++rank) {
      Op op;
      op.begin_ns = begin_ns + rank * 100;
      op.host_duration_ns = static_cast<std::int64_t>(duration(random));
      op.bytes = sends ? 1 << 20 : c.bytes;
      op.comm = 42;
      op.rank = op.device = rank;
      op.ranks = kRanks;
      op.kind = sends ? Kind::send : Kind::all_reduce;
      op.algorithm = sends ? Algorithm::direct : Algorithm::ring;
      if (sends)
        op.peer = static_cast<std::uint16_t>((rank + 1 + step / 4 % (kRanks - 1)) % kRanks);
      lap.ops.push_back(op);
      const std::int64_t end_ns = op.begin_ns + op.host_duration_ns;
      lap.arrivals[step * kRanks + rank] = {op.begin_ns, end_ns, rank, OpStatus::ok};
      c.last_ns = op.begin_ns;
      c.end_ns = std::max(c.end_ns, end_ns);
    }
    c.first_rank = 0;
    c.last_rank = kRanks - 1;
    lap.collectives.push_back(c);
  }
  lap.ns = static_cast<std::int64_t>(steps) * kEveryNs;
  return lap;
}

void move_on(Lap& lap) {
  for (Op& op : lap.ops) op.begin_ns += lap.ns;
  for (Arrival& arrival : lap.arrivals) arrival.begin_ns += lap.ns, arrival.end_ns += lap.ns;
  for (Collective& c : lap.collectives)
    c.first_ns += lap.ns, c.last_ns += lap.ns, c.end_ns += lap.ns;
}

void aggregates_and_detectors(benchmark::State& state) {
  const auto wanted = static_cast<std::size_t>(state.range(0));
  std::size_t memory = 0, findings = 0;
  const Lap first = make_lap();
  for (auto _ : state) {
    Aggregator aggregator;
    Lap lap = first;
    std::int64_t next_look_ns = kLookNs;
    for (std::size_t done = 0; done < wanted;) {
      for (std::size_t step = 0; step < lap.collectives.size() && done < wanted;
           ++step, done += kRanks) {
        const std::span<const Op> ops = std::span(lap.ops).subspan(step * kRanks, kRanks);
        const std::int64_t now_ns = ops.front().begin_ns;
        aggregator.advance(now_ns);
        aggregator.add(ops);
        Collective& c = lap.collectives[step];
        c.arrivals = std::span<const Arrival>(lap.arrivals).subspan(step * kRanks, kRanks);
        if (c.ranks > 0) aggregator.add(c);
        if (now_ns < next_look_ns) continue;
        next_look_ns = now_ns + kLookNs;
        Snapshot snapshot;
        snapshot.now_ns = now_ns;
        snapshot.aggregates = aggregator.snapshot(now_ns);
        findings += detect(snapshot).size();
      }
      move_on(lap);
    }
    memory = aggregator.memory_bytes();
  }
  benchmark::DoNotOptimize(findings);
  state.SetComplexityN(state.range(0));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
  state.counters["bytes"] = static_cast<double>(memory);
  state.counters["bound"] = static_cast<double>(Aggregator::memory_bound_bytes({}));
}

void sizes(benchmark::internal::Benchmark* bench) {
  for (std::int64_t count = 1'000; count <= 10'000'000; count *= 10) bench->Arg(count);
  if (std::getenv("PSCOPE_BENCH_LARGE") != nullptr) bench->Arg(100'000'000);
}
BENCHMARK(aggregates_and_detectors)
    ->Apply(sizes)
    ->Unit(benchmark::kMillisecond)
    ->Complexity(benchmark::oN);

}  // namespace
}  // namespace peerscope
