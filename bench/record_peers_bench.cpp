// What recording one operation costs, with ours and with its peers. Run by bench/record.sh:
//   record_peers_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=21
#include <cstdlib>
#include <filesystem>

#include <benchmark/benchmark.h>

#include "cli/measure.hpp"
#include "peers.hpp"
#include "peerscope/peerscope.h"
#include "record/session_for_test.hpp"

namespace peerscope::peers {
namespace {

// Steps of a model on 8 devices: 7 sizes, each rank's collectives in order.
std::array<Operation, 1024> make_operations() {
  std::array<Operation, 1024> operations{};
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const std::size_t source = i % kDevices;
    operations[i] = {std::uint64_t{1024} << (i % 7),
                     i,
                     static_cast<std::uint16_t>(source),
                     static_cast<std::uint16_t>((source + 1) % kDevices),
                     static_cast<std::uint16_t>(i % 4),
                     PSCOPE_KIND_SEND,
                     PSCOPE_ALGORITHM_RING};
  }
  return operations;
}

}  // namespace

void add_floor(Bench& bench) {
  add_row(bench, "two clock reads", [clock = bench.clock](const Operation&) {
    std::uint64_t begin = ticks_now(clock);
    std::uint64_t end = ticks_now(clock);
    benchmark::DoNotOptimize(begin);
    benchmark::DoNotOptimize(end);
  });
  add_row(bench, "two clock_gettime", [](const Operation&) {
    std::uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    std::uint64_t end = clock_ns(CLOCK_MONOTONIC);
    benchmark::DoNotOptimize(begin);
    benchmark::DoNotOptimize(end);
  });
}

}  // namespace peerscope::peers

int main(int argc, char** argv) {
  using namespace peerscope;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const RuntimeDir directory;  // of recordings; the libraries' own threads stay off this processor
  setenv("PEERSCOPE_RUNTIME_DIR", directory.path().c_str(), 1);
  peers::Bench bench{choose_clock_source(), directory.path(), peers::make_operations()};
  pin_to(1);  // threads that peers start stay there
  for (const auto add : peers::kPeers) add(bench);
  pin_to(0);
  benchmark::AddCustomContext("clock", bench.clock == ClockSource::tsc ? "tsc" : "monotonic");
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
