// From measured rows to what a backend shall choose.
#pragma once

#include <vector>

#include "comm/tuned_choices.hpp"
#include "suite/result.hpp"

namespace peerscope {

struct Tuned {
  TunedChoice choice;
  double us = 0;        // of the chosen algorithm
  double model_us = 0;  // of what the backend chose by itself ("auto"); 0: not measured
};

// The fastest algorithm for each backend, operation, number of ranks and size; that of the size before
// unless another is at least 3 % faster, so that noise does not make it flicker. Where values were
// wrong an algorithm takes no part.
std::vector<Tuned> tune(const std::vector<BenchRow>& rows);

}  // namespace peerscope
