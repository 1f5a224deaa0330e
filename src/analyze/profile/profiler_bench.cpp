// What the profile of one operation costs, and that it stays so: from 10^3 to 10^7 operations (--benchmark_filter and a
// larger Range show more).
#include <benchmark/benchmark.h>

#include "analyze/profile/profiler.hpp"
#include "analyze/profile/stream_for_test.hpp"

namespace peerscope {
namespace {

void profile_operations(benchmark::State& state) {
  Dice dice(1);
  std::vector<Op> token = decoding(dice, 0, 10, 160);
  const std::int64_t length_ns = token.back().begin_ns + 50'000;
  for (auto _ : state) {
    Profiler profiler;
    std::int64_t left = state.range(0), begin_ns = 0;
    while (left > 0) {
      state.PauseTiming();
      std::vector<Op> batch = token;
      for (Op& op : batch) op.begin_ns += begin_ns;
      state.ResumeTiming();
      const auto taken = std::min<std::int64_t>(left, static_cast<std::int64_t>(batch.size()));
      profiler.add({batch.data(), static_cast<std::size_t>(taken)});
      left -= taken;
      begin_ns += length_ns;
    }
    benchmark::DoNotOptimize(profiler);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetComplexityN(state.range(0));
}
BENCHMARK(profile_operations)
    ->RangeMultiplier(10)
    ->Range(1'000, 10'000'000)
    ->Complexity(benchmark::oN)
    ->Unit(benchmark::kMillisecond);

// Asked for once, at the end.
void profile_report(benchmark::State& state) {
  Dice dice(1);
  Profiler profiler;
  profiler.add(decoding(dice, 0, 1000, 160));
  for (auto _ : state) benchmark::DoNotOptimize(profiler.report());
}
BENCHMARK(profile_report)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peerscope
