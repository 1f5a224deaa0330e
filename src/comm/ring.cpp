// Ring: each rank talks to its two neighbours only, every block travels round. Fewest bytes per
// link, most hops.
#include <array>

#include "comm/algorithms.hpp"

namespace peerscope {
namespace {

constexpr std::array kKinds{Kind::all_reduce,     Kind::broadcast,  Kind::reduce, Kind::all_gather,
                            Kind::reduce_scatter, Kind::all_to_all, Kind::barrier};

struct Ring {
  int rank, ranks;
  int at(int rank_or_block) const { return (rank_or_block % ranks + ranks) % ranks; }
  int left() const { return at(rank - 1); }
  int right() const { return at(rank + 1); }
};

Plan alone(int rank) { return Plan{{{.sources = {rank}, .targets = {rank}}}}; }

// `first` is sent as it is; n-1 blocks follow, each one more step away; the last is complete here
// and goes to `targets`.
void reduce_around(Plan& plan, const Ring& ring, int first, std::vector<int> targets) {
  plan.steps.push_back({.block = ring.at(first),
                        .sources = {ring.rank},
                        .targets = {ring.right()},
                        .phase = Phase::send});
  for (int s = 1; s < ring.ranks; ++s) {
    plan.steps.push_back({.block = ring.at(first - s),
                          .sources = {ring.rank, ring.left()},
                          .targets = {ring.right()},
                          .phase = Phase::reduce});
  }
  plan.steps.back().targets = std::move(targets);
  plan.steps.back().finishes = true;
}

// The blocks before `own` arrive one by one; all but the last are passed on.
void gather_around(Plan& plan, const Ring& ring, int own) {
  for (int s = 1; s < ring.ranks; ++s) {
    plan.steps.push_back({.block = ring.at(own - s),
                          .sources = {ring.left()},
                          .targets = {ring.rank, ring.right()}});
  }
  plan.steps.back().targets = {ring.rank};
}

Plan all_reduce(const Ring& ring) {
  Plan plan;
  reduce_around(plan, ring, ring.rank, {ring.rank, ring.right()});
  gather_around(plan, ring, ring.rank + 1);
  return plan;
}

Plan reduce_scatter(const Ring& ring) {
  Plan plan;
  reduce_around(plan, ring, ring.rank - 1, {ring.rank});
  return plan;
}

Plan all_gather(const Ring& ring) {
  Plan plan{{{.block = ring.rank,
              .sources = {ring.rank},
              .targets = {ring.rank, ring.right()},
              .phase = Phase::send}}};
  gather_around(plan, ring, ring.rank);
  return plan;
}

// A chain from the root on.
Plan broadcast(const Ring& ring, int root) {
  Step step{.sources = {ring.rank == root ? root : ring.left()}, .targets = {ring.rank}};
  if (ring.right() != root) step.targets.push_back(ring.right());
  return Plan{{step}};
}

// A chain that ends in the root.
Plan reduce(const Ring& ring, int root) {
  Step step{.sources = {ring.rank}, .targets = {ring.left()}, .phase = Phase::reduce};
  if (ring.right() != root) step.sources.push_back(ring.right());
  if (ring.rank == root) {
    step.targets = {root};
    step.finishes = true;
  }
  return Plan{{step}};
}

// Pairwise: in round t the ranks whose sum is t exchange, so that each has one partner at a time,
// and that partner's block has been sent before it is overwritten in place.
Plan all_to_all(const Ring& ring) {
  Plan plan;
  int previous = kNoStep;
  for (int round = 0; round < ring.ranks; ++round) {
    const int peer = ring.at(round - ring.rank);
    Step send{.block = peer, .sources = {ring.rank}, .targets = {peer}, .behind = previous};
    plan.steps.push_back(send);
    previous = static_cast<int>(plan.steps.size()) - 1;
    if (peer == ring.rank) continue;  // our own block is copied
    plan.steps.push_back(
        {.block = peer, .sources = {peer}, .targets = {ring.rank}, .after = previous});
    ++previous;
  }
  return plan;
}

Plan plan(const Where& where) {
  const Ring ring{where.rank, where.ranks};
  if (where.ranks == 1) return alone(where.rank);
  switch (where.kind) {
    case Kind::broadcast:
      return broadcast(ring, where.root);
    case Kind::reduce:
      return reduce(ring, where.root);
    case Kind::all_gather:
      return all_gather(ring);
    case Kind::reduce_scatter:
      return reduce_scatter(ring);
    case Kind::all_to_all:
      return all_to_all(ring);
    default:
      return all_reduce(ring);  // a barrier is an all_reduce of nothing
  }
}

}  // namespace

Strategy ring_strategy() { return {Algorithm::ring, kKinds, plan}; }

}  // namespace peerscope
