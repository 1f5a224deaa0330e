// Runs cases on one backend and hands out a row as soon as it is complete.
#pragma once

#include <functional>
#include <vector>

#include "suite/backend.hpp"
#include "suite/case.hpp"
#include "suite/result.hpp"

namespace peerscope {

struct SweepPlan {
  std::vector<Case> cases;  // out of place; each is measured in place, too, where that exists
  int ranks = 2;
  int iterations = 20, warmup = 5, rounds = 1;
  bool check = true;
  int timeout_s = 120;  // without progress; 0: never
  // A rank that computes so long before each operation: what a straggler costs. -1: none
  int slow_rank = -1;
  double slow_by_us = 0;
};

// Cases that differ in nothing but algorithm and place take turns, round by round, so that what
// drifts drifts for all of them. A sample is an operation, or on an asynchronous backend the mean of
// the `iterations` of a round.
Status run_sweep(BenchBackend& backend, const SweepPlan& plan,
                 const std::function<void(const BenchRow&)>& on_row);

}  // namespace peerscope
