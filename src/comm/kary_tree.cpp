// Four children each: half the depth of the binary tree.
#include "comm/algorithms.hpp"
#include "comm/tree.hpp"

namespace peerscope {
namespace {

TreeNode shape(int at, int ranks) { return heap_node(at, ranks, 4); }
Plan plan(const Where& where) { return tree_plan(shape, where); }

}  // namespace

Strategy kary_tree_strategy() { return {Algorithm::kary_tree, kTreeKinds, plan}; }

}  // namespace peerscope
