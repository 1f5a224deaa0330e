// How many records a second one core takes from rings into rows: Collector and Aggregator, as a
// Monitor has them. 1 rank: nothing to join.
#include "analyze/aggregate.hpp"
#include "collect/backlog_for_bench.hpp"

namespace peerscope {
namespace {

class Aggregating final : public Sink {
 public:
  void on_ops(std::span<const Op> ops) override {
    aggregator_.advance(ops.back().begin_ns);
    aggregator_.add(ops);
  }
  void on_collective(const Collective& collective) override { aggregator_.add(collective); }

 private:
  Aggregator aggregator_;
};

void aggregate(benchmark::State& state) {
  Aggregating sink;
  read_after_writers(state, sink);
}
BENCHMARK(aggregate)->Arg(1)->Arg(2)->Arg(4)->ArgName("ranks")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peerscope
