// What a collective costs by its algorithm, in the alpha-beta model: time = steps * alpha + volume *
// bytes * beta, alpha the latency of one step in ns, beta the time of one byte over one link.
//
// Sources: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in
// MPICH" (2005), for ring and trees; of direct (one-shot) and two-shot: each rank sends its whole
// tensor, or its share of it, to each other rank through one port.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "model/kinds.hpp"

namespace peerscope {

struct AlgorithmCost {
  double steps = 0;   // one after the other
  double volume = 0;  // of the tensor, over the busiest port
  [[nodiscard]] double ns(double alpha_ns, double beta_ns, double bytes) const {
    return steps * alpha_ns + volume * bytes * beta_ns;
  }
};

// Empty: the algorithm has no such form for that kind, or there is nobody to talk to.
inline std::optional<AlgorithmCost> algorithm_cost(Kind kind, Algorithm algorithm, int ranks) {
  if (ranks < 2 || kind != Kind::all_reduce) return std::nullopt;
  const double n = ranks, depth = std::ceil(std::log2(n));
  switch (algorithm) {
    case Algorithm::direct:
      return AlgorithmCost{1, n - 1};
    case Algorithm::two_shot:
      return AlgorithmCost{2, 2 * (n - 1) / n};
    case Algorithm::ring:
      return AlgorithmCost{2 * (n - 1), 2 * (n - 1) / n};
    case Algorithm::binary_tree:
      return AlgorithmCost{2 * depth, 4};  // a node receives from two children and passes on
    default:
      return std::nullopt;
  }
}

}  // namespace peerscope
