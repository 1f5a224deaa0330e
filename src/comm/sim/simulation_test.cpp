// Runs: the same by seed, whole, and with the signature of what is wrong with them.
#include <chrono>

#include <gmock/gmock.h>

#include "comm/sim/for_test.hpp"

namespace peerscope::sim {
namespace {

using testing::HasSubstr;

Kept run_for(Simulation& run, double seconds) {
  Kept kept;
  run.advance(at_s(run, seconds), kept);
  return kept;
}

// Of ops that pass, between two times: the median of their host durations.
template <class Passes>
double median_ns(const Simulation& run, const Kept& kept, double from_s, double to_s,
                 Passes passes) {
  std::vector<std::int64_t> values;
  for (const Op& op : kept.ops) {
    if (op.begin_ns >= at_s(run, from_s) && op.begin_ns < at_s(run, to_s) && passes(op))
      values.push_back(op.host_duration_ns);
  }
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return static_cast<double>(values[values.size() / 2]);
}

double pair_ns(const Simulation& run, const Kept& kept, double from_s, double to_s, int from,
               int to) {
  return median_ns(run, kept, from_s, to_s, [&](const Op& op) {
    return op.kind == Kind::send && op.rank == from && op.peer == to;
  });
}

bool same(const Op& a, const Op& b) {
  return a.begin_ns == b.begin_ns && a.host_duration_ns == b.host_duration_ns && a.rank == b.rank &&
         a.kind == b.kind && a.sequence == b.sequence && a.bytes == b.bytes &&
         a.algorithm == b.algorithm && a.status == b.status;
}

TEST(Simulation, IsTheSameByItsSeedHoweverItIsAsked) {
  auto once = simulation_of("pcie8", {"slow_link:begin=0.1"}, 7);
  auto twice = simulation_of("pcie8", {"slow_link:begin=0.1"}, 7);
  auto other = simulation_of("pcie8", {"slow_link:begin=0.1"}, 8);
  const Kept a = run_for(*once, 0.5);
  Kept b;
  for (int i = 1; i <= 50; ++i) twice->advance(at_s(*twice, 0.01 * i), b);
  ASSERT_EQ(a.ops.size(), b.ops.size());
  EXPECT_TRUE(std::equal(a.ops.begin(), a.ops.end(), b.ops.begin(), same));
  const Kept c = run_for(*other, 0.5);
  EXPECT_FALSE(std::equal(a.ops.begin(), a.ops.begin() + 1'000, c.ops.begin(), same));
}

TEST(Simulation, DeliversInTheOrderOfEndsAndSeesTheRestInFlight) {
  auto run = simulation_of("nvlink4", {});
  Kept kept;
  std::int64_t last = 0;
  std::size_t seen = 0, in_flight = 0;
  for (int i = 1; i <= 200; ++i) {
    const std::int64_t now = at_s(*run, 0.001 * i);
    run->advance(now, kept);
    for (; seen < kept.ops.size(); ++seen) {
      const std::int64_t end = kept.ops[seen].begin_ns + kept.ops[seen].host_duration_ns;
      EXPECT_LE(last, end);
      EXPECT_LE(end, now);
      last = end;
    }
    for (const InFlight& entry : run->in_flight()) {
      EXPECT_GE(entry.age_ns, 0);
      EXPECT_EQ(entry.op.begin_ns + entry.age_ns, now);
      ++in_flight;
    }
  }
  EXPECT_GT(in_flight, 0u);
}

TEST(Simulation, EveryPairHasItsTurnAndRanksAgree) {
  auto run = simulation_of("rails2x8", {});
  const Kept kept = run_for(*run, 1.0);
  std::map<std::pair<int, int>, int> pairs;
  std::map<std::uint64_t, std::pair<std::uint64_t, int>> collectives;
  for (const Op& op : kept.ops) {
    EXPECT_EQ(op.backend, Backend::sim);
    EXPECT_GE(op.host_duration_ns, op.device_duration_ns);
    if (op.kind == Kind::send) ++pairs[{op.rank, op.peer}];
    if (!is_collective(op.kind)) continue;
    auto& [bytes, ranks] = collectives[op.sequence];
    EXPECT_TRUE(ranks == 0 || bytes == op.bytes);
    bytes = op.bytes;
    ++ranks;
  }
  EXPECT_EQ(pairs.size(), 16u * 15);
  int incomplete = 0;
  for (const auto& [sequence, seen] : collectives) incomplete += seen.second == 16 ? 0 : 1;
  EXPECT_LE(incomplete, 1);  // the last
}

TEST(Simulation, WithoutNoiseACollectiveTakesWhatItsScheduleSays) {
  auto run = simulation_of("nvswitch8", {}, 1, 0);
  const Kept kept = run_for(*run, 0.1);
  const Topology& t = run->options().topology;
  const Routes routes(t);
  for (const Op& op : kept.ops) {
    if (op.kind != Kind::all_reduce || op.rank != 0) continue;
    const auto schedule = make_schedule(op.kind, op.algorithm, 8, 0);
    const Cost cost = run_schedule(*schedule, op.bytes, t, routes, capacities_of(t), {});
    EXPECT_NEAR(static_cast<double>(op.host_duration_ns), cost.end_ns[0] + 2'000, 2);
  }
}

TEST(Simulation, AnAsynchronousJobEnqueuesAndTheDeviceTellsLater) {
  SimulationOptions options;
  options.topology = topology_named("nvlink4");
  options.workload.async = true;
  auto made = Simulation::make(std::move(options));
  ASSERT_TRUE(made);
  const Kept kept = run_for(**made, 0.2);
  std::size_t calls = 0, device = 0;
  for (const Op& op : kept.ops) {
    EXPECT_TRUE(op.async);
    if (op.device_only) {
      ++device;
      EXPECT_GT(op.device_duration_ns, 0);
      EXPECT_EQ(op.host_duration_ns, kUnknownNs);
    } else {
      ++calls;
      EXPECT_EQ(op.host_duration_ns, 4'000);
      EXPECT_EQ(op.device_duration_ns, kUnknownNs);
    }
  }
  EXPECT_GT(device, 100u);
  EXPECT_GE(calls, device);
}

TEST(SimFault, ASlowRankIsWaitedFor) {
  auto run = simulation_of("nvswitch8", {"slow_rank:rank=3,late_us=200,begin=0.5"});
  const Kept kept = run_for(*run, 1.0);
  const auto small = [](int rank) {
    return [rank](const Op& op) {
      return op.kind == Kind::all_reduce && op.bytes == 16'384 && op.rank == rank;
    };
  };
  const double own = median_ns(*run, kept, 0.5, 1.0, small(3));
  EXPECT_NEAR(median_ns(*run, kept, 0.5, 1.0, small(0)) - own, 200'000, 30'000);
  EXPECT_LT(median_ns(*run, kept, 0.2, 0.5, small(0)), 50'000);
  EXPECT_EQ(run->truths().at(0).ranks, std::vector<int>{3});
}

TEST(SimFault, ASlowLinkSlowsItsPairsOnly) {
  auto run = simulation_of("nvlink4", {"slow_link:link=gpu0-gpu2,share=0.25,begin=0.5"});
  const Kept kept = run_for(*run, 1.0);
  const double before = pair_ns(*run, kept, 0.2, 0.5, 0, 2);
  EXPECT_GT(pair_ns(*run, kept, 0.5, 1.0, 0, 2), 3 * before);
  EXPECT_LT(pair_ns(*run, kept, 0.5, 1.0, 0, 1), 1.2 * before);
  EXPECT_EQ(run->truths().at(0).ranks, (std::vector<int>{0, 2}));
}

TEST(SimFault, ADegradedPcieLinkIsNarrowAndSlow) {
  auto run = simulation_of("pcie8", {"degraded_pcie:rank=5,width=4,begin=0.5"});
  const Kept kept = run_for(*run, 1.0);
  EXPECT_NEAR(pair_ns(*run, kept, 0.5, 1.0, 5, 4) / pair_ns(*run, kept, 0.2, 0.5, 5, 4), 4, 0.5);
  const MachineReading reading = run->machine();
  EXPECT_EQ(reading.devices.at(5).pcie.width, 4u);
  EXPECT_EQ(reading.devices.at(4).pcie.width, 16u);
}

TEST(SimFault, AFlappingLinkCountsErrorsWhileItIsDown) {
  auto run = simulation_of(
      "nvswitch8",
      {"flapping_link:rank=2,begin=0.2,period_s=0.2,down_share=0.5,errors_per_s=1000"});
  Kept kept;
  int down = 0, up = 0;
  for (int i = 1; i <= 100; ++i) {
    run->advance(at_s(*run, 0.01 * i), kept);
    const MachineReading reading = run->machine();
    (reading.devices[2].links[0].active == true ? up : down) += 1;
    EXPECT_TRUE(*reading.devices[3].links[0].active);
  }
  EXPECT_NEAR(down, 40, 8);
  EXPECT_NEAR(static_cast<double>(*run->machine().devices[2].links[0].errors.replay), 400, 60);
}

TEST(SimFault, ContentionIsSeenInBandwidthAndInForeignBytes) {
  auto run = simulation_of("nvswitch8", {"contention:rank=1,load=0.5,begin=0.5"});
  const Kept kept = run_for(*run, 1.5);
  EXPECT_NEAR(pair_ns(*run, kept, 0.5, 1.5, 1, 4) / pair_ns(*run, kept, 0.2, 0.5, 1, 4), 1.75, 0.3);
  const MachineReading reading = run->machine();
  const auto sent = [&](std::size_t device) {
    double sum = 0;
    for (const LinkReading& link : reading.devices[device].links)
      sum += static_cast<double>(link.tx->value);
    return sum;
  };
  EXPECT_NEAR(sent(1) - sent(2), 0.5 * 450e9, 0.05 * 450e9);
}

TEST(SimFault, ALostRankLeavesTheOthersInFlight) {
  for (const char* when : {"before", "inside"}) {
    auto run = simulation_of("nvswitch8", {std::string("lost_rank:rank=6,begin=0.5,when=") + when});
    Kept kept;
    run->advance(at_s(*run, 2.0), kept);
    EXPECT_TRUE(run->stuck());
    const auto in_flight = run->in_flight();
    const bool inside = std::string(when) == "inside";
    EXPECT_EQ(in_flight.size(), inside ? 8u : 7u);
    EXPECT_EQ(run->process_state(6), inside ? ProcessState::dead : ProcessState::live);
    for (const InFlight& entry : in_flight) {
      if (entry.op.rank == 6) continue;
      EXPECT_NEAR(static_cast<double>(entry.age_ns), 1.5e9, 0.05e9);
    }
  }
}

TEST(SimFault, AMismatchOfSizeFailsAndOneOfSequenceHangs) {
  auto sized = simulation_of("nvlink4", {"mismatch:rank=1,about=size,begin=0.2"});
  const Kept kept = run_for(*sized, 0.5);
  int odd = 0;
  for (const Op& op : kept.ops) {
    if (op.status != OpStatus::mismatch) continue;
    EXPECT_EQ(op.bytes, op.rank == 1 ? 4u << 20 : 8u << 20);
    ++odd;
  }
  EXPECT_GT(odd, 10);
  auto shifted = simulation_of("nvlink4", {"mismatch:rank=1,about=sequence,begin=0.2"});
  run_for(*shifted, 0.5);
  std::map<int, std::pair<Kind, std::uint64_t>> in;
  for (const InFlight& entry : shifted->in_flight())
    in[entry.op.rank] = {entry.op.kind, entry.op.bytes};
  ASSERT_EQ(in.size(), 4u);
  EXPECT_NE(in[1], in[0]);
  EXPECT_EQ(in[2], in[0]);
}

TEST(SimFault, AWrongAlgorithmIsSlower) {
  for (const char* size : {"small", "large"}) {
    auto run = simulation_of("nvswitch8", {std::string("wrong_algorithm:begin=0.5,size=") + size});
    const Kept kept = run_for(*run, 1.2);
    const std::uint64_t bytes = run->truths().at(0).bytes;
    const auto of_size = [&](const Op& op) {
      return op.kind == Kind::all_reduce && op.bytes == bytes && op.rank == 0;
    };
    EXPECT_GT(median_ns(*run, kept, 0.6, 1.2, of_size),
              1.3 * median_ns(*run, kept, 0.1, 0.5, of_size))
        << size;
  }
}

TEST(SimFault, APoolFillsUpAndThenSendsFail) {
  auto run = simulation_of("nvlink4", {"pool_exhaustion:rank=2,begin=0.2,ramp_s=0.5,share=0.1"});
  Kept kept;
  run->advance(at_s(*run, 0.1), kept);
  EXPECT_LT(run->pool(2).used_bytes / run->pool(2).capacity_bytes, 0.45);
  run->advance(at_s(*run, 1.5), kept);
  EXPECT_GT(run->pool(2).used_bytes / run->pool(2).capacity_bytes, 0.98);
  EXPECT_LT(run->pool(1).used_bytes / run->pool(1).capacity_bytes, 0.45);
  int failed = 0;
  for (const Op& op : kept.ops) {
    if (op.status == OpStatus::ok) continue;
    EXPECT_EQ(op.status, OpStatus::no_memory);
    EXPECT_EQ(op.rank, 2);
    EXPECT_GE(op.begin_ns, at_s(*run, 0.69));
    ++failed;
  }
  EXPECT_GT(failed, 3);
  EXPECT_FALSE(kept.events.empty());
}

TEST(SimFault, StepsAndDriftsAreOfAllReduceOnly) {
  const auto of = [](Kind kind) {
    return [kind](const Op& op) { return op.kind == kind && op.bytes >= 8u << 20 && op.rank == 0; };
  };
  auto step = simulation_of("nvswitch8", {"step_change:factor=2,begin=0.6"});
  const Kept stepped = run_for(*step, 1.2);
  EXPECT_NEAR(median_ns(*step, stepped, 0.6, 1.2, of(Kind::all_reduce)) /
                  median_ns(*step, stepped, 0.2, 0.6, of(Kind::all_reduce)),
              1.8, 0.3);
  EXPECT_NEAR(median_ns(*step, stepped, 0.6, 1.2, of(Kind::all_gather)) /
                  median_ns(*step, stepped, 0.2, 0.6, of(Kind::all_gather)),
              1.0, 0.1);
  auto drift = simulation_of("nvswitch8", {"slow_drift:per_s=1,begin=0.5"});
  const Kept drifted = run_for(*drift, 1.5);
  EXPECT_GT(median_ns(*drift, drifted, 1.3, 1.5, of(Kind::all_reduce)),
            1.15 * median_ns(*drift, drifted, 0.9, 1.1, of(Kind::all_reduce)));
}

TEST(SimFault, RetriesAreErrorsOfOneRankToOnePeer) {
  auto run = simulation_of("nvlink4", {"retries_with_errors:rank=0,peer=3,share=0.2,begin=0.2"});
  const Kept kept = run_for(*run, 1.0);
  int failed = 0;
  for (const Op& op : kept.ops) {
    if (op.status == OpStatus::ok) continue;
    EXPECT_EQ(op.rank, 0);
    EXPECT_EQ(op.peer, 3);
    EXPECT_EQ(op.kind, Kind::send);
    ++failed;
  }
  EXPECT_GT(failed, 5);
}

TEST(SimFault, SaysWhatItDoesNotUnderstand) {
  const auto error_of = [](const char* text) {
    const auto fault = parse_fault(text);
    return fault ? std::string("none") : fault.error().message;
  };
  EXPECT_THAT(error_of("slow_rnk"), HasSubstr("slow_rank"));
  EXPECT_THAT(error_of("slow_rank:late_ms=3"), HasSubstr("late_us"));
  EXPECT_THAT(error_of("slow_rank:late_us=much"), HasSubstr("number"));
  EXPECT_THAT(error_of("slow_rank:late_us"), HasSubstr("key=value"));
  EXPECT_THAT(error_of("lost_rank:when=often"), HasSubstr("before|inside"));
  SimulationOptions options;
  options.topology = topology_named("nvlink4");
  options.faults = {*parse_fault("slow_rank:rank=9")};
  EXPECT_THAT(Simulation::make(options).error().message, HasSubstr("ranks 0 to 3"));
  options.faults = {*parse_fault("slow_link:link=nowhere")};
  EXPECT_THAT(Simulation::make(options).error().message, HasSubstr("nowhere"));
}

TEST(SimFault, EachKindFindsAPlaceOnEachTopology) {
  for (const char* topology : {"nvswitch8", "pcie8", "nvlink4", "bridge4", "rails2x8"}) {
    for (const FaultKind& kind : fault_kinds()) {
      auto run = simulation_of(topology, {kind.name}, 3);
      ASSERT_NE(run, nullptr) << kind.name;
      EXPECT_EQ(run->truths().at(0).fault, kind.name);
      EXPECT_GE(run->truths().at(0).begin_ns, at_s(*run, 3.0));
    }
  }
}

TEST(Simulation, AThousandRanksAndAMillionOperationsTakeSeconds) {
  const auto begin = std::chrono::steady_clock::now();
  SimulationOptions options;
  options.topology = topology_named("rails", 1'024);
  options.most_operations = 1'000'000;
  auto made = Simulation::make(std::move(options));
  ASSERT_TRUE(made);
  std::uint64_t operations = 0;
  class Counting final : public SimSink {
   public:
    explicit Counting(std::uint64_t& to) : count(to) {}
    void on_ops(std::span<const Op> ops) override { count += ops.size(); }
    void on_event(const SimEvent&) override {}
    std::uint64_t& count;
  } sink(operations);
  for (int i = 1; (*made)->advance(at_s(**made, 0.05 * i), sink); ++i) {
  }
  EXPECT_EQ(operations, 1'000'000u);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took.count(), 30.0);  // "seconds"; sanitizers and a shared machine take theirs
  RecordProperty("seconds", std::to_string(took.count()));
}

}  // namespace
}  // namespace peerscope::sim
