// The list of algorithms: which collective each can do, and the plan it makes for one rank.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "comm/plan.hpp"

namespace peerscope {

struct Strategy {
  Algorithm algorithm = Algorithm::unknown;
  std::span<const Kind> kinds;
  Plan (*plan)(const Where& where) = nullptr;
};

// One file each: direct.cpp, two_shot.cpp, ring.cpp, binary_tree.cpp, kary_tree.cpp,
// balanced_tree.cpp.
Strategy direct_strategy();
Strategy two_shot_strategy();
Strategy ring_strategy();
Strategy binary_tree_strategy();
Strategy kary_tree_strategy();
Strategy balanced_tree_strategy();

std::span<const Strategy> strategies();

// In the order of `strategies()`. Empty for kinds that have no algorithm (send, recv, copy).
std::vector<Algorithm> supported_algorithms(Kind kind);

// The linked plan. `unsupported` names what is supported. send and recv: `where.root` is the peer.
Result<Plan> make_plan(Algorithm algorithm, const Where& where);

}  // namespace peerscope
