// Detectors of links: which link, and what is wrong with it.
#include <gtest/gtest.h>

#include "analyze/detect/made_up_for_test.hpp"

namespace peerscope {
namespace {

using Slowdown = std::function<double(int, int, double)>;

Snapshot after(const Slowdown& slowdown, double seconds, unsigned seed, int ranks = 8) {
  Aggregator aggregator;
  PairRun run;
  run.ranks = ranks;
  run.slowdown = slowdown;
  run_pairs(aggregator, run, seconds, seed);
  return snapshot_of(aggregator, kSecond + static_cast<std::int64_t>(seconds * 1e9));
}

bool touches(int from, int to, int rank) { return from == rank || to == rank; }

TEST(Links, OfAHealthyRunAreNotTold) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    const auto found = alarms(after([](int, int, double) { return 1.0; }, 6, seed));
    ASSERT_TRUE(found.empty()) << "seed " << seed << ": " << found[0].sentence;
  }
}

TEST(Links, OfSeveralHonestKindsAreNotTold) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const auto bridges = [](int a, int b, double) {
      return a / 2 == b / 2 ? 1.0 : a / 4 == b / 4 ? 2.5 : 4.0;
    };
    const auto found = alarms(after(bridges, 6, seed));
    ASSERT_TRUE(found.empty()) << found[0].sentence;
  }
}

TEST(SlowLink, OfADeviceIsNamedOnceAndNotPairByPair) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const int bad = static_cast<int>(seed % 8);
    const auto found = alarms(
        after([bad](int a, int b, double s) { return s > 4 && touches(a, b, bad) ? 3.0 : 1.0; }, 6,
              seed));
    ASSERT_EQ(found.size(), 1u) << seed << ": " << found[1].sentence;
    EXPECT_EQ(found[0].kind, "slow_link");
    EXPECT_EQ(found[0].subject.rank, bad);
    EXPECT_FALSE(found[0].subject.peer);
    EXPECT_EQ(found[0].subject.device, bad);
    EXPECT_NEAR(static_cast<double>(found[0].since_ns), 5e9, 0.3e9);
  }
}

TEST(SlowLink, BetweenTwoIsNamedByItsEnds) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto found = alarms(
        after([](int a, int b,
                 double s) { return s > 4 && touches(a, b, 2) && touches(a, b, 5) ? 2.5 : 1.0; },
              6, seed));
    ASSERT_EQ(found.size(), 1u) << seed;
    EXPECT_EQ(found[0].kind, "slow_link");
    EXPECT_EQ(std::min(*found[0].subject.rank, *found[0].subject.peer), 2);
    EXPECT_EQ(std::max(*found[0].subject.rank, *found[0].subject.peer), 5);
  }
}

TEST(SlowLink, OfTwoRanksIsTheOneBetweenThem) {
  const auto found = alarms(after([](int, int, double s) { return s > 4 ? 2.5 : 1.0; }, 6, 1, 2));
  const Finding* slow = find_kind(found, "slow_link");
  ASSERT_NE(slow, nullptr);
  EXPECT_TRUE(slow->subject.rank && slow->subject.peer);
}

TEST(SlowLink, IsNoneWhereAllPairsBecameSlow) {
  const auto found = alarms(after([](int, int, double s) { return s > 4 ? 2.0 : 1.0; }, 6.5, 1));
  EXPECT_EQ(find_kind(found, "slow_link"), nullptr);
  EXPECT_NE(find_kind(found, "step_change"), nullptr);
}

TEST(SlowLink, IsNotMadeOfWhatEndedOrOfOneStall) {
  const auto ended = alarms(
      after([](int a, int b, double s) { return s > 3 && s < 4.5 && touches(a, b, 1) ? 3.0 : 1.0; },
            7, 1));
  EXPECT_TRUE(ended.empty()) << ended[0].sentence;
  const auto stall = alarms(after(
      [](int a, int b, double s) { return s > 4 && s < 4.1 && touches(a, b, 1) ? 50.0 : 1.0; }, 5,
      1));
  EXPECT_TRUE(stall.empty()) << stall[0].sentence;
}

TEST(LowBandwidthPair, OfADeviceThatWasAlwaysSlowIsItsPort) {
  const auto found =
      alarms(after([](int a, int b, double) { return touches(a, b, 6) ? 3.0 : 1.0; }, 4, 9));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "low_bandwidth_pair");
  EXPECT_EQ(found[0].subject.rank, 6);
  EXPECT_FALSE(found[0].subject.peer);
  EXPECT_NE(found[0].sentence.find("Rank 6 and its peers, all 14 pairs, move send 4 MB at"),
            std::string::npos)
      << found[0].sentence;
}

TEST(FlappingLink, IsOneThatComesAndGoes) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const auto found = alarms(after(
        [](int a, int b, double s) {
          return s > 3 && std::fmod(s, 1.0) < 0.4 && touches(a, b, 4) ? 8.0 : 1.0;
        },
        8, seed));
    const Finding* flaps = find_kind(found, "flapping_link");
    ASSERT_NE(flaps, nullptr) << seed;
    EXPECT_EQ(flaps->subject.rank, 4);
    EXPECT_EQ(found.size(), 1u);
  }
}

// A machine whose device `busy` carries `foreign` bytes/s beside ours from `since_s` on.
std::shared_ptr<MachineSummary> machine(int busy, double foreign, double since_s, double until_s) {
  auto summary = std::make_shared<MachineSummary>();
  for (int device = 0; device < 8; ++device) {
    DeviceSummary& one = summary->devices.emplace_back();
    one.index = device;
    for (double s = 0; s < until_s; s += 0.1) {
      DeviceMoment moment;
      moment.at_ns = kSecond + static_cast<std::int64_t>(s * 1e9);
      moment.nvlink_bytes_per_s = 7e9 + (device == busy && s >= since_s ? foreign : 0);
      moment.links_active = 18;
      one.history.push_back(moment);
    }
  }
  return summary;
}

TEST(Contention, IsASlowLinkThatCarriesMoreThanOurs) {
  const Slowdown slow = [](int a, int b, double s) {
    return s > 4 && touches(a, b, 3) ? 2.5 : 1.0;
  };
  Snapshot snapshot = after(slow, 6, 1);
  snapshot.machine = machine(3, 200e9, 4, 6);
  const auto found = alarms(snapshot);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "contention");
  EXPECT_EQ(found[0].subject.rank, 3);
  EXPECT_GT(figure(found[0], "foreign_ratio"), 5);
  snapshot.machine = machine(3, 0, 4, 6);
  EXPECT_NE(find_kind(alarms(snapshot), "slow_link"), nullptr);
  snapshot.machine = machine(5, 200e9, 4, 6);  // somewhere else
  EXPECT_NE(find_kind(alarms(snapshot), "slow_link"), nullptr);
}

TEST(FlappingLink, IsOneWhoseErrorsRiseInBursts) {
  const Slowdown slow = [](int a, int b, double s) {
    return s > 4 && touches(a, b, 3) ? 2.5 : 1.0;
  };
  Snapshot snapshot = after(slow, 6, 1);
  auto errors = machine(3, 0, 4, 6);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < errors->devices[3].history.size(); ++i) {
    if (i > 40 && i % 6 < 2) count += 30;
    errors->devices[3].history[i].errors = count;
  }
  snapshot.machine = errors;
  EXPECT_NE(find_kind(alarms(snapshot), "flapping_link"), nullptr);
}

TEST(Machine, SaysDegradedPcieAndMakesItTheCause) {
  const Slowdown slow = [](int a, int b, double s) {
    return s > 4 && touches(a, b, 3) ? 2.5 : 1.0;
  };
  Snapshot snapshot = after(slow, 6, 1);
  auto narrow = machine(3, 0, 4, 6);
  Finding finding;
  finding.kind = "pcie_width";
  finding.subject.device = 3;
  narrow->findings.push_back(finding);
  finding.kind = "pcie_slot";
  finding.severity = Severity::info;
  narrow->findings.push_back(finding);
  snapshot.machine = narrow;
  const auto found = detect(snapshot);
  ASSERT_NE(find_kind(found, "degraded_pcie"), nullptr);
  EXPECT_EQ(find_kind(found, "degraded_pcie")->subject.device, 3);
  EXPECT_EQ(find_kind(found, "pcie_slot"), nullptr);
}

TEST(SlowLink, IsComparedWithWhatItsPathCanDo) {
  Snapshot snapshot = after([](int, int, double) { return 1.0; }, 3, 1);
  auto paths = machine(0, 0, 0, 3);
  for (int a = 0; a < 8; ++a) {
    for (int b = 0; b < 8; ++b) {
      if (a != b) paths->paths.push_back({a, b, "NV18", a == 1 && b == 2 ? 450e9 : 60e9});
    }
  }
  snapshot.machine = paths;
  const auto found = detect(snapshot);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, "slow_link");
  EXPECT_EQ(found[0].severity, Severity::info);
  EXPECT_EQ(found[0].subject.rank, 1);
  EXPECT_EQ(found[0].subject.peer, 2);
}

}  // namespace
}  // namespace peerscope
