// What benchmarks of collecting share: sessions that write, and a reader that comes when they have.
#pragma once

#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "collect/collector.hpp"
#include "record/session_for_test.hpp"

namespace peerscope {

// One rank a session, as the ranks of one job write: the same collectives in the same order, 7
// sizes, at about the same time.
class Writers {
 public:
  // `ranks` of the communicator; as many sessions. With 1 rank there is nothing to join.
  explicit Writers(std::uint32_t ranks) {
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
      sessions_.push_back(std::make_unique<TestSession>(dir_));
      comms_.push_back(sessions_.back()->comm(42, rank, ranks, static_cast<std::uint16_t>(rank)));
    }
  }

  // Each rank takes part in `count` collectives.
  void write(std::uint64_t count) {
    for (const std::uint64_t end = made_ + count; made_ < end; made_ += kTurn) {
      for (std::size_t rank = 0; rank < sessions_.size(); ++rank) take_turn(rank);
    }
  }

  [[nodiscard]] CollectorOptions options() const {
    return {.dirs = {dir_.path()}, .sessions = {}, .pid = 0};
  }

 private:
  static constexpr std::uint64_t kTurn = 64;  // operations of one rank after another

  void take_turn(std::size_t rank) {
    pscope_op op = operation(PSCOPE_KIND_ALL_REDUCE, comms_[rank]);
    op.algorithm = PSCOPE_ALGORITHM_RING;
    for (std::uint64_t i = 0; i < kTurn; ++i) {
      op.sequence = made_ + i;
      op.bytes = std::uint64_t{1024} << (op.sequence % 7);
      record(*sessions_[rank], op);
    }
  }

  RuntimeDir dir_;
  std::vector<std::unique_ptr<TestSession>> sessions_;
  std::vector<std::uint16_t> comms_;
  std::uint64_t made_ = 0;
};

// Ranks write, untimed; then one reader takes what there is. Its first rounds make the rings grow
// and are not timed either.
inline void read_after_writers(benchmark::State& state, Sink& sink) {
  constexpr std::uint64_t kRound = std::uint64_t{1} << 17;  // a quarter of the largest ring
  Writers writers(static_cast<std::uint32_t>(state.range(0)));
  Collector collector(writers.options(), sink);
  for (int i = 0; i < 2000; ++i) {
    writers.write(4096);
    collector.poll();
  }
  std::uint64_t records = 0;
  for (auto _ : state) {
    state.PauseTiming();
    writers.write(kRound);
    state.ResumeTiming();
    while (const std::uint64_t count = collector.poll()) records += count;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(records));
  std::uint64_t lost = 0;
  for (const ProcessStatus& process : collector.processes()) lost += process.lost;
  state.counters["lost"] = static_cast<double>(lost);
}

}  // namespace peerscope
