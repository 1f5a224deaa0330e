// peerscope bench scale, bench dtype: the same sweep over numbers of ranks, or over types.
#include <fmt/format.h>

#include "cli/bench_steps.hpp"
#include "cli/commands.hpp"

namespace peerscope {
namespace {

int pivot_main(Args& args, SweepRequest request, PivotBy by) {
  std::string operation = "all_reduce";
  request.least = 1024;
  request.most = 16 << 20;
  request.factor = 128;
  args.text("--operation", operation, "all_reduce, all_gather, ...");
  add_sweep_options(args, request);
  if (const auto status = args.parse()) return *status;
  const Result<Kind> kind = kind_named(operation);
  if (!kind) return refuse_bench(kind.error());
  request.kinds = {*kind};
  return bench_sweep(args, request,
                     [by](const ResultSet& set) { return pivot_text(set.rows, by); });
}

int scale_main(Args& args) {
  SweepRequest request;
  request.ranks = "2,3,4";
  return pivot_main(args, request, PivotBy::ranks);
}

int dtype_main(Args& args) {
  SweepRequest request;
  request.dtypes = "all";
  return pivot_main(args, request, PivotBy::dtype);
}

}  // namespace

const Command kBenchScaleCommand = {
    {"bench scale", "the same over numbers of ranks, side by side",
     "  peerscope bench scale -g 2,4,8\n"
     "  peerscope bench scale --operation broadcast -g 2,3,4 -b 1M -e 1M --json\n",
     "1 a rank failed or values were wrong"},
    scale_main};
const Command kBenchDtypeCommand = {{"bench dtype", "the same over element types, side by side",
                                     "  peerscope bench dtype -g 2\n"
                                     "  peerscope bench dtype -d f32,bf16 -o avg -b 64K -e 64K\n",
                                     "1 a rank failed or values were wrong"},
                                    dtype_main};

}  // namespace peerscope
