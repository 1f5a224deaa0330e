// What one rank does in a sweep.
#pragma once

#include "suite/backend.hpp"
#include "suite/board.hpp"
#include "suite/sweep.hpp"

namespace peerscope {

// One entry of the board: a case, in place or not.
std::vector<Case> places_of(const SweepPlan& plan);

// `places[begin..end)` differ in algorithm and place only.
std::size_t end_of_group(const std::vector<Case>& places, std::size_t begin);

// How the operations of a round become samples. Where ranks leave an operation together, each is
// one. Of what has a root, ranks run ahead of one another: so several back to back are one, of the
// slowest rank. On an asynchronous backend all of a round are.
struct Batching {
  int samples = 1, operations = 1;  // in a round; of a sample
  bool slowest = false;             // quote the slowest rank, not the mean
};
Batching batching_of(const Case& test, const SweepPlan& plan, bool asynchronous);

Status measure_places(BenchRank& rank, const SweepPlan& plan, const std::vector<Case>& places,
                      bool asynchronous, const Board& board);

}  // namespace peerscope
