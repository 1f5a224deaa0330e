// What the demo watches: ranks that decode as tensor-parallel inference does, one process each, one
// of them slow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"
#include "comm/host/host.hpp"

namespace peerscope {

struct WorkloadOptions {
  int ranks = 4;
  double duration_s = 4.0;
  int slow_rank = 2;            // -1: none
  double slow_after_s = 1.5;    // from the start of the workload
  double slow_by_us = 250.0;    // added to its computation before each all_reduce
  bool slow_spins = false;      // it keeps its processor busy meanwhile
  double compute_us = 150.0;    // between two all_reduces: what the GPU computes meanwhile
  int layers = 40;              // two all_reduces each make a token
  std::uint64_t bytes = 16384;  // of an all_reduce
  bool sends =
      false;  // each token each rank sends to all others; and rank 0 says once a second how many there were
  std::string session;
  std::string level = "detailed";
};

// Starts one process a rank. They begin together, record under `session` and end by themselves. The
// caller must have no other thread. Returns their pids.
Result<std::vector<pid_t>> start_workload(const WorkloadOptions& options);

// When the workload began (CLOCK_MONOTONIC): the moment at which all ranks had opened. 0: not yet.
std::int64_t workload_start_ns();

struct WorkloadEnd {
  int failed = 0;  // ranks that did not end well
  std::string why;
};
// Waits for all; ends them first if `stop`.
WorkloadEnd finish_workload(const std::vector<pid_t>& pids, bool stop);

}  // namespace peerscope
