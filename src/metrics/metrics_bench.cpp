// What it takes to write metrics of a large job: 4,096 cells on 1,024 ranks.
#include <benchmark/benchmark.h>

#include "analyze/aggregate.hpp"
#include "metrics/openmetrics.hpp"
#include "metrics/otlp.hpp"

namespace peerscope {
namespace {

std::shared_ptr<const Snapshot> large_job() {
  Aggregator aggregator;
  std::vector<Op> ops;
  for (std::uint16_t rank = 0; rank < 1024; ++rank) {
    for (std::uint64_t i = 0; i < 4; ++i) {
      Op op;
      op.begin_ns = 1'000'000;
      op.host_duration_ns = 5'000 + rank;
      op.bytes = std::uint64_t{4096} << i;
      op.comm = 1;
      op.rank = rank;
      op.ranks = 1024;
      op.peer = static_cast<std::uint16_t>(rank ^ 1);
      op.kind = i % 2 == 0 ? Kind::send : Kind::all_reduce;
      op.algorithm = static_cast<Algorithm>(1 + rank % 12);
      ops.push_back(op);
    }
  }
  aggregator.advance(3'000'000);
  aggregator.add(ops);
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->aggregates = aggregator.snapshot(4'000'000);
  return snapshot;
}

void write(benchmark::State& state) {
  const auto snapshot = large_job();
  MetricsOptions options;
  options.max_series = static_cast<std::size_t>(state.range(0));
  SeriesChoice choice;
  std::size_t bytes = 0;
  for (auto _ : state) bytes = openmetrics(*snapshot, options, {}, &choice).size();
  const std::string text = openmetrics(*snapshot, options, {}, &choice);
  std::size_t series = 0;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    series += text[at] != '#' ? 1 : 0;
  state.counters["series"] = static_cast<double>(series);
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(write)->Arg(2'000)->Arg(6'000)->Arg(20'000)->Unit(benchmark::kMillisecond);

void write_otlp(benchmark::State& state) {
  const auto snapshot = large_job();
  std::size_t bytes = 0;
  for (auto _ : state) bytes = otlp_json(*snapshot, {}, {}, 1).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(write_otlp)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peerscope
