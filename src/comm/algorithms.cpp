#include "comm/algorithms.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace peerscope {
namespace {

bool contains(std::span<const Kind> kinds, Kind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

Error unsupported(Algorithm algorithm, Kind kind) {
  std::string known;
  for (const Algorithm other : supported_algorithms(kind)) {
    if (!known.empty()) known += ", ";
    known += name(other);
  }
  return Error{ErrorCode::unsupported,
               fmt::format("{} has no algorithm {}: use one of {}", name(kind), name(algorithm),
                           known.empty() ? "(none)" : known)};
}

Plan point_to_point(const Where& where) {
  const bool sends = where.kind == Kind::send;
  Step step;
  step.sources = {sends ? where.rank : where.root};
  step.targets = {sends ? where.root : where.rank};
  step.phase = sends ? Phase::send : Phase::gather;
  return Plan{{step}};
}

}  // namespace

std::span<const Strategy> strategies() {
  static const std::array<Strategy, 6> list{direct_strategy(),    two_shot_strategy(),
                                            ring_strategy(),      binary_tree_strategy(),
                                            kary_tree_strategy(), balanced_tree_strategy()};
  return list;
}

std::vector<Algorithm> supported_algorithms(Kind kind) {
  std::vector<Algorithm> found;
  for (const Strategy& strategy : strategies()) {
    if (contains(strategy.kinds, kind)) found.push_back(strategy.algorithm);
  }
  return found;
}

void link(Plan& plan, int rank) {
  std::map<std::pair<bool, int>, int> lanes;  // (outgoing, peer) -> index
  const auto use = [&](std::size_t step, bool outgoing, int peer) {
    if (peer == rank) return;
    const auto [lane, is_new] =
        lanes.try_emplace({outgoing, peer}, static_cast<int>(plan.lanes.size()));
    if (is_new) plan.lanes.emplace_back();
    plan.lanes[static_cast<std::size_t>(lane->second)].push_back(static_cast<int>(step));
    plan.steps[step].lanes.push_back(lane->second);
  };
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    for (const int source : plan.steps[i].sources) use(i, false, source);
    for (const int target : plan.steps[i].targets) use(i, true, target);
  }
}

Result<Plan> make_plan(Algorithm algorithm, const Where& where) {
  if (where.kind == Kind::send || where.kind == Kind::recv) {
    Plan plan = point_to_point(where);
    link(plan, where.rank);
    return plan;
  }
  for (const Strategy& strategy : strategies()) {
    if (strategy.algorithm != algorithm || !contains(strategy.kinds, where.kind)) continue;
    Plan plan = strategy.plan(where);
    link(plan, where.rank);
    return plan;
  }
  return unsupported(algorithm, where.kind);
}

}  // namespace peerscope
