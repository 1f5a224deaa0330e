// peerscope bench overlap: communication beside computation.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/bench_steps.hpp"
#include "cli/bench_sweep.hpp"
#include "cli/commands.hpp"

namespace peerscope {
namespace {

void print_head() {
  fmt::print(
      "# times of one operation and of the computation beside it, in us; x: times as long\n");
  fmt::print("#{:>11} {:>14} {:>10} {:>10} {:>7} {:>10} {:>10} {:>7} {:>8}\n", "size", "", "comm",
             "beside", "", "compute", "beside", "", "hidden");
}

void print_row(const OverlapRow& row) {
  fmt::print(
      "{:>12} {:>14} {:>10.2f} {:>10.2f} {:>6.2f}x {:>10.2f} {:>10.2f} {:>6.2f}x {:>8}  # {}\n",
      row.bytes, row.operation, row.comm_alone_us, row.comm_beside_us, row.comm_slowdown(),
      row.compute_alone_us, row.compute_beside_us, row.compute_slowdown(),
      format_percent(row.hidden()), row.backend + " " + row.algorithm);
  std::fflush(stdout);
}

int overlap_main(Args& args) {
  SweepRequest request;
  request.least = 4096;
  request.most = 4 << 20;
  request.factor = 32;
  request.check = 0;
  std::string operation = "all_reduce";
  args.text("--operation", operation, "all_reduce, all_gather, ...");
  add_sweep_options(args, request);
  if (const auto status = args.parse()) return *status;
  const auto kind = kind_named(operation);
  if (!kind) return refuse_bench(kind.error());
  request.kinds = {*kind};
  const Result<SweepSelection> selection = select(args, request);
  if (!selection) return refuse_bench(selection.error());
  if (request.output.csv || !request.output.html.empty())
    return refuse_bench({ErrorCode::invalid_argument, "bench overlap has --json only"});
  nlohmann::json rows = nlohmann::json::array();
  if (!request.output.json) print_head();
  const Status done = measure_overlap(request, *selection, [&](const OverlapRow& row) {
    if (!request.output.json) print_row(row);
    rows.push_back(to_json(row));
  });
  if (!done) return refuse_bench(done.error());
  if (request.output.json) fmt::print("{}\n", nlohmann::json{{"rows", rows}}.dump(2));
  return 0;
}

constexpr const char* kExamples =
    "  peerscope bench overlap -g 2\n"
    "  peerscope bench overlap --operation all_gather -b 64K -e 64K -n 200 --json\n";

}  // namespace

const Command kBenchOverlapCommand = {
    {"bench overlap", "communication beside computation: what each costs the other", kExamples,
     "1 a rank failed"},
    overlap_main};

}  // namespace peerscope
