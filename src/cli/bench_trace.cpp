// peerscope bench trace: how fast a trace is written and read, and how large it is.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "analyze/aggregate.hpp"
#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/measure.hpp"
#include "cli/render.hpp"
#include "record/ticks.hpp"
#include "trace/reader.hpp"
#include "trace/scan.hpp"
#include "trace/workload_for_test.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

namespace fs = std::filesystem;

double cpu_s() { return static_cast<double>(clock_ns(CLOCK_THREAD_CPUTIME_ID)) / 1e9; }

struct Spread {
  double median = 0, least = 0, most = 0;
};

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

struct Results {
  double bytes_per_op = 0;
  std::uint64_t operations = 0;
  Spread write, write_only, scan, filter;  // million operations a second
  Spread statistics_ms, open_ms;
};

// Aggregates and writes what a drain hands over: batches as the collector has them. Processor time.
double write_seconds(const std::vector<Op>& ops, std::uint64_t total, const std::string& path,
                     bool aggregate) {
  constexpr std::size_t kBatch = 256;
  constexpr std::size_t kPrepared = 16 * kBatch;  // stays in the second-level cache
  Aggregator aggregator;
  auto writer = TraceWriter::create(path, {});
  // The same operations again, later: a long run without the memory for one.
  const std::int64_t lap_ns = ops.back().begin_ns - ops.front().begin_ns + 100'000;
  std::vector<Op> prepared;
  double spent = 0;
  for (std::uint64_t done = 0; done < total; done += prepared.size()) {
    const std::uint64_t lap = done / ops.size();
    const std::size_t from = done % ops.size();
    const std::size_t n =
        std::min({kPrepared, ops.size() - from, static_cast<std::size_t>(total - done)});
    prepared.assign(&ops[from], &ops[from] + n);
    for (Op& op : prepared) {
      op.begin_ns += static_cast<std::int64_t>(lap) * lap_ns;
      op.sequence += lap * ops.size();
    }
    const double begin = cpu_s();
    for (std::size_t at = 0; at < n; at += kBatch) {
      const std::span<const Op> batch{&prepared[at], std::min(kBatch, n - at)};
      if (aggregate) {
        aggregator.advance(batch.back().begin_ns);
        aggregator.add(batch);
      }
      writer->add(batch);
    }
    spent += cpu_s() - begin;
  }
  const double begin = cpu_s();
  static_cast<void>(writer->close());
  return spent + cpu_s() - begin;
}

Spread rate(std::uint64_t operations, int rounds, const std::function<double()>& seconds) {
  std::vector<double> rates;
  for (int i = 0; i < rounds; ++i)
    rates.push_back(static_cast<double>(operations) / seconds() / 1e6);
  return spread_of(std::move(rates));
}

template <class F>
double timed(F&& work) {
  const double begin = cpu_s();
  work();
  return cpu_s() - begin;
}

Results measure(bool random, std::uint64_t operations, int rounds, const std::string& path) {
  Results results;
  const std::vector<Op> ops =
      TraceWorkload(random).take(std::min<std::uint64_t>(operations, 1 << 20));
  results.write_only =
      rate(operations, rounds, [&] { return write_seconds(ops, operations, path, false); });
  results.write =
      rate(operations, rounds, [&] { return write_seconds(ops, operations, path, true); });
  const auto trace = TraceReader::open(path);
  if (!trace) return results;
  results.operations = trace->operations();
  results.bytes_per_op =
      static_cast<double>(trace->file_bytes()) / static_cast<double>(trace->operations());
  results.scan = rate(operations, rounds,
                      [&] { return timed([&] { static_cast<void>(scan_histograms(*trace)); }); });
  OpFilter filter;
  filter.kinds = 1U << static_cast<unsigned>(Kind::all_reduce);
  results.filter = rate(operations, rounds, [&] {
    return timed([&] { static_cast<void>(scan_sum_bytes(*trace, filter)); });
  });
  std::vector<double> answers, opens;
  for (int i = 0; i < rounds; ++i) {
    answers.push_back(1e3 *
                      timed([&] { static_cast<void>(statistics_sum_bytes(*trace, filter)); }));
    opens.push_back(1e3 * timed([&] { static_cast<void>(TraceReader::open(path)); }));
  }
  results.statistics_ms = spread_of(answers);
  results.open_ms = spread_of(opens);
  return results;
}

nlohmann::json to_json(const Spread& s) {
  return {{"median", s.median}, {"min", s.least}, {"max", s.most}};
}

nlohmann::json to_json(const Results& r) {
  return {{"operations", r.operations},
          {"bytes_per_op", r.bytes_per_op},
          {"write_mops", to_json(r.write)},
          {"write_without_aggregates_mops", to_json(r.write_only)},
          {"scan_mops", to_json(r.scan)},
          {"filter_mops", to_json(r.filter)},
          {"statistics_ms", to_json(r.statistics_ms)},
          {"open_ms", to_json(r.open_ms)}};
}

std::string cell(const Spread& s) {
  return fmt::format("{:.1f} [{:.1f}..{:.1f}]", s.median, s.least, s.most);
}

int bench_trace_main(Args& args) {
  int millions = 8;
  int rounds = 5;
  std::string dir = "/dev/shm";
  std::string keep;
  bool json = false;
  args.integer("-n,--millions", millions, 1, 10000, "operations, in millions");
  args.integer("--rounds", rounds, 1, 1000, "repetitions of each");
  args.text("--dir", dir, "where to write");
  args.text("--keep", keep, "only write the iterative trace to this file, and leave it there");
  args.flag("--json", json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  const std::string path = fmt::format("{}/peerscope-bench-{}.pscope", dir, getpid());
  if (auto tried = TraceWriter::create(path, {}); !tried) {
    fmt::print(stderr, "peerscope bench trace: {}\n", tried.error().message);
    return 2;
  }
  const std::uint64_t operations = static_cast<std::uint64_t>(millions) * 1'000'000;
  if (!keep.empty()) {
    fs::remove(path);
    write_seconds(TraceWorkload(false).take(1 << 20), operations, keep, false);
    return 0;
  }
  const Results iterative = measure(false, operations, rounds, path);
  const Results random = measure(true, operations, rounds, path);
  fs::remove(path);
  if (json) {
    fmt::print("{}\n", nlohmann::json{{"write_mops", iterative.write.median},
                                      {"scan_mops", iterative.scan.median},
                                      {"filter_mops", iterative.filter.median},
                                      {"bytes_per_op", iterative.bytes_per_op},
                                      {"bytes_per_op_random", random.bytes_per_op},
                                      {"iterative", to_json(iterative)},
                                      {"random", to_json(random)},
                                      {"rounds", rounds}}
                           .dump(2));
    return 0;
  }
  std::vector<std::vector<std::string>> rows{
      {"M operations a second of one core", "iterative", "random"}};
  const auto row = [&](const char* what, const Spread& a, const Spread& b) {
    rows.push_back({what, cell(a), cell(b)});
  };
  rows.push_back({"bytes an operation", fmt::format("{:.2f}", iterative.bytes_per_op),
                  fmt::format("{:.2f}", random.bytes_per_op)});
  row("aggregate and write", iterative.write, random.write);
  row("write", iterative.write_only, random.write_only);
  row("all into histograms", iterative.scan, random.scan);
  row("sum of bytes of one kind", iterative.filter, random.filter);
  row("the same from statistics, ms", iterative.statistics_ms, random.statistics_ms);
  row("open, ms", iterative.open_ms, random.open_ms);
  fmt::print("{}", table(rows, 1, terminal_style()));
  return 0;
}

}  // namespace

const Command kBenchTraceCommand{
    {"bench trace", "how fast a trace is written and read, and how large it is",
     "  peerscope bench trace                 8 million operations in /dev/shm\n"
     "  peerscope bench trace -n 100 --json   100 million\n",
     ""},
    bench_trace_main};

}  // namespace peerscope
