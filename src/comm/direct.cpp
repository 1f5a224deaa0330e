// One-shot: everybody sends to everybody who needs it, in one hop. Least latency, most bytes.
#include <array>

#include "comm/algorithms.hpp"

namespace peerscope {
namespace {

constexpr std::array kKinds{Kind::all_reduce, Kind::broadcast,      Kind::reduce,
                            Kind::all_gather, Kind::reduce_scatter, Kind::gather,
                            Kind::all_to_all, Kind::barrier};

// From the next rank on, so that not everybody begins with rank 0.
std::vector<int> others(const Where& where) {
  std::vector<int> list;
  for (int i = 1; i < where.ranks; ++i) list.push_back((where.rank + i) % where.ranks);
  return list;
}

std::vector<int> everybody(const Where& where) {
  std::vector<int> list;
  for (int rank = 0; rank < where.ranks; ++rank) list.push_back(rank);
  return list;
}

std::vector<int> with(std::vector<int> list, int rank) {
  list.push_back(rank);
  return list;
}

Step reduce_all(const Where& where, int block) {
  return {.block = block,
          .sources = everybody(where),
          .targets = {where.rank},
          .finishes = true,
          .phase = Phase::reduce};
}

Plan all_reduce(const Where& where) {
  if (where.ranks == 1) return Plan{{reduce_all(where, kWhole)}};
  Plan plan{{{.sources = {where.rank}, .targets = others(where), .phase = Phase::send}}};
  plan.steps.push_back(reduce_all(where, kWhole));
  plan.steps.back().after = 0;
  return plan;
}

Plan reduce_scatter(const Where& where) {
  Plan plan;
  for (const int peer : others(where)) {
    plan.steps.push_back(
        {.block = peer, .sources = {where.rank}, .targets = {peer}, .phase = Phase::send});
  }
  plan.steps.push_back(reduce_all(where, where.rank));
  return plan;
}

Plan all_gather(const Where& where) {
  Plan plan{{{.block = where.rank,
              .sources = {where.rank},
              .targets = with(others(where), where.rank),
              .phase = Phase::send}}};
  for (const int peer : others(where)) {
    plan.steps.push_back({.block = peer, .sources = {peer}, .targets = {where.rank}});
  }
  return plan;
}

Plan gather(const Where& where) {
  const int rank = where.rank;
  if (rank != where.root) {
    return Plan{
        {{.block = rank, .sources = {rank}, .targets = {where.root}, .phase = Phase::send}}};
  }
  Plan plan{{{.block = rank, .sources = {rank}, .targets = {rank}}}};
  for (const int peer : others(where))
    plan.steps.push_back({.block = peer, .sources = {peer}, .targets = {rank}});
  return plan;
}

Plan all_to_all(const Where& where) {
  const int rank = where.rank;
  Plan plan{{{.block = rank, .sources = {rank}, .targets = {rank}, .phase = Phase::send}}};
  for (const int peer : others(where)) {
    plan.steps.push_back(
        {.block = peer, .sources = {rank}, .targets = {peer}, .phase = Phase::send});
  }
  int send = 0;
  for (const int peer : others(where)) {
    plan.steps.push_back({.block = peer, .sources = {peer}, .targets = {rank}, .after = ++send});
  }
  return plan;
}

Plan broadcast(const Where& where) {
  if (where.rank != where.root) return Plan{{{.sources = {where.root}, .targets = {where.rank}}}};
  return Plan{{{.sources = {where.rank},
                .targets = with(others(where), where.rank),
                .phase = Phase::send}}};
}

Plan reduce(const Where& where) {
  if (where.rank == where.root) return Plan{{reduce_all(where, kWhole)}};
  return Plan{{{.sources = {where.rank}, .targets = {where.root}, .phase = Phase::send}}};
}

Plan plan(const Where& where) {
  switch (where.kind) {
    case Kind::broadcast:
      return broadcast(where);
    case Kind::reduce:
      return reduce(where);
    case Kind::all_gather:
      return all_gather(where);
    case Kind::reduce_scatter:
      return reduce_scatter(where);
    case Kind::gather:
      return gather(where);
    case Kind::all_to_all:
      return all_to_all(where);
    default:
      return all_reduce(where);  // a barrier is an all_reduce of nothing
  }
}

}  // namespace

Strategy direct_strategy() { return {Algorithm::direct, kKinds, plan}; }

}  // namespace peerscope
