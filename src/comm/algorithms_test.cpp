// The plans alone, without memory or threads: every rank's steps are carried out on sets of ranks
// instead of numbers.
#include "comm/algorithms.hpp"

#include <deque>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "comm/cost_model.hpp"

namespace peerscope {
namespace {

using Contributions = std::multiset<int>;  // whose elements have been summed
struct Item {
  int block;
  Contributions from;
};

// Channels without bounds. What a rank's output has of each block in the end.
struct Machine {
  std::vector<Plan> plans;
  std::vector<std::size_t> next;
  std::map<std::pair<int, int>, std::deque<Item>> channels;
  std::vector<std::map<int, Contributions>> outputs;

  Machine(Algorithm algorithm, Kind kind, int ranks, int root)
      : next(static_cast<std::size_t>(ranks)), outputs(next.size()) {
    for (int rank = 0; rank < ranks; ++rank)
      plans.push_back(*make_plan(algorithm, {kind, rank, ranks, root}));
  }

  bool step(int rank) {
    const auto at = static_cast<std::size_t>(rank);
    if (next[at] == plans[at].steps.size()) return false;
    const Step& step = plans[at].steps[next[at]];
    for (const int source : step.sources) {
      if (source != rank && channels[{source, rank}].empty()) return false;
    }
    Item item{step.block, {}};
    for (const int source : step.sources) take(rank, source, step, item);
    for (const int target : step.targets) {
      if (target == rank) {
        EXPECT_TRUE(outputs[at].emplace(step.block, item.from).second) << "written twice";
      } else {
        channels[{rank, target}].push_back(item);
      }
    }
    ++next[at];
    return true;
  }

  void take(int rank, int source, const Step& step, Item& item) {
    if (source == rank) {
      item.from.insert(rank);
      return;
    }
    std::deque<Item>& channel = channels[{source, rank}];
    if (step.block != kWhole) {
      item.block = channel.front().block;
    }
    item.from.insert(channel.front().from.begin(), channel.front().from.end());
    channel.pop_front();
  }

  // In the order of steps: dataflow may go faster, never slower.
  bool run() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (int rank = 0; rank < static_cast<int>(next.size()); ++rank) moved |= step(rank);
    }
    for (std::size_t rank = 0; rank < next.size(); ++rank) {
      if (next[rank] != plans[rank].steps.size()) return false;
    }
    for (const auto& [pair, channel] : channels) {
      if (!channel.empty()) return false;
    }
    return true;
  }
};

Contributions everybody(int ranks) {
  Contributions all;
  for (int rank = 0; rank < ranks; ++rank) all.insert(rank);
  return all;
}

void expect_output(const Machine& machine, Kind kind, int rank, int root) {
  const int ranks = static_cast<int>(machine.plans.size());
  const std::map<int, Contributions>& output = machine.outputs[static_cast<std::size_t>(rank)];
  const auto each = [&](auto&& expected) {
    for (const auto& [block, from] : output) EXPECT_EQ(from, expected(block)) << "block " << block;
  };
  const auto all = [&](int) { return everybody(ranks); };
  const auto owner = [](int block) { return Contributions{block}; };
  const auto of_root = [&](int) { return Contributions{root}; };
  const std::size_t blocks = static_cast<std::size_t>(ranks);
  switch (kind) {
    case Kind::all_reduce:
    case Kind::barrier:
      each(all);
      EXPECT_TRUE(output.size() == blocks || output.count(kWhole) == 1);
      break;
    case Kind::broadcast:
      each(of_root);
      EXPECT_EQ(output.size(), 1u);
      break;
    case Kind::reduce:
      each(all);
      EXPECT_EQ(output.size(), rank == root ? 1u : 0u);
      break;
    case Kind::reduce_scatter:
      each(all);
      EXPECT_EQ(output.size(), 1u);
      break;
    case Kind::all_gather:
    case Kind::all_to_all:
      each(owner);
      EXPECT_EQ(output.size(), blocks - output.count(kWhole) * (blocks - 1));
      break;
    case Kind::gather:
      each(owner);
      EXPECT_EQ(output.size(), rank == root ? blocks : 0u);
      break;
    default:
      FAIL();
  }
}

TEST(Algorithms, EveryPlanBringsEachContributionToItsPlaceExactlyOnce) {
  for (const Strategy& strategy : strategies()) {
    for (const Kind kind : strategy.kinds) {
      for (const int ranks : {1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 31, 64}) {
        for (const int root : {0, ranks / 2, ranks - 1}) {
          SCOPED_TRACE(std::string(name(kind)) + " " + std::string(name(strategy.algorithm)) +
                       " ranks " + std::to_string(ranks) + " root " + std::to_string(root));
          if (!has_root(kind) && root != 0) continue;
          if (ranks == 1) continue;  // one step, its own block, whatever it is called
          Machine machine(strategy.algorithm, kind, ranks, root);
          ASSERT_TRUE(machine.run()) << "stuck, or something was sent that nobody takes";
          for (int rank = 0; rank < ranks; ++rank) expect_output(machine, kind, rank, root);
        }
      }
    }
  }
}

TEST(Algorithms, AnUnsupportedPairNamesWhatIsSupported) {
  const Result<Plan> plan = make_plan(Algorithm::two_shot, {Kind::all_gather, 0, 4, 0});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::unsupported);
  EXPECT_EQ(plan.error().message, "all_gather has no algorithm two_shot: use one of direct, ring");
}

TEST(Algorithms, AllReduceHasAllSix) {
  EXPECT_EQ(supported_algorithms(Kind::all_reduce).size(), 6u);
}

TEST(CostModel, PrefersFewHopsForSmallSizesAndFewBytesForLargeOnes) {
  const CostModel costs{.cores = 64};
  Call call{.kind = Kind::all_reduce, .count = 2, .dtype = Dtype::f32};
  EXPECT_EQ(choose_algorithm(costs, call, 8), Algorithm::direct);
  call.count = 16 << 20;
  EXPECT_EQ(choose_algorithm(costs, call, 8), Algorithm::ring);
  EXPECT_EQ(choose_algorithm({.cores = 2}, call, 8), Algorithm::two_shot) << "each hop is a switch";
}

TEST(CostModel, PrefersATreeForABarrierOfManyRanks) {
  const Algorithm chosen = choose_algorithm({.cores = 64}, Call{.kind = Kind::barrier}, 64);
  EXPECT_NE(chosen, Algorithm::direct);
  EXPECT_NE(chosen, Algorithm::ring);
}

TEST(CostModel, TakesTheCallersWordForIt) {
  const Call call{.kind = Kind::all_reduce, .count = 2, .algorithm = Algorithm::ring};
  EXPECT_EQ(choose_algorithm({}, call, 8), Algorithm::ring);
}

}  // namespace
}  // namespace peerscope
