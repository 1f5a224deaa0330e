#include "comm/tree.hpp"

namespace peerscope {
namespace {

struct Place {
  int rank = 0;
  int parent = -1;
  std::vector<int> children;
  bool is_root() const { return parent < 0; }
};

Place place_of(TreeShape shape, const Where& where) {
  const auto rank_at = [&](int at) { return (at + where.root) % where.ranks; };
  const TreeNode node = shape((where.rank - where.root + where.ranks) % where.ranks, where.ranks);
  Place place{
      .rank = where.rank, .parent = node.parent < 0 ? -1 : rank_at(node.parent), .children = {}};
  for (const int child : node.children) place.children.push_back(rank_at(child));
  return place;
}

std::vector<int> self_and_children(const Place& place) {
  std::vector<int> list{place.rank};
  list.insert(list.end(), place.children.begin(), place.children.end());
  return list;
}

Step up(const Place& place) {
  Step step{.sources = self_and_children(place), .targets = {place.parent}, .phase = Phase::reduce};
  if (place.is_root()) {
    step.targets = {place.rank};
    step.finishes = true;
  }
  return step;
}

Step down(const Place& place) {
  return {.sources = {place.is_root() ? place.rank : place.parent},
          .targets = self_and_children(place)};
}

Plan all_reduce(const Place& place) {
  Plan plan{{up(place)}};
  if (place.is_root()) {
    plan.steps[0].targets = self_and_children(place);
  } else {
    plan.steps.push_back(down(place));
  }
  return plan;
}

// Blocks go up in the order of the walk from the top, which is the order in which each parent
// expects them.
void relay(Plan& plan, TreeShape shape, const Where& where, int from, int to) {
  std::vector<int> pending{from};
  while (!pending.empty()) {
    const int block = pending.back();
    pending.pop_back();
    plan.steps.push_back({.block = block, .sources = {from}, .targets = {to}});
    const Place place = place_of(shape, Where{where.kind, block, where.ranks, where.root});
    pending.insert(pending.end(), place.children.rbegin(), place.children.rend());
  }
}

Plan gather(TreeShape shape, const Where& where, const Place& place) {
  const int to = place.is_root() ? place.rank : place.parent;
  Plan plan{{{.block = place.rank, .sources = {place.rank}, .targets = {to}}}};
  for (const int child : place.children) relay(plan, shape, where, child, to);
  return plan;
}

}  // namespace

Plan tree_plan(TreeShape shape, const Where& where) {
  const Place place = place_of(shape, where);
  switch (where.kind) {
    case Kind::broadcast:
      return Plan{{down(place)}};
    case Kind::reduce:
      return Plan{{up(place)}};
    case Kind::gather:
      return gather(shape, where, place);
    default:
      return all_reduce(place);  // a barrier is an all_reduce of nothing
  }
}

TreeNode heap_node(int at, int ranks, int k) {
  TreeNode node;
  node.parent = at == 0 ? -1 : (at - 1) / k;
  for (int child = k * at + 1; child <= k * at + k && child < ranks; ++child)
    node.children.push_back(child);
  return node;
}

}  // namespace peerscope
