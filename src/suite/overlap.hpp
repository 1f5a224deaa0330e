// Communication beside computation: what each costs the other.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "suite/backend.hpp"
#include "suite/case.hpp"

namespace peerscope {

struct OverlapPlan {
  std::vector<Case> cases;
  int ranks = 2, iterations = 20, warmup = 5, rounds = 5;
  int timeout_s = 120;
};

// Of one operation and the computation beside it; medians over the rounds of the means over ranks.
struct OverlapRow {
  std::string operation = {}, algorithm = {}, backend = {}, dtype = {};
  std::uint64_t bytes = 0;
  int ranks = 0;
  double comm_alone_us = 0, comm_beside_us = 0, compute_alone_us = 0, compute_beside_us = 0;

  [[nodiscard]] double comm_slowdown() const { return ratio(comm_beside_us, comm_alone_us); }
  [[nodiscard]] double compute_slowdown() const {
    return ratio(compute_beside_us, compute_alone_us);
  }
  // How much of the shorter one was hidden behind the longer: 1 all of it, 0 none.
  [[nodiscard]] double hidden() const;

 private:
  static double ratio(double a, double b) { return b > 0 ? a / b : 1; }
};

Status run_overlap(BenchBackend& backend, const OverlapPlan& plan,
                   const std::function<void(const OverlapRow&)>& on_row);

}  // namespace peerscope
