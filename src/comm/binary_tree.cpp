// Two children each: the least work at the busiest rank.
#include "comm/algorithms.hpp"
#include "comm/tree.hpp"

namespace peerscope {
namespace {

TreeNode shape(int at, int ranks) { return heap_node(at, ranks, 2); }
Plan plan(const Where& where) { return tree_plan(shape, where); }

}  // namespace

Strategy binary_tree_strategy() { return {Algorithm::binary_tree, kTreeKinds, plan}; }

}  // namespace peerscope
