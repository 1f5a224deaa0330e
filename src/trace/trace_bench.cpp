// What writing and reading a trace costs an operation, part by part. Items are operations.
#include <filesystem>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include "trace/ops_encoder.hpp"
#include "trace/reader.hpp"
#include "trace/scan.hpp"
#include "trace/workload_for_test.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kChunk = 65'536;
constexpr std::size_t kBatch = 256;

void add_all(OpsEncoder& encoder, const std::vector<Op>& ops) {
  for (std::size_t at = 0; at < ops.size(); at += kBatch)
    encoder.add({&ops[at], std::min(kBatch, ops.size() - at)});
}

void encode(benchmark::State& state) {
  const std::vector<Op> ops = TraceWorkload(state.range(0) != 0).take(kChunk);
  OpsEncoder encoder(1, 8);
  std::vector<std::uint8_t> section;
  for (auto _ : state) {
    state.PauseTiming();
    add_all(encoder, ops);
    section.clear();
    state.ResumeTiming();
    encoder.encode({}, section);
  }
  state.counters["bytes_per_op"] = static_cast<double>(section.size()) / kChunk;
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kChunk));
}
BENCHMARK(encode)->Arg(0)->Arg(1)->ArgName("random");

void add_and_encode(benchmark::State& state) {
  const std::vector<Op> ops = TraceWorkload(state.range(0) != 0).take(kChunk);
  OpsEncoder encoder(1, 8);
  std::vector<std::uint8_t> section;
  for (auto _ : state) {
    add_all(encoder, ops);
    section.clear();
    encoder.encode({}, section);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kChunk));
}
BENCHMARK(add_and_encode)->Arg(0)->Arg(1)->ArgName("random");

// A trace of a million operations in memory-backed storage.
class Stored {
 public:
  explicit Stored(bool random)
      : path_(fmt::format("/dev/shm/peerscope-bench-{}.pscope", getpid())) {
    auto writer = TraceWriter::create(path_, {});
    TraceWorkload work(random);
    for (int i = 0; i < 64; ++i) writer->add(work.take(kChunk));
    static_cast<void>(writer->close());
  }
  ~Stored() { std::filesystem::remove(path_); }
  Stored(const Stored&) = delete;
  Stored& operator=(const Stored&) = delete;
  [[nodiscard]] TraceReader open() const { return std::move(*TraceReader::open(path_)); }
  static constexpr std::int64_t kOperations = 64 * static_cast<std::int64_t>(kChunk);

 private:
  std::string path_;
};

void scan_into_histograms(benchmark::State& state) {
  const Stored stored(state.range(0) != 0);
  const TraceReader trace = stored.open();
  for (auto _ : state) benchmark::DoNotOptimize(scan_histograms(trace));
  state.SetItemsProcessed(state.iterations() * Stored::kOperations);
}
BENCHMARK(scan_into_histograms)->Arg(0)->Arg(1)->ArgName("random");

void filtered_sum(benchmark::State& state) {
  const Stored stored(state.range(0) != 0);
  const TraceReader trace = stored.open();
  OpFilter filter;
  filter.kinds = 1U << static_cast<unsigned>(Kind::all_reduce);
  for (auto _ : state) benchmark::DoNotOptimize(scan_sum_bytes(trace, filter));
  state.SetItemsProcessed(state.iterations() * Stored::kOperations);
}
BENCHMARK(filtered_sum)->Arg(0)->Arg(1)->ArgName("random");

void all_operations(benchmark::State& state) {
  const Stored stored(false);
  const TraceReader trace = stored.open();
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    static_cast<void>(trace.for_each_ops({}, [&](std::span<const Op> ops) {
      for (const Op& op : ops) bytes += op.bytes;
      return true;
    }));
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(state.iterations() * Stored::kOperations);
}
BENCHMARK(all_operations);

}  // namespace
}  // namespace peerscope
