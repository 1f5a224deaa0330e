// What a process of an NCCL sweep does: open its ranks, and run, time and check every size.
#pragma once

#include <vector>

#include "base/result.hpp"
#include "cli/nccl_board.hpp"
#include "cli/nccl_reference.hpp"

namespace peerscope {

struct NcclWorker {
  int process = 0, processes = 1;
  int first_rank = 0, local_ranks = 1;  // rank r lives on device r
};

std::vector<NcclLengths> nccl_sizes(const NcclOptions& options);

// What is there: driver, devices, NCCL. Fills the board; error: in one sentence what is missing.
Status probe_nccl(const NcclOptions& options, NcclBoard& board);

Status sweep_nccl(const NcclOptions& options, const NcclWorker& worker, NcclBoard& board);

}  // namespace peerscope
