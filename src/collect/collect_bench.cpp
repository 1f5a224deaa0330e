// What reading costs: from rings to Ops and Collectives, and nothing done with them. With an
// aggregator behind it: bench/collect_aggregate_bench.cpp.
#include "collect/backlog_for_bench.hpp"

namespace peerscope {
namespace {

class Counting final : public Sink {
 public:
  void on_ops(std::span<const Op> ops) override { benchmark::DoNotOptimize(ops_ += ops.size()); }
  void on_collective(const Collective& collective) override {
    benchmark::DoNotOptimize(complete_ += collective.complete ? 1 : 0);
  }

 private:
  std::uint64_t ops_ = 0, complete_ = 0;
};

void deliver(benchmark::State& state) {
  Counting sink;
  read_after_writers(state, sink);
}
BENCHMARK(deliver)->Arg(1)->Arg(2)->Arg(4)->ArgName("ranks")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peerscope
