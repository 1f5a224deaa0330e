// What all commands that sweep share: flags, their meaning, the measurement, its output.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/backends.hpp"
#include "cli/bench_nccl.hpp"
#include "suite/result.hpp"

namespace peerscope {

struct OutputRequest {
  bool json = false, csv = false;
  std::string html;  // a file
};

// As given on the command line: lists are separated by commas.
struct SweepRequest {
  std::vector<Kind> kinds{Kind::all_reduce};
  std::uint64_t least = 8, most = 32 << 20;
  double factor = 2;
  int iterations = 20, warmup = 5, check = 1;
  std::string ranks = "0", dtypes = "f32", algorithms = "auto", backends = "host";
  bool threads = false, tuned = false;
  int slow_rank = -1;  // -1: none
  double slow_by_us = 200;
  bool has_nccl_driver = false;  // --backend nccl alone is nccl-tests' sweep (bench_nccl.hpp)
  NcclOptions nccl;  // and what it shares with the others: op, rounds, time-out, graph launches
  OutputRequest output;
  BackendOptions recording;
  std::int64_t keep_ns = 0;  // what earlier sweeps left behind goes at this age
};

// Flags of nccl-tests and ours. The defaults are what `request` holds.
void add_sweep_options(Args& args, SweepRequest& request);
void add_output_options(Args& args, OutputRequest& output);

// After parse(): the same in values, or a sentence about what does not fit.
struct SweepSelection {
  std::vector<std::uint64_t> sizes;
  std::vector<int> ranks;  // 0: as many as the backend usually has
  std::vector<Dtype> dtypes;
  std::vector<Algorithm> algorithms;  // unknown: the backend chooses; empty: all that it has
  std::vector<std::string> backends;
  ReduceOp op = ReduceOp::sum;
};
Result<SweepSelection> select(const Args& args, SweepRequest& request);
bool uses_nccl_driver(const SweepRequest& request, const SweepSelection& selection);

// Measures everything, into `out` as far as it comes; `on_row` hears of each row as it comes, `on_block` of each backend and number
// of ranks before. A backend that cannot take something is skipped with its reason where there are
// others; else that is the error.
struct SweepListener {
  std::function<void(const std::string& heading)> on_block = [](const std::string&) {};
  std::function<void(const BenchRow& row)> on_row = [](const BenchRow&) {};
};
Status measure(const SweepRequest& request, const SweepSelection& selection,
               const SweepListener& listener, ResultSet& out);

// What NCCL's driver is asked for one operation, type and number of ranks.
NcclOptions nccl_options(const SweepRequest& request, const SweepSelection& selection, Kind kind,
                         Dtype dtype, int ranks);

// An empty set that says which machine it is, and when.
ResultSet begin_results(const std::string& command);

// Runs and prints: the exit status. `summary` is printed below the text.
using Summary = std::function<std::string(const ResultSet& set)>;
int bench_sweep(const Args& args, SweepRequest& request, const Summary& summary = nullptr);

// 2 where the input was to blame or a device is missing, else 1; says the sentence.
int refuse_bench(const Error& error);
// Prints JSON or CSV, writes the report; with a report the ceilings are measured before.
Status write_outputs(ResultSet& set, const OutputRequest& output);
void add_ceilings(ResultSet& set);
std::uint64_t count_wrong(const std::vector<BenchRow>& rows);

}  // namespace peerscope
