// all_reduce between two ranks that are threads: what one call takes, by size and algorithm.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "comm/host/host.hpp"

namespace peerscope {
namespace {

// The peer does the same until it is told, by a first element that is not zero, that it was the
// last time.
void all_reduce(benchmark::State& state, Algorithm algorithm) {
  const auto count = static_cast<std::size_t>(state.range(0)) / sizeof(float);
  const Result<HostWorld> world = HostWorld::create({.name = "bench", .ranks = 2});
  const auto mine = world->open(0), theirs = world->open(1);
  if (!mine || !theirs) return state.SkipWithError("cannot open the communicators");
  std::jthread peer([&] {
    std::vector<float> in(count), out(count);
    do {
      if (!(*theirs)->all_reduce({in.data(), count, Dtype::f32}, out.data(), ReduceOp::sum,
                                 algorithm))
        return;
    } while (out[0] == 0.0f);
  });
  std::vector<float> in(count), out(count);
  for (auto _ : state) {
    if (!(*mine)->all_reduce({in.data(), count, Dtype::f32}, out.data(), ReduceOp::sum, algorithm))
      return state.SkipWithError("failed");
  }
  in[0] = 1.0f;
  (void)(*mine)->all_reduce({in.data(), count, Dtype::f32}, out.data(), ReduceOp::sum, algorithm);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

BENCHMARK_CAPTURE(all_reduce, chosen, Algorithm::unknown)
    ->RangeMultiplier(8)
    ->Range(8, 1 << 20)
    ->Arg(16 << 10)
    ->Arg(64 << 20)
    ->UseRealTime();
BENCHMARK_CAPTURE(all_reduce, direct, Algorithm::direct)
    ->Arg(8)
    ->Arg(16 << 10)
    ->Arg(1 << 20)
    ->UseRealTime();
BENCHMARK_CAPTURE(all_reduce, two_shot, Algorithm::two_shot)
    ->Arg(8)
    ->Arg(16 << 10)
    ->Arg(1 << 20)
    ->UseRealTime();
BENCHMARK_CAPTURE(all_reduce, ring, Algorithm::ring)
    ->Arg(8)
    ->Arg(16 << 10)
    ->Arg(1 << 20)
    ->UseRealTime();
BENCHMARK_CAPTURE(all_reduce, binary_tree, Algorithm::binary_tree)
    ->Arg(8)
    ->Arg(16 << 10)
    ->Arg(1 << 20)
    ->UseRealTime();

}  // namespace
}  // namespace peerscope
