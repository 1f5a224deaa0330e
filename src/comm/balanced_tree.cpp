// Subtrees are ranges of consecutive ranks that differ in size by at most one, and the fan-out
// grows with the ranks: no path is longer than another, and neighbours (one board, one NUMA node)
// stay within a subtree.
#include "comm/algorithms.hpp"
#include "comm/tree.hpp"

namespace peerscope {
namespace {

int fan_out(int ranks) {
  if (ranks <= 4) return 2;
  return ranks <= 16 ? 4 : 8;
}

// Walks down from the root, which heads [0, ranks), to the range that `at` heads.
TreeNode shape(int at, int ranks) {
  const int k = fan_out(ranks);
  int parent = -1, head = 0, end = ranks;
  for (;;) {
    const int below = end - head - 1;
    const int parts = below < k ? below : k;
    TreeNode node{.parent = parent, .children = {}};
    int next_head = head, next_end = end;
    for (int part = 0; part < parts; ++part) {
      const int first = head + 1 + below * part / parts;
      const int last = head + 1 + below * (part + 1) / parts;
      node.children.push_back(first);
      if (at >= first && at < last) next_head = first, next_end = last;
    }
    if (at == head) return node;
    parent = head;
    head = next_head;
    end = next_end;
  }
}

Plan plan(const Where& where) { return tree_plan(shape, where); }

}  // namespace

Strategy balanced_tree_strategy() { return {Algorithm::balanced_tree, kTreeKinds, plan}; }

}  // namespace peerscope
