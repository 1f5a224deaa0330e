#include "analyze/aggregate.hpp"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "analyze/workload_for_test.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kS = 1'000'000'000;

Op op(std::int64_t begin_ns, std::int64_t duration_ns) {
  return {.begin_ns = begin_ns,
          .host_duration_ns = duration_ns,
          .bytes = 16384,
          .comm = 1,
          .rank = 0,
          .ranks = 4,
          .device = 3,
          .kind = Kind::all_reduce,
          .algorithm = Algorithm::ring};
}
void add(Aggregator& aggregator, const Op& one) { aggregator.add(std::span(&one, 1)); }

TEST(Aggregator, IsEmptyBeforeAnythingHappens) {
  Aggregator aggregator;
  const auto aggregates = aggregator.snapshot(5 * kS);
  EXPECT_TRUE(aggregates->operations.empty());
  EXPECT_EQ(aggregates->totals.success_rate, kUnknown);
  EXPECT_EQ(aggregates->totals.first_ns, kUnknownNs);
}

TEST(Aggregator, CountsWhatASampledOperationStandsFor) {
  Aggregator aggregator;
  Op sampled = op(kS, 10'000);
  sampled.weight = 64;
  add(aggregator, sampled);
  sampled.status = OpStatus::timeout;
  add(aggregator, sampled);
  const auto aggregates = aggregator.snapshot(kS + 1'000'000);
  const OperationStats& stats = aggregates->operations.at(0).windows.in(Window::all);
  EXPECT_EQ(stats.count, 128u);
  EXPECT_EQ(stats.errors, 64u);
  EXPECT_EQ(stats.bytes, 128u * 16384u);
  EXPECT_EQ(stats.host.count, 128u);
  EXPECT_EQ(aggregates->totals.success_rate, 0.5);
  EXPECT_EQ(aggregates->operations[0].first_error_ns, kS + 10'000);
}

TEST(Aggregator, NeverTakesAnUnknownOrNegativeDurationForZero) {
  Aggregator aggregator;
  add(aggregator, op(kS, kUnknownNs));
  add(aggregator, op(kS, -12'345));
  const auto aggregates = aggregator.snapshot(kS + 1);
  const OperationStats& stats = aggregates->operations.at(0).windows.in(Window::second);
  EXPECT_EQ(stats.count, 2u);
  EXPECT_FALSE(stats.host.known());
  EXPECT_EQ(stats.host.p50_ns, kUnknown);
  EXPECT_EQ(stats.mean_host_ns, kUnknown);
  EXPECT_EQ(stats.busbw_bytes_per_s, kUnknown);
  EXPECT_EQ(stats.bandwidth_clock, Clock::none);
}

TEST(Aggregator, AddsDeviceTimesThatComeLaterWithoutCountingTwice) {
  Aggregator aggregator;
  Op launch = op(kS, 3'000);
  launch.async = true;
  add(aggregator, launch);
  auto stats = aggregator.snapshot(kS + 1'000'000)->operations.at(0).windows.in(Window::all);
  EXPECT_EQ(stats.bandwidth_clock, Clock::none) << "the host knows the enqueue only";
  Op device = launch;
  device.device_only = true;
  device.host_duration_ns = kUnknownNs;
  device.device_begin_ns = kS + 5'000;
  device.device_duration_ns = 16'384;
  add(aggregator, device);
  stats = aggregator.snapshot(kS + 2'000'000)->operations.at(0).windows.in(Window::all);
  EXPECT_EQ(stats.count, 1u);
  EXPECT_EQ(stats.device.count, 1u);
  EXPECT_EQ(stats.bandwidth_clock, Clock::device);
  EXPECT_DOUBLE_EQ(stats.algbw_bytes_per_s, 1e9);
  EXPECT_DOUBLE_EQ(stats.busbw_bytes_per_s, 1.5e9);  // 2 (n-1)/n of four ranks
}

TEST(Aggregator, AsynchronousOperationsAreAsLongAsTheirDevicesSay) {
  Aggregator aggregator;
  for (int i = 0; i < 100; ++i) {
    Op enqueue = op(kS + i * 1'000'000, 5'000);
    enqueue.async = true;
    add(aggregator, enqueue);
    const std::int64_t begin = enqueue.begin_ns;
    const Arrival arrivals[] = {{begin, begin + 5'000, 0}, {begin + 200'000, begin + 205'000, 1}};
    aggregator.add({.comm = 1,
                    .bytes = 16384,
                    .first_ns = begin,
                    .last_ns = begin + 200'000,
                    .end_ns = begin + 205'000,
                    .ranks = 2,
                    .last_rank = 1,
                    .kind = Kind::all_reduce,
                    .algorithm = Algorithm::ring,
                    .complete = true,
                    .async = true,
                    .arrivals = arrivals});
    const Arrival on_device[] = {{begin, begin + 220'000, 0}, {begin, begin + 20'000, 1}};
    aggregator.add({.comm = 1,
                    .bytes = 16384,
                    .first_ns = begin,
                    .last_ns = begin,
                    .end_ns = begin + 220'000,
                    .ranks = 2,
                    .kind = Kind::all_reduce,
                    .algorithm = Algorithm::ring,
                    .complete = true,
                    .device = true,
                    .arrivals = on_device});
  }
  const auto aggregates = aggregator.snapshot(2 * kS);
  const OperationStats& stats = aggregates->operations.at(0).windows.in(Window::all);
  EXPECT_FALSE(stats.transfer.known());  // the enqueue's end says nothing of it
  EXPECT_NEAR(stats.skew.p50_ns, 200'000, 13'000);
  EXPECT_EQ(stats.device_transfer.count, 100u);
  EXPECT_NEAR(stats.device_transfer.p50_ns, 20'000, 1'300);
  EXPECT_LE(stats.device_transfer.p50_low_ns, stats.device_transfer.p50_ns);
  EXPECT_GE(stats.device_transfer.p50_high_ns, stats.device_transfer.p50_ns);
  EXPECT_NEAR(stats.device_wait.p50_ns, 200'000, 13'000);
  EXPECT_EQ(stats.bandwidth_clock, Clock::device);
  EXPECT_NEAR(stats.busbw_bytes_per_s, 1.5 * 16384 / 20e-6, 1.5 * 16384 / 20e-6 / 15);
  EXPECT_EQ(aggregates->totals.collectives, 100u);  // not counted twice
}

TEST(Aggregator, SplitsTheSameOperationsOverEveryRow) {
  Aggregator aggregator;
  Workload workload({}, 1);
  for (int i = 0; i < 10; ++i) workload.run(aggregator, 100'000'000);
  const auto out = aggregator.snapshot(workload.now_ns());
  const auto sum = [](const auto& rows, auto count) {
    std::uint64_t total = 0;
    for (const auto& row : rows) total += count(row);
    return total;
  };
  const auto all = [](const auto& row) { return row.windows.in(Window::all).count; };
  EXPECT_GT(out->totals.operations, 1'000u);
  EXPECT_EQ(sum(out->operations, all), out->totals.operations);
  EXPECT_EQ(sum(out->ranks, all), out->totals.operations);
  EXPECT_EQ(sum(out->communicators, all), out->totals.operations);
  EXPECT_EQ(sum(out->cells, [](const CellRow& cell) { return cell.count; }),
            out->totals.operations);
  EXPECT_EQ(out->ranks.size(), 4u);
  EXPECT_EQ(out->cells.size(), 4u);
}

TEST(Aggregator, ForgetsInWindowsWhatItRemembersSinceStart) {
  Aggregator aggregator;
  aggregator.advance(10 * kS);
  for (int i = 0; i < 100; ++i) add(aggregator, op(10 * kS, 1'000));
  const auto count = [&](std::int64_t now_ns, Window window) {
    const auto out = aggregator.snapshot(now_ns);
    const std::uint64_t own = out->operations.at(0).windows.in(window).count;
    EXPECT_EQ(out->devices.at(0).windows.in(window).count, own);
    EXPECT_EQ(out->ranks.at(0).windows.in(window).count, own);
    EXPECT_EQ(out->totals.windows.in(window).count, own);
    return own;
  };
  EXPECT_EQ(count(10 * kS + 1, Window::second), 100u);
  EXPECT_EQ(count(12 * kS, Window::second), 0u);
  EXPECT_EQ(count(12 * kS, Window::ten_seconds), 100u);
  EXPECT_EQ(count(23 * kS, Window::ten_seconds), 0u);
  EXPECT_EQ(count(23 * kS, Window::minute), 100u);
  EXPECT_EQ(count(90 * kS, Window::minute), 0u);
  EXPECT_EQ(count(90 * kS, Window::all), 100u);
  add(aggregator, op(70 * kS, 1'000));  // late
  EXPECT_EQ(count(90 * kS, Window::minute), 1u);
  EXPECT_EQ(count(90 * kS, Window::second), 0u);
  EXPECT_EQ(count(50 * kS, Window::all), 101u) << "a clock that runs backwards is ignored";
}

TEST(Aggregator, ShowsWhichWayBytesGoAndCountsATransferOnce) {
  Aggregator aggregator;
  Op transfer = op(kS, 16'384);
  transfer.kind = Kind::send;
  transfer.rank = 0;
  transfer.peer = 2;
  add(aggregator, transfer);
  transfer.kind = Kind::recv;
  transfer.rank = 2;
  transfer.peer = 0;
  add(aggregator, transfer);
  transfer.kind = Kind::broadcast;
  transfer.rank = 3;
  transfer.peer = 1;
  add(aggregator, transfer);
  transfer.rank = 1;  // the root itself
  add(aggregator, transfer);
  const auto out = aggregator.snapshot(kS + 1'000'000);
  ASSERT_EQ(out->pairs.size(), 2u);
  EXPECT_EQ(out->pairs[0].from, 0);
  EXPECT_EQ(out->pairs[0].to, 2);
  EXPECT_EQ(out->pairs[0].windows.in(Window::all).count, 1u);
  EXPECT_EQ(out->pairs[0].windows.in(Window::all).bytes, 16384u);
  EXPECT_DOUBLE_EQ(out->pairs[0].bandwidth_bytes_per_s, 1e9);
  EXPECT_EQ(out->pairs[0].clock, Clock::host);
  EXPECT_EQ(out->pairs[1].from, 1);
  EXPECT_EQ(out->pairs[1].to, 3);
}

TEST(Aggregator, SaysWhoCameLastAndWhatThatCostTheOthers) {
  Aggregator aggregator;
  // Rank 1 is 300 us late; the others are 0, 10 and 20 us after the first. All leave 100 us after
  // it came.
  const Arrival arrivals[] = {{kS, kS + 400'000, 0, OpStatus::ok},
                              {kS + 300'000, kS + 400'000, 1, OpStatus::ok},
                              {kS + 10'000, kS + 400'000, 2, OpStatus::ok},
                              {kS + 20'000, kS + 400'000, 3, OpStatus::ok}};
  aggregator.add({.comm = 9,
                  .bytes = 16384,
                  .first_ns = kS,
                  .last_ns = kS + 300'000,
                  .end_ns = kS + 400'000,
                  .weight = 2,
                  .ranks = 4,
                  .first_rank = 0,
                  .last_rank = 1,
                  .kind = Kind::all_reduce,
                  .backend = Backend::host,
                  .complete = true,
                  .arrivals = arrivals});
  const auto out = aggregator.snapshot(kS + 1'000'000);
  ASSERT_EQ(out->ranks.size(), 4u);
  const RankStats& late = out->ranks[1].windows.in(Window::second);
  EXPECT_EQ(late.last, 2u);
  EXPECT_EQ(late.lateness_p50_ns, 290'000.0);
  EXPECT_EQ(late.waited_for_ns, 2.0 * (300'000 + 290'000 + 280'000));
  EXPECT_EQ(late.wait_ns, 0.0);
  EXPECT_EQ(late.communication_ns, 2.0 * 100'000);
  EXPECT_EQ(out->ranks[0].windows.in(Window::second).lateness_p50_ns, -20'000.0);
  const CommunicatorStats& comm = out->communicators.at(0).windows.in(Window::all);
  EXPECT_EQ(comm.complete, 2u);
  EXPECT_NEAR(comm.waiting_share(), 870.0 / 1'270.0, 1e-9);
  EXPECT_NEAR(comm.transfer_share(), 400.0 / 1'270.0, 1e-9);
  EXPECT_EQ(out->communicators[0].dominant, Kind::all_reduce);
  const OperationStats& series = out->operations.at(0).windows.in(Window::second);
  EXPECT_NEAR(series.skew.p50_ns, 300'000, 20'000);
  EXPECT_NEAR(series.transfer.p50_ns, 100'000, 7'000);
}

TEST(Aggregator, JudgesNoIncompleteOrMismatchedCollective) {
  Aggregator aggregator;
  const Arrival arrivals[] = {{kS, kS + 10, 0, OpStatus::ok}, {kS + 5, kS + 10, 1, OpStatus::ok}};
  Collective collective{.comm = 9,
                        .first_ns = kS,
                        .last_ns = kS + 5,
                        .end_ns = kS + 10,
                        .ranks = 3,
                        .last_rank = 1,
                        .kind = Kind::barrier,
                        .arrivals = arrivals};
  aggregator.add(collective);
  collective.mismatch = collective.complete = true;
  aggregator.add(collective);
  const auto out = aggregator.snapshot(kS + 1'000'000);
  const CommunicatorStats& comm = out->communicators.at(0).windows.in(Window::all);
  EXPECT_EQ(comm.incomplete, 1u);
  EXPECT_EQ(comm.mismatched, 1u);
  EXPECT_EQ(comm.complete, 0u);
  EXPECT_EQ(comm.waiting_share(), kUnknown);
  EXPECT_EQ(out->ranks.at(1).windows.in(Window::all).last, 0u);
}

TEST(Aggregator, StaysWithinItsMemoryWhateverTheKeys) {
  const Aggregator::Options options{.max_cells = 200,
                                    .max_series = 8,
                                    .max_pairs = 50,
                                    .max_communicators = 4,
                                    .max_ranks = 64,
                                    .max_devices = 3};
  Aggregator aggregator(options);
  std::mt19937_64 random(1);
  std::vector<Op> ops(100'000);
  for (Op& one : ops) {
    one = op(static_cast<std::int64_t>(random() % (200 * kS)),
             static_cast<std::int64_t>(random() % kS));
    one.device_duration_ns = 5;
    one.comm = random() % 100;
    one.rank = static_cast<std::uint16_t>(random());
    one.peer = static_cast<std::uint16_t>(random());
    one.device = static_cast<std::uint16_t>(random());
    one.kind = static_cast<Kind>(random() % 17);
    one.bytes = random() >> (random() % 64);
  }
  aggregator.advance(200 * kS);
  aggregator.add(ops);
  const Arrival arrivals[] = {{kS, kS, 0, OpStatus::ok}, {kS, kS, 65'000, OpStatus::ok}};
  for (std::uint64_t comm = 0; comm < 50; ++comm) {
    aggregator.add({.comm = comm,
                    .first_ns = kS,
                    .last_ns = kS,
                    .end_ns = kS,
                    .ranks = 16,
                    .complete = true,
                    .arrivals = arrivals});
  }
  const auto out = aggregator.snapshot(300 * kS);
  EXPECT_EQ(out->totals.operations, ops.size());
  EXPECT_EQ(out->cells.size(), 201u);
  EXPECT_TRUE(out->cells.back().other);
  EXPECT_EQ(out->cells.back().count, out->totals.overflowed);
  EXPECT_GT(out->totals.overflowed, 90'000u);
  EXPECT_LE(aggregator.memory_bytes(), Aggregator::memory_bound_bytes(options));
}

TEST(Aggregator, SurvivesAnyTime) {
  Aggregator aggregator;
  for (const std::int64_t begin :
       {INT64_MIN, INT64_MIN + 1, std::int64_t{-5}, std::int64_t{0}, kS, INT64_MAX}) {
    for (const std::int64_t duration : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
      Op one = op(begin, duration);
      one.device_begin_ns = begin;
      one.device_duration_ns = duration;
      add(aggregator, one);
      one.device_only = true;
      add(aggregator, one);
    }
  }
  for (const std::int64_t begin : {INT64_MIN, std::int64_t{-5}, kS, INT64_MAX}) {
    for (const std::int64_t end : {INT64_MIN, std::int64_t{0}, kS, INT64_MAX}) {
      const Arrival arrivals[] = {{kS, kS, 0, OpStatus::ok}, {begin, end, 1, OpStatus::ok}};
      aggregator.add({.comm = 1,
                      .first_ns = begin,
                      .last_ns = kS,
                      .end_ns = end,
                      .ranks = 2,
                      .last_rank = 7,
                      .complete = true,
                      .arrivals = arrivals});
    }
  }
  aggregator.advance(-7);
  const auto out = aggregator.snapshot(2 * kS);
  EXPECT_EQ(out->totals.operations, 24u);
  const OperationStats& stats = out->operations.at(0).windows.in(Window::all);
  EXPECT_TRUE(std::isfinite(stats.host.p50_ns));
  EXPECT_TRUE(std::isfinite(stats.operations_per_s()));
}

}  // namespace
}  // namespace peerscope
