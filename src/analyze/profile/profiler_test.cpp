#include "analyze/profile/profiler.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/profile/compare.hpp"
#include "analyze/profile/stream_for_test.hpp"
#include "model/busbw.hpp"

namespace peerscope {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Profiler, ReportsEveryOperationByKindAlgorithmAndSize) {
  Dice dice(1);
  Profiler profiler;
  const std::vector<Op> ops = decoding(dice, 1'000'000, 50, 20);
  profiler.add(ops);
  const ProfileReport report = profiler.report();
  EXPECT_EQ(report.operations, ops.size());
  ASSERT_THAT(report.rows, SizeIs(2));
  const ProfileRow& row = report.rows[0];
  EXPECT_EQ(row.kind, Kind::all_reduce);
  EXPECT_EQ(row.algorithm, Algorithm::ring);
  EXPECT_EQ(size_class_top(row.size_class), 16384u);
  EXPECT_EQ(row.count, 1000u);
  EXPECT_NEAR(row.host.p50_ns, 10'000, 1000);
  EXPECT_LE(row.host.p50_ns, row.host.p99_ns);
  EXPECT_LE(row.host.p999_ns, row.host.max_ns);
  EXPECT_FALSE(row.device.known());
  EXPECT_EQ(row.bandwidth_clock, Clock::host);
  EXPECT_NEAR(row.busbw_bytes_per_s / row.algbw_bytes_per_s, busbw_factor(Kind::all_reduce, 2),
              1e-9);
}

TEST(Profiler, SaysOfAsynchronousOperationsTheDeviceOnly) {
  Profiler profiler;
  std::vector<Op> ops;
  for (int i = 0; i < 100; ++i) {
    Op op = op_at(i * 1000, Kind::all_reduce, 1 << 20, 50);
    op.async = true;
    op.sequence = static_cast<std::uint64_t>(i);
    ops.push_back(op);
  }
  profiler.add(ops);
  ProfileReport report = profiler.report();
  ASSERT_THAT(report.rows, SizeIs(1));
  EXPECT_TRUE(report.rows[0].async);
  EXPECT_EQ(report.rows[0].busbw_bytes_per_s, kUnknown) << "of an enqueue nobody knows";
  for (Op& op : ops) {
    op.device_only = true;
    op.host_duration_ns = kUnknownNs;
    op.device_begin_ns = op.begin_ns + 500;
    op.device_duration_ns = 20'000;
  }
  profiler.add(ops);
  report = profiler.report();
  EXPECT_EQ(report.rows[0].count, 100u) << "device times are no operations";
  EXPECT_EQ(report.rows[0].bandwidth_clock, Clock::device);
  EXPECT_NEAR(report.rows[0].device.p50_ns, 20'000, 20'000 / 16.0);
}

TEST(Profiler, KeepsPairsApartAndCountsErrors) {
  Profiler profiler;
  std::vector<Op> ops;
  for (int i = 0; i < 60; ++i) {
    Op op = op_at(i * 1000, Kind::send, 4096, 2000);
    op.ranks = 4;
    op.peer = i % 2 == 0 ? 1 : 2;
    op.status = i == 0 ? OpStatus::timeout : OpStatus::ok;
    ops.push_back(op);
  }
  profiler.add(ops);
  const ProfileReport report = profiler.report();
  EXPECT_EQ(report.errors, 1u);
  ASSERT_THAT(report.pairs, SizeIs(2));
  EXPECT_EQ(report.pairs[0].count, 30u);
  EXPECT_EQ(report.pairs[0].errors + report.pairs[1].errors, 1u);
  EXPECT_NEAR(report.pairs[0].busbw_bytes_per_s, 4096 / 2e-6, 4096 / 2e-6 / 10);
  ASSERT_THAT(report.matrix, SizeIs(2));
  EXPECT_EQ(report.matrix[0].bytes, 30u * 4096);
}

TEST(Profiler, SplitsCollectivesIntoTransferAndWait) {
  Profiler profiler;
  std::vector<Op> ops{op_at(1000, Kind::all_reduce, 1024, 5000),
                      op_at(5000, Kind::all_reduce, 1024, 1000)};
  ops[1].rank = 1;
  profiler.add(ops);
  const Arrival arrivals[] = {{1000, 6000, 0, OpStatus::ok}, {5000, 6000, 1, OpStatus::ok}};
  Collective collective;
  collective.comm = 7;
  collective.bytes = 1024;
  collective.first_ns = 1000;
  collective.last_ns = 5000;
  collective.end_ns = 6000;
  collective.ranks = 2;
  collective.first_rank = 0;
  collective.last_rank = 1;
  collective.kind = Kind::all_reduce;
  collective.algorithm = Algorithm::ring;
  collective.complete = true;
  collective.arrivals = arrivals;
  profiler.add(collective);
  const ProfileReport report = profiler.report();
  EXPECT_NEAR(report.rows[0].transfer.p50_ns, 1000, 70);
  EXPECT_NEAR(report.rows[0].skew.p50_ns, 4000, 260);
  EXPECT_NEAR(report.split.waiting_share(), 4000.0 / 6000, 0.01);
}

TEST(Profiler, OfNothingHasNothingAndNoNumberThatIsNone) {
  Profiler profiler;
  const ProfileReport report = profiler.report();
  EXPECT_EQ(report.operations, 0u);
  EXPECT_THAT(report.rows, IsEmpty());
  EXPECT_EQ(report.split.waiting_share(), kUnknown);
  EXPECT_EQ(report.overlap.exposed_share(), kUnknown);
  EXPECT_FALSE(report.period.found);
}

TEST(Profiler, SaysThatAClockRanBackwards) {
  Profiler profiler;
  std::vector<Op> ops{op_at(1000, Kind::send, 8, -500), op_at(2000, Kind::send, 8, 100)};
  profiler.add(ops);
  const ProfileReport report = profiler.report();
  EXPECT_THAT(report.notes, Contains(HasSubstr("clock ran backwards")));
  EXPECT_EQ(report.rows[0].host.count, 1u);
  EXPECT_GE(report.rows[0].host.min_ns, 0);
}

TEST(Profiler, SaysThatRanksRecordedDifferentNumbers) {
  Profiler profiler;
  std::vector<Op> ops;
  for (int i = 0; i < 300; ++i) {
    for (std::uint16_t rank = 0; rank < (i < 200 ? 2 : 1); ++rank) {
      ops.push_back(op_at(i * 1000, Kind::all_reduce, 8, 100));
      ops.back().rank = rank;
    }
  }
  profiler.add(ops);
  ProfileReport report = profiler.report();
  add_notes(report);
  EXPECT_THAT(
      report.notes,
      Contains(HasSubstr("different numbers of operations: rank 1 has 200, rank 0 has 300")));
}

TEST(Profiler, StaysWithinItsBoundWhateverComes) {
  Dice dice(3);
  AggregatorOptions small;
  small.max_cells = 64;
  small.max_series = 16;
  small.max_pairs = 16;
  Profiler profiler(small);
  std::vector<Op> ops;
  for (int i = 0; i < 200'000; ++i) {
    Op op = op_at(std::int64_t{i} * 1'000'000, static_cast<Kind>(dice.below(17)),
                  std::uint64_t{1} << dice.below(40), dice.below(100'000));
    op.rank = static_cast<std::uint16_t>(dice.below(500));
    op.peer = static_cast<std::uint16_t>(dice.below(500));
    op.ranks = 500;
    op.process = static_cast<std::uint32_t>(dice.below(50));
    op.thread = static_cast<std::uint32_t>(dice.below(50));
    op.comm = 1 + dice.next() % 1000;
    op.algorithm = static_cast<Algorithm>(dice.below(16));
    ops.push_back(op);
  }
  profiler.add(ops);
  EXPECT_LE(profiler.memory_bytes(), Profiler::memory_bound_bytes(small));
  EXPECT_THAT(profiler.report().notes, Contains(HasSubstr("found no row of their own")));
}

// A store of `n` operations around `middle_ns`, none alike.
SampleStore store_of(std::uint64_t seed, std::int64_t middle_ns, int n,
                     Algorithm algorithm = Algorithm::ring, std::uint64_t bytes = 16384) {
  Dice dice(seed);
  SampleStore store;
  for (int i = 0; i < n; ++i) {
    Op op = op_at(i * 1000, Kind::all_reduce, bytes, dice.duration(middle_ns));
    op.algorithm = algorithm;
    store.add(op);
  }
  return store;
}

ProfileComparison compared(const SampleStore& a, const SampleStore& b,
                           ProfileCompareOptions options = {}) {
  return compare_profiles({{"a", &a}, {"b", &b}}, options);
}

TEST(CompareProfiles, NameAWinnerBySizeWithItsReasons) {
  SampleStore a = store_of(1, 10'000, 500), b = store_of(2, 13'000, 500);
  Dice dice(9);
  for (int i = 0; i < 500; ++i) {  // and the other way round for large ones
    a.add(op_at(i, Kind::all_reduce, 1 << 20, dice.duration(300'000)));
    b.add(op_at(i, Kind::all_reduce, 1 << 20, dice.duration(200'000)));
  }
  const ProfileComparison comparison = compared(a, b);
  ASSERT_THAT(comparison.rows, SizeIs(2));
  EXPECT_EQ(comparison.rows[0].groups[*comparison.rows[0].winner].name, "a");
  EXPECT_EQ(comparison.rows[1].groups[*comparison.rows[1].winner].name, "b");
  EXPECT_NEAR(comparison.rows[0].speedup, 1.3, 0.1);
  EXPECT_THAT(comparison.rows[0].why, HasSubstr("less time than b"));
  EXPECT_EQ(comparison.wins("a"), 1u);
  EXPECT_EQ(comparison.undecided(), 0u);
}

std::string doubt_about(const SampleStore& a, const SampleStore& b) {
  const ProfileComparison comparison = compared(a, b);
  EXPECT_THAT(comparison.rows, SizeIs(1));
  EXPECT_FALSE(comparison.rows[0].winner) << comparison.rows[0].why;
  EXPECT_EQ(comparison.rows[0].speedup, 0);
  return comparison.rows[0].why;
}

TEST(CompareProfiles, NameNoWinnerWithoutEvidence) {
  EXPECT_THAT(doubt_about(store_of(1, 10'000, 1), store_of(2, 20'000, 500)),
              HasSubstr("too few samples: a has 1"));
  EXPECT_THAT(doubt_about(store_of(1, 10'000, 500), store_of(2, 10'100, 500)),
              HasSubstr("within the noise"));
  EXPECT_THAT(
      doubt_about(store_of(1, 10'000, 500), store_of(2, 20'000, 500, Algorithm::ring, 9000)),
      HasSubstr("sizes differ"));
  SampleStore equal, equal_too;
  for (int i = 0; i < 100; ++i) {
    equal.add(op_at(i, Kind::send, 8, 1000));
    equal_too.add(op_at(i, Kind::send, 8, 2000));
  }
  EXPECT_THAT(doubt_about(equal, equal_too), HasSubstr("all samples are equal"));
  SampleStore zero;
  for (int i = 0; i < 100; ++i) zero.add(op_at(i, Kind::send, 8, 0));
  EXPECT_THAT(doubt_about(zero, equal), HasSubstr("a median of 0"));
  SampleStore unknown;
  for (int i = 0; i < 100; ++i) unknown.add(op_at(i, Kind::send, 8, kUnknownNs));
  EXPECT_THAT(doubt_about(unknown, equal), HasSubstr("no time of a is known"));
}

TEST(CompareProfiles, TakeADriftForNoiseNotForAWinner) {
  Dice dice(5);
  SampleStore a, b;
  for (int i = 0; i < 800; ++i) {  // each wanders by half of itself; b is 15 % slower at each time
    const std::int64_t middle = 10'000 + 10 * i;
    a.add(op_at(i, Kind::send, 8, dice.duration(middle)));
    b.add(op_at(i, Kind::send, 8, dice.duration(middle * 115 / 100)));
  }
  EXPECT_THAT(doubt_about(a, b), HasSubstr("within the noise"));
}

TEST(CompareProfiles, AlarmNoMoreOftenThanTheySay) {
  int winners = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Dice dice(seed);
    SampleStore a, b;
    for (int i = 0; i < 12; ++i) {  // few samples that scatter widely
      a.add(op_at(i, Kind::send, 8, 10'000 + dice.below(10'000)));
      b.add(op_at(i, Kind::send, 8, 10'000 + dice.below(10'000)));
    }
    winners += compared(a, b).rows[0].winner ? 1 : 0;
  }
  EXPECT_LE(winners, 6) << "at p = 0.01 two are fair";
}

TEST(CompareProfiles, ByAlgorithmWithinOneRunOfThree) {
  SampleStore store = store_of(1, 10'000, 400, Algorithm::direct);
  Dice dice(2);
  for (int i = 0; i < 400; ++i) {
    Op op = op_at(i, Kind::all_reduce, 16384, dice.duration(14'000));
    op.algorithm = i % 2 == 0 ? Algorithm::ring : Algorithm::two_shot;
    store.add(op);
  }
  ProfileCompareOptions options;
  options.by = CompareBy::algorithm;
  const ProfileComparison three = compare_profiles({{"run", &store}}, options);
  ASSERT_THAT(three.rows, SizeIs(1));
  EXPECT_THAT(three.rows[0].groups, SizeIs(3));
  EXPECT_EQ(three.rows[0].groups[*three.rows[0].winner].name, "direct");
  options.only = {"ring", "two_shot"};
  const ProfileComparison two = compare_profiles({{"run", &store}}, options);
  EXPECT_FALSE(two.rows[0].winner) << two.rows[0].why;
  options.only = {"ring", "tree"};
  EXPECT_THAT(compare_profiles({{"run", &store}}, options).alone,
              Contains(HasSubstr("all_reduce 16 KB g2: ring only")));
}

TEST(CompareProfiles, PreferOneValueACollectiveToOneARank) {
  SampleStore a, b;
  Dice dice(7);
  const auto add = [&](SampleStore& store, std::int64_t transfer_ns, std::int64_t skew_ns) {
    const std::int64_t ns = dice.duration(transfer_ns);
    const Arrival arrivals[] = {{0, skew_ns + ns, 0, OpStatus::ok},
                                {skew_ns, skew_ns + ns, 1, OpStatus::ok}};
    store.add(op_at(0, Kind::all_reduce, 1024, skew_ns + ns));
    store.add(op_at(skew_ns, Kind::all_reduce, 1024, ns));
    Collective collective;
    collective.kind = Kind::all_reduce;
    collective.algorithm = Algorithm::ring;
    collective.backend = Backend::host;
    collective.bytes = 1024;
    collective.ranks = 2;
    collective.last_ns = skew_ns;
    collective.end_ns = skew_ns + ns;
    collective.complete = true;
    collective.arrivals = arrivals;
    store.add(collective);
  };
  for (int i = 0; i < 200; ++i) {  // a's ranks are late: not the algorithm's fault
    add(a, 10'000, 50'000);
    add(b, 12'000, 0);
  }
  const ProfileComparison comparison = compared(a, b);
  EXPECT_EQ(comparison.rows[0].basis, SampleBasis::host_transfer);
  EXPECT_EQ(comparison.rows[0].groups[*comparison.rows[0].winner].name, "a");
  EXPECT_EQ(comparison.rows[0].groups[0].samples, 200u);
}

}  // namespace
}  // namespace peerscope
