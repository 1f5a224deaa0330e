// What all recorders of this benchmark share: the operations that they record, and how one is
// timed.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "record/ticks.hpp"

namespace peerscope::peers {

struct Operation {
  std::uint64_t bytes;
  std::uint64_t sequence;
  std::uint16_t source, destination, stream;
  std::uint8_t kind, algorithm;
};

inline constexpr int kOk = 0;  // status of every operation
inline constexpr std::size_t kDevices = 8;
inline constexpr int kBurst = 1000;                 // operations timed at once
inline constexpr int kBursts = 25;                  // a repetition
inline constexpr std::uint64_t kPauseNs = 500'000;  // between bursts: peers that write drain now

struct Bench {
  ClockSource clock;
  std::string directory;  // in /dev/shm; removed at the end
  std::array<Operation, 1024> operations;
};

inline void spin_until(std::uint64_t end_ns) {
  while (clock_ns(CLOCK_MONOTONIC) < end_ns) continue;
}

// Bursts of begin + end. A repetition reports the middle burst, in ns an operation.
template <class Pair>
void measure(benchmark::State& state, const Bench& bench, Pair&& pair) {
  std::vector<double> ns;
  std::size_t at = 0;
  const auto burst = [&] {
    const std::uint64_t before_ns = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < kBurst; ++i) {
      pair(bench.operations[at]);
      at = (at + 1) % bench.operations.size();
    }
    return clock_ns(CLOCK_MONOTONIC) - before_ns;
  };
  burst();  // code and data are in the caches from here on
  for (auto _ : state) {
    spin_until(clock_ns(CLOCK_MONOTONIC) + kPauseNs);
    const auto took_ns = static_cast<double>(burst());
    ns.push_back(took_ns / kBurst);
    state.SetIterationTime(took_ns / 1e9);
  }
  std::sort(ns.begin(), ns.end());
  state.counters["ns"] = ns[ns.size() / 2];
  state.counters["ns_least"] = ns.front();
}

// Adds a row to the benchmark. `prepare` runs before each repetition, outside of what is timed.
template <class Prepare, class Pair>
void add_row(const Bench& bench, const char* name, Prepare prepare, Pair pair) {
  benchmark::RegisterBenchmark(name,
                               [&bench, prepare, pair](benchmark::State& state) {
                                 prepare();
                                 measure(state, bench, pair);
                               })
      ->Iterations(kBursts)
      ->UseManualTime();
}
template <class Pair>
void add_row(const Bench& bench, const char* name, Pair pair) {
  add_row(bench, name, [] {}, pair);
}

}  // namespace peerscope::peers
