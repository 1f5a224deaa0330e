// Two-shot: each rank reduces one block from everybody and gives it to everybody. Two hops, every
// byte moved once each way: the fewest bytes at a latency that does not grow with the ranks.
#include <array>

#include "comm/algorithms.hpp"

namespace peerscope {
namespace {

constexpr std::array kKinds{Kind::all_reduce};

Plan plan(const Where& where) {
  const int rank = where.rank;
  Plan plan;
  Step own{.block = rank, .targets = {rank}, .finishes = true, .phase = Phase::reduce};
  for (int peer = 0; peer < where.ranks; ++peer) own.sources.push_back(peer);
  for (int i = 1; i < where.ranks; ++i) {
    const int peer = (rank + i) % where.ranks;
    plan.steps.push_back(
        {.block = peer, .sources = {rank}, .targets = {peer}, .phase = Phase::send});
    own.targets.push_back(peer);
  }
  plan.steps.push_back(own);
  for (int i = 1; i < where.ranks; ++i) {
    const int peer = (rank + i) % where.ranks;
    plan.steps.push_back({.block = peer, .sources = {peer}, .targets = {rank}});
  }
  return plan;
}

}  // namespace

Strategy two_shot_strategy() { return {Algorithm::two_shot, kKinds, plan}; }

}  // namespace peerscope
