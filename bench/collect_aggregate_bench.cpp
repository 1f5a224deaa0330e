// How many records a second one core takes from rings into rows, and into a trace file besides:
// Collector, Aggregator and TraceWriter, as a Monitor has them. 1 rank: nothing to join.
#include <filesystem>
#include <optional>

#include "analyze/aggregate.hpp"
#include "collect/backlog_for_bench.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

class Aggregating final : public Sink {
 public:
  Aggregating() = default;
  explicit Aggregating(const std::string& trace) {
    if (auto writer = TraceWriter::create(trace, {})) writer_.emplace(std::move(*writer));
  }
  [[nodiscard]] bool writes() const { return writer_.has_value(); }

  void on_ops(std::span<const Op> ops) override {
    aggregator_.advance(ops.back().begin_ns);
    aggregator_.add(ops);
    if (writer_) writer_->add(ops);
  }
  void on_collective(const Collective& collective) override { aggregator_.add(collective); }

 private:
  Aggregator aggregator_;
  std::optional<TraceWriter> writer_;
};

void aggregate(benchmark::State& state) {
  Aggregating sink;
  read_after_writers(state, sink);
}
BENCHMARK(aggregate)->Arg(1)->Arg(2)->Arg(4)->ArgName("ranks")->Unit(benchmark::kMillisecond);

// Into memory where the machine has it: what is measured is the writer, not the disk.
void aggregate_and_write(benchmark::State& state) {
  const bool memory = std::filesystem::is_directory("/dev/shm");
  const std::filesystem::path path =
      (memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) /
      "peerscope-bench.pscope";
  Aggregating sink(path.string());
  if (!sink.writes()) return state.SkipWithError("the trace file could not be made");
  read_after_writers(state, sink);
  std::filesystem::remove(path);
}
BENCHMARK(aggregate_and_write)->Arg(1)->ArgName("ranks")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peerscope
