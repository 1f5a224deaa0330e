// Topologies, flows and schedules against closed forms.
#include "comm/sim/network.hpp"

#include <gmock/gmock.h>

#include "comm/algorithms.hpp"
#include "comm/sim/for_test.hpp"

namespace peerscope::sim {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMb = 1 << 20;

// n GPUs on one switch: 100 bytes per ns, two hops of 500 ns.
Topology star(int n) {
  Topology t;
  t.name = "star";
  const int hub = t.add_vertex("hub", VertexKind::nvswitch, 0);
  for (int i = 0; i < n; ++i)
    t.add_link(t.add_vertex("gpu" + std::to_string(i), VertexKind::gpu, 0), hub, LinkKind::nvlink,
               100e9, 500, 1);
  return t;
}

Cost cost_of(const Topology& t, Kind kind, Algorithm algorithm, std::uint64_t bytes,
             double message_ns = 0) {
  const Routes routes(t);
  const auto schedule = make_schedule(kind, algorithm, t.ranks(), 0);
  EXPECT_TRUE(schedule);
  CostOptions options;
  options.message_ns = message_ns;
  return run_schedule(*schedule, bytes, t, routes, capacities_of(t), options);
}

TEST(SimNetwork, ContentionHalvesAndWhatOneLeavesTheOtherTakes) {
  const std::vector<double> capacities{10.0, 4.0};
  const std::vector<int> both{0, 1}, first{0};
  Network network(capacities);
  network.start(0, first, 1'000, 1);
  network.start(0, first, 1'000, 2);
  std::vector<std::uint32_t> ended;
  EXPECT_DOUBLE_EQ(network.next_end_ns(), 200);  // alone: 100
  network.take_ended(200, ended);
  EXPECT_EQ(ended, (std::vector<std::uint32_t>{1, 2}));
  ended.clear();
  // One is held to 4 by its second link: the other gets the 6 that are left, not 5.
  network.start(200, both, 4'000, 3);
  network.start(200, first, 600, 4);
  EXPECT_DOUBLE_EQ(network.next_end_ns(), 300);
  network.take_ended(300, ended);
  EXPECT_EQ(ended, (std::vector<std::uint32_t>{4}));
  EXPECT_DOUBLE_EQ(network.next_end_ns(), 1'200);
}

TEST(SimSchedule, RingTakesTwoTurnsRoundOfAlphaAndBeta) {
  const int n = 8;
  const Topology t = star(n);
  const double b = 64.0 * kMb;
  const double hop = b / n / 100.0 + 1'000 + 250;
  EXPECT_NEAR(cost_of(t, Kind::all_reduce, Algorithm::ring, 64 * kMb, 250).last_ns,
              2 * (n - 1) * hop, 10);
  EXPECT_NEAR(cost_of(t, Kind::all_gather, Algorithm::ring, 64 * kMb, 250).last_ns, (n - 1) * hop,
              10);
  EXPECT_NEAR(cost_of(t, Kind::reduce_scatter, Algorithm::ring, 64 * kMb, 250).last_ns,
              (n - 1) * hop, 10);
}

TEST(SimSchedule, DirectSendsAllToAllThroughEachPortAtOnce) {
  const int n = 4;
  const double b = 1.0 * kMb;
  EXPECT_NEAR(cost_of(star(n), Kind::all_reduce, Algorithm::direct, kMb).last_ns,
              (n - 1) * b / 100.0 + 1'000, 1);
  EXPECT_NEAR(cost_of(star(n), Kind::all_reduce, Algorithm::two_shot, kMb).last_ns,
              2 * ((n - 1) * b / n / 100.0 + 1'000), 1);
}

TEST(SimSchedule, ABarrierCostsLatencyOnly) {
  EXPECT_NEAR(cost_of(star(4), Kind::barrier, Algorithm::direct, 0).last_ns, 1'000, 1e-6);
  EXPECT_NEAR(cost_of(star(4), Kind::barrier, Algorithm::ring, 0).last_ns, 6'000, 1e-6);
}

TEST(SimSchedule, ATreeOfManyPiecesPipelines) {
  const Topology t = star(8);
  const double whole = 64.0 * kMb / 100.0;
  const double tree = cost_of(t, Kind::broadcast, Algorithm::binary_tree, 64 * kMb).last_ns;
  // Each inner rank sends to two: twice the time of one transfer, and a piece more a level.
  EXPECT_GT(tree, 2 * whole);
  EXPECT_LT(tree, 2 * whole * (1 + 3.0 / 16) + 10'000);
}

TEST(SimSchedule, MovesTheBytesThatTheAlgorithmMoves) {
  const int n = 8;
  const double b = 8.0 * kMb;
  const struct {
    Kind kind;
    Algorithm algorithm;
    double per_link;  // out of each rank
  } cases[] = {{Kind::all_reduce, Algorithm::ring, 2 * (n - 1) * b / n},
               {Kind::all_reduce, Algorithm::direct, (n - 1) * b},
               {Kind::all_reduce, Algorithm::two_shot, 2 * (n - 1) * b / n},
               {Kind::all_gather, Algorithm::ring, (n - 1) * b / n},
               {Kind::reduce_scatter, Algorithm::direct, (n - 1) * b / n},
               {Kind::all_to_all, Algorithm::ring, (n - 1) * b / n}};
  for (const auto& it : cases) {
    const Cost cost = cost_of(star(n), it.kind, it.algorithm, 8 * kMb);
    EXPECT_EQ(cost.bytes.size(), 2u * n) << name(it.kind);
    for (const auto& [link, bytes] : cost.bytes)
      EXPECT_NEAR(bytes, it.per_link, 1) << name(it.kind) << " " << name(it.algorithm);
  }
}

TEST(SimSchedule, EveryPlanOfTheLibraryEndsOnEveryRank) {
  for (const int n : {2, 3, 8, 13}) {
    const Topology t = star(n);
    for (const Strategy& strategy : strategies()) {
      for (const Kind kind : strategy.kinds) {
        const Cost cost = cost_of(t, kind, strategy.algorithm, kMb);
        EXPECT_GT(cost.last_ns, 0) << name(kind) << " " << name(strategy.algorithm) << " " << n;
        for (const double end : cost.end_ns) EXPECT_GT(end, 0) << name(kind);
      }
    }
  }
}

TEST(SimTopology, PresetsAreWholeAndReadBackAsTheyAreWritten) {
  for (const Preset& preset : presets()) {
    const Topology t = topology_named(preset.standard);
    EXPECT_FALSE(check(t)) << preset.standard;
    const auto again = parse_topology(to_json_text(t));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(to_json_text(*again), to_json_text(t));
  }
  EXPECT_EQ(topology_named("rails", 1'024).ranks(), 1'024);
  EXPECT_EQ(topology_named("nvswitch16").ranks(), 16);
}

TEST(SimTopology, GpusPassNothingOn) {
  const Topology t = topology_named("bridge4");
  const Routes routes(t);
  EXPECT_EQ(routes.find(0, 1).size(), 1u);
  for (const int step : routes.find(0, 3))
    EXPECT_NE(t.links[static_cast<std::size_t>(step / 2)].kind, LinkKind::nvlink);
}

TEST(SimTopology, KnowsWhoseALinkIs) {
  const Topology t = topology_named("pcie8");
  EXPECT_EQ(t.ranks_at(t.find_link("gpu3-host0-pcie1")), std::vector<int>{3});
  EXPECT_EQ(t.ranks_at(t.find_link("host0-pcie1-host0-bridge0")), (std::vector<int>{2, 3}));
}

TEST(SimTopology, SaysWhatIsWrongWithAFile) {
  const auto error_of = [](const char* text) {
    const auto topology = parse_topology(text);
    return topology ? std::string("none") : topology.error().message;
  };
  EXPECT_THAT(error_of("["), HasSubstr("no JSON object"));
  EXPECT_THAT(error_of(R"({"devices": ["a", "b"]})"), HasSubstr("links"));
  EXPECT_THAT(error_of(R"({"devices": ["a", "b"], "links": []})"), HasSubstr("no way leads"));
  EXPECT_THAT(error_of(R"({"devices": ["a", "a"], "links": []})"), HasSubstr("two 'a'"));
  EXPECT_THAT(error_of(R"({"devices": ["a", "b"], "links": [{"a": "a", "b": "x"}]})"),
              HasSubstr("'x'"));
  EXPECT_THAT(error_of(R"({"devices": ["a", "b"], "links": [{"a": "a", "b": "b"}]})"),
              HasSubstr("no bandwidth"));
  EXPECT_THAT(load_topology("nvswich8", 0).error().message, HasSubstr("nvswitch8"));
  EXPECT_THAT(load_topology("rails16x8", 12).error().message, HasSubstr("multiple"));
}

}  // namespace
}  // namespace peerscope::sim
