// What an export costs, beside the two things that it cannot do without: reading the operations, and
// writing as many bytes to the same place. Items are operations.
#include <filesystem>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "trace/export/export.hpp"
#include "trace/workload_for_test.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kOperations = 1'000'000;
constexpr std::size_t kBlock = 64 * 1024;

std::string in_memory(const char* name) {
  return fmt::format("/dev/shm/peerscope-{}-{}", name, getpid());
}

class FileSink final : public ByteSink {
 public:
  FileSink()
      : path_(in_memory("export")), fd_(open(path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600)) {}
  ~FileSink() override {
    close(fd_);
    std::filesystem::remove(path_);
  }
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;
  void write(std::string_view bytes) override {
    if (::write(fd_, bytes.data(), bytes.size()) > 0) written += bytes.size();
  }
  Status finish() override { return Done{}; }
  std::uint64_t written = 0;

 private:
  std::string path_;
  int fd_;
};

class Stored {
 public:
  Stored() : path_(in_memory("bench.pscope")) {
    auto writer = TraceWriter::create(path_, {});
    TraceWorkload work(false);
    for (std::size_t done = 0; done < kOperations; done += 10'000) writer->add(work.take(10'000));
    static_cast<void>(writer->close());
  }
  ~Stored() { std::filesystem::remove(path_); }
  Stored(const Stored&) = delete;
  Stored& operator=(const Stored&) = delete;
  [[nodiscard]] TraceReader open() const { return std::move(*TraceReader::open(path_)); }

 private:
  std::string path_;
};

const Stored& stored() {
  static const Stored trace;
  return trace;
}

std::uint64_t export_once(const TraceReader& trace, const char* format) {
  FileSink sink;
  benchmark::DoNotOptimize(find_exporter(format)->run(trace, {}, sink));
  return sink.written;
}

void report(benchmark::State& state, std::uint64_t bytes) {
  state.counters["bytes_per_op"] = static_cast<double>(bytes) / kOperations;
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kOperations));
}

void read_only(benchmark::State& state) {
  const TraceReader trace = stored().open();
  for (auto _ : state) {
    std::uint64_t sum = 0;
    static_cast<void>(trace.for_each_ops({}, [&](std::span<const Op> ops) {
      for (const Op& op : ops) sum += op.bytes;
      return true;
    }));
    benchmark::DoNotOptimize(sum);
  }
  report(state, 0);
}
BENCHMARK(read_only)->Unit(benchmark::kMillisecond);

// As many bytes as CSV has, from memory.
void write_same_bytes(benchmark::State& state) {
  const std::uint64_t bytes = export_once(stored().open(), "csv");
  const std::string block(kBlock, 'x');
  for (auto _ : state) {
    FileSink sink;
    while (sink.written < bytes) sink.write(block);
  }
  report(state, bytes);
}
BENCHMARK(write_same_bytes)->Unit(benchmark::kMillisecond);

void export_to(benchmark::State& state, const char* format) {
  const TraceReader trace = stored().open();
  std::uint64_t bytes = 0;
  for (auto _ : state) bytes = export_once(trace, format);
  report(state, bytes);
}
BENCHMARK_CAPTURE(export_to, csv, "csv")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(export_to, jsonl, "jsonl")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(export_to, xml, "xml")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(export_to, chrome, "chrome")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(export_to, inspector, "inspector")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(export_to, perfetto, "perfetto")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace peerscope
