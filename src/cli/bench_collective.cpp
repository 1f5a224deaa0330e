// peerscope bench all_reduce, all_gather, ...: a sweep over sizes, with nccl-tests' flags and columns.
#include "cli/bench_sweep.hpp"
#include "cli/commands.hpp"

namespace peerscope {
namespace {

template <Kind kKind>
int bench_main(Args& args) {
  SweepRequest request;
  request.kinds = {kKind};
  request.has_nccl_driver = is_collective(kKind) || kKind == Kind::send;
  add_sweep_options(args, request);
  if (const auto status = args.parse()) return *status;
  return bench_sweep(args, request);
}

constexpr const char* kExamples =
    "  peerscope bench all_reduce -b 8 -e 1M -f 2 -g 4\n"
    "  peerscope bench all_reduce -b 8 -e 64M -f 4 --algo all --html report.html\n"
    "  peerscope bench all_reduce -b 16K -e 16K -n 1000 --algo ring,two_shot --json\n"
    "  peerscope bench all_reduce --backend nccl -b 8 -e 64M   on all GPUs, from one process\n"
    "  peerscope bench all_reduce --backend nccl -g 2 --processes -d bf16\n"
    "  peerscope bench all_reduce --backend cuda,nccl -g 2     both measured in the same way\n";
constexpr const char* kExits = "or no GPU, driver or NCCL, 1 a rank failed or values were wrong";

}  // namespace

const Command kBenchCollectiveCommands[] = {
    {{"bench all_reduce", "sweep sizes, with nccl-tests' flags and columns", kExamples, kExits},
     bench_main<Kind::all_reduce>},
    {{"bench all_gather", "the same", kExamples, kExits}, bench_main<Kind::all_gather>},
    {{"bench reduce_scatter", "the same", kExamples, kExits}, bench_main<Kind::reduce_scatter>},
    {{"bench broadcast", "the same", kExamples, kExits}, bench_main<Kind::broadcast>},
    {{"bench reduce", "the same", kExamples, kExits}, bench_main<Kind::reduce>},
    {{"bench gather", "the same", kExamples, kExits}, bench_main<Kind::gather>},
    {{"bench all_to_all", "the same", kExamples, kExits}, bench_main<Kind::all_to_all>},
    {{"bench sendrecv", "the same, rank 0 to rank 1", kExamples, kExits}, bench_main<Kind::send>},
    {{"bench copy", "the same, one-sided: rank 0 writes to rank 1's registered memory", kExamples, kExits}, bench_main<Kind::copy>},
    {{"bench get", "the same: rank 0 reads from there", kExamples, kExits}, bench_main<Kind::get>},
};
const int kBenchCollectiveCommandCount = static_cast<int>(std::size(kBenchCollectiveCommands));

}  // namespace peerscope
