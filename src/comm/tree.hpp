// What all trees share: sums go up to the root, results come down. The shapes differ (binary,
// k-ary, balanced).
#pragma once

#include <array>
#include <vector>

#include "comm/plan.hpp"

namespace peerscope {

inline constexpr std::array kTreeKinds{Kind::all_reduce, Kind::broadcast, Kind::reduce,
                                       Kind::gather, Kind::barrier};

// Of the tree rooted at 0; rank r stands at (r - root) mod ranks.
struct TreeNode {
  int parent = -1;  // -1: the root
  std::vector<int> children;
};
using TreeShape = TreeNode (*)(int at, int ranks);

Plan tree_plan(TreeShape shape, const Where& where);

// A heap: the children of i are k*i + 1 ... k*i + k.
TreeNode heap_node(int at, int ranks, int k);

}  // namespace peerscope
