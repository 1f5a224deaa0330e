// What rules read is what the snapshot says: summed where it adds up, the worst where it does not.
#include "analyze/alert/reading.hpp"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/alert/snapshot_for_test.hpp"

namespace peerscope {
namespace {

std::vector<TermReading> read(const std::string& text, const Snapshot& snapshot) {
  const Rule rule = rule_of(text);
  EXPECT_FALSE(rule.name.empty()) << text;
  return read_term(rule.term, wants_high(rule.comparison), snapshot);
}

// The one reading there is.
std::optional<double> value(const std::string& text, const Snapshot& snapshot) {
  const auto all = read(text, snapshot);
  EXPECT_EQ(all.size(), 1u) << text;
  return all.empty() ? std::nullopt : all.front().value;
}

Snapshot two_rows() {
  Snapshot snapshot = of_all_reduce(1, 100e3, 2);
  auto all = std::make_shared<Aggregates>(*snapshot.aggregates);
  OperationRow other = all->operations.front();
  other.kind = Kind::broadcast;
  other.size_class = 21;
  for (OperationStats& stats : other.windows) {
    stats.device = all_took(300e3);
    stats.busbw_bytes_per_s = 5e9;
    stats.errors = 3;
  }
  all->operations.push_back(other);
  for (int rank = 0; rank < 2; ++rank) {
    RankRow row;
    row.comm = 0xab;
    row.rank = static_cast<std::uint16_t>(rank);
    for (RankStats& stats : row.windows) {
      stats.collectives = 10;
      stats.count = 10;
      stats.lateness_samples = 10;
      stats.lateness_p50_ns = rank == 1 ? 50e3 : -20e3;
      stats.waiting_share = 0.1 * (rank + 1);
    }
    all->ranks.push_back(row);
    CellRow cell;
    cell.kind = Kind::all_reduce;
    cell.rank = row.rank;
    cell.comm = row.comm;
    cell.count = 100;
    cell.device_time = all_took(1000.0 * (rank + 1));
    all->cells.push_back(cell);
  }
  PairRow pair;
  pair.from = 0;
  pair.to = 1;
  pair.bandwidth_bytes_per_s = 6e9;
  all->pairs.push_back(pair);
  snapshot.aggregates = all;
  snapshot.communicators = {{0xab, "tp"}};
  return snapshot;
}

TEST(Reading, WhatAddsUpIsSummedAndOfAllElseTheWorstRowCounts) {
  const Snapshot snapshot = two_rows();
  EXPECT_EQ(value("errors > 0", snapshot), 5);
  EXPECT_EQ(value("count > 0", snapshot), 200);
  EXPECT_EQ(value("p99 > 1us", snapshot), 300e3);
  EXPECT_EQ(value("p99 < 1us", snapshot), 100e3);
  EXPECT_EQ(value("success_rate < 1%", snapshot), 0.975);
  EXPECT_EQ(value("busbw < 1 GB/s", snapshot), 5e9);
}

TEST(Reading, FiltersLeaveTheRestOut) {
  const Snapshot snapshot = two_rows();
  EXPECT_EQ(value("errors(all_reduce) > 0", snapshot), 2);
  EXPECT_EQ(value("errors(size=1M) > 0", snapshot), 3);
  EXPECT_TRUE(read("errors(gather) > 0", snapshot).empty());
  EXPECT_EQ(value("lateness(rank=1) > 1us", snapshot), 50e3);
  EXPECT_EQ(value("lateness(communicator=tp) > 1us", snapshot), 50e3);
  EXPECT_EQ(value("lateness(communicator=ab) > 1us", snapshot), 50e3);
  EXPECT_TRUE(read("lateness(communicator=pp) > 1us", snapshot).empty());
}

TEST(Reading, GroupsAreToldApart) {
  const Snapshot snapshot = two_rows();
  const auto operations = read("p99 > 1us group operation", snapshot);
  ASSERT_EQ(operations.size(), 2u);
  EXPECT_EQ(operations[0].subject.operation, "all_reduce");
  EXPECT_EQ(operations[1].value, 300e3);
  EXPECT_STREQ(operations[1].clock, "device");
  EXPECT_EQ(operations[1].detail, "broadcast of 1 MB");
  const auto ranks = read("lateness > 1us group rank", snapshot);
  ASSERT_EQ(ranks.size(), 2u);
  EXPECT_EQ(ranks[0].subject.rank, 0);
  EXPECT_EQ(ranks[0].subject.communicator, "tp");
  EXPECT_EQ(ranks[0].value, -20e3);  // early: known, and not unknown
  const auto cells = read("p99(device) > 1us group rank", snapshot);
  ASSERT_EQ(cells.size(), 2u);
  EXPECT_EQ(cells[1].value, 2000);
  const auto pairs = read("bandwidth < 1 GB/s group pair", snapshot);
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].subject.peer, 1);
  EXPECT_EQ(pairs[0].value, 6e9);
}

TEST(Reading, WhatNobodyMeasuredIsUnknownAndNotZero) {
  Snapshot snapshot = of_all_reduce(1, -1);
  EXPECT_EQ(value("p99 > 1us", snapshot), std::nullopt);
  EXPECT_EQ(value("p99(skew) > 1us", snapshot), std::nullopt);
  EXPECT_EQ(value("busbw < 1 GB/s", snapshot), std::nullopt);
  EXPECT_EQ(value("errors > 0", snapshot), 0);
  snapshot.aggregates.reset();
  EXPECT_TRUE(read("errors > 0", snapshot).empty());
  EXPECT_TRUE(read("nvlink > 1 GB/s", snapshot).empty());
  EXPECT_TRUE(read("pool_share > 1%", snapshot).empty());
}

TEST(Reading, WhatIsNoNumberIsUnknownAndNotTheWorst) {
  Snapshot snapshot;
  const auto gauge = [&](const char* name, double value, int rank) {
    MetricView view;
    view.name = name;
    view.value = value;
    view.rank = rank;
    snapshot.metrics.push_back(view);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  gauge("loss", 3, 0);
  gauge("loss", nan, 1);
  gauge("loss", std::numeric_limits<double>::infinity(), 2);
  EXPECT_EQ(value("metric(\"loss\") > 1", snapshot), 3);
  EXPECT_EQ(value("metric(\"loss\") < 1", snapshot), 3);
  const auto ranks = read("metric(\"loss\") > 1 group rank", snapshot);
  ASSERT_EQ(ranks.size(), 3u);
  EXPECT_EQ(ranks[1].value, std::nullopt);
  EXPECT_EQ(ranks[2].value, std::nullopt);
  gauge("pool.used_bytes", nan, 0);
  gauge("pool.capacity_bytes", 100, 0);
  EXPECT_EQ(value("pool_share > 1%", snapshot), std::nullopt);
  snapshot = two_rows();
  auto all = std::make_shared<Aggregates>(*snapshot.aggregates);
  for (RankStats& stats : all->ranks[1].windows) stats.lateness_p50_ns = nan;
  snapshot.aggregates = all;
  EXPECT_EQ(value("lateness(rank=1) > 1us", snapshot), std::nullopt);
}

TEST(Reading, PoolsMetricsOpenOperationsAndGpus) {
  Snapshot snapshot;
  const auto gauge = [&](const char* name, double value, std::optional<int> rank) {
    MetricView view;
    view.name = name;
    view.value = value;
    view.rank = rank;
    snapshot.metrics.push_back(view);
  };
  gauge("pool.used_bytes", 30, 0);
  gauge("pool.used_bytes", 90, 1);
  gauge("pool.capacity_bytes", 100, 0);
  gauge("pool.capacity_bytes", 100, 1);
  gauge("pool.rank7.tp.used_bytes", 5, std::nullopt);
  gauge("pool.rank7.tp.capacity_bytes", 10, std::nullopt);
  gauge("queue.depth", -3, std::nullopt);
  EXPECT_EQ(value("pool_share(rank=7) > 1%", snapshot), 0.5);
  EXPECT_EQ(value("pool_share > 1%", snapshot), 0.9);
  ASSERT_EQ(read("pool_share > 1% group rank", snapshot).size(), 3u);
  EXPECT_EQ(value("metric(\"queue.depth\") > 1", snapshot), -3);
  EXPECT_EQ(value("in_flight > 1", snapshot), 0);
  EXPECT_EQ(value("in_flight_age > 1s", snapshot), 0);
  for (int i = 1; i <= 2; ++i) {
    InFlight open;
    open.op.kind = Kind::all_reduce;
    open.op.rank = static_cast<std::uint16_t>(i);
    open.age_ns = i * kSecond;
    snapshot.in_flight.push_back(open);
  }
  EXPECT_EQ(value("in_flight > 1", snapshot), 2);
  EXPECT_EQ(value("in_flight_age > 1s", snapshot), 2e9);
  EXPECT_EQ(value("in_flight_age(rank=1) > 1s group rank", snapshot), 1e9);
  auto machine = std::make_shared<MachineSummary>();
  machine->devices.resize(2);
  machine->devices[1].index = 1;
  machine->devices[1].history.push_back({.at_ns = 1,
                                         .nvlink_bytes_per_s = 5e9,
                                         .pcie_bytes_per_s = {},
                                         .errors = 4,
                                         .links_active = 17});
  snapshot.machine = machine;
  EXPECT_EQ(value("links_active < 18 group device", snapshot), 17);
  EXPECT_EQ(value("nvlink > 1 GB/s", snapshot), 5e9);
  EXPECT_EQ(value("pcie > 1 GB/s", snapshot), std::nullopt);
  EXPECT_EQ(value("device_errors(device=1) > 0", snapshot), 4);
}

}  // namespace
}  // namespace peerscope
