// The collectives' sweep with NCCL: `peerscope bench all_reduce --backend nccl`, and what its parts share.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cli/args.hpp"
#include "model/kinds.hpp"

namespace peerscope {

struct NcclOptions {
  Kind kind = Kind::all_reduce;  // send: each rank to the next
  std::uint64_t least = 8, most = 32 << 20;
  double factor = 2;
  int iterations = 20, warmup = 5, ranks = 0, check = 1;  // 0 ranks: all visible devices
  Dtype dtype = Dtype::f32;
  std::string op = "sum";
  int root = 0, graph_launches = 0, timeout_s = 120;
  int rounds = 0;  // 0: 5
  bool processes = false, pin = true, nvls = false, json = false;
  bool levels = false;  // what monitoring costs: its levels in turn, a round each
  std::string nccl_path, event_times;
};

inline constexpr int kMostNcclSizes = 64;
inline constexpr int kMostNcclRanks = 64;
inline constexpr int kMostNcclRounds = 1024;

// The flags that only NCCL has. After parse(), a sentence if they don't fit one another.
void add_nccl_options(Args& args, NcclOptions& options);
std::string nccl_fault(const NcclOptions& options);

// The first of those flags that only NCCL has and that is not at its default; empty: none. Beside
// other backends NCCL has fewer.
std::string asks_for_nccl(const NcclOptions& options, bool beside_others);

int run_nccl_sweep(const NcclOptions& options);  // the exit status
// The same, but nothing is printed on standard output: `result` is what --json prints.
int run_nccl_sweep(const NcclOptions& options, nlohmann::json& result);

}  // namespace peerscope
