// Timelines, heat maps and collectives against what each operation says.
#include <cmath>
#include <map>
#include <set>

#include "model/duration_bucket.hpp"
#include "store/store_for_test.hpp"

namespace peerscope {
namespace {

// Eight bytes by every rank of a communicator of four; rank 2 comes last.
std::vector<Op> collectives(int count, std::int64_t gap_ns = 10'000) {
  std::vector<Op> ops;
  for (int i = 0; i < count; ++i) {
    for (std::uint16_t rank = 0; rank < 4; ++rank) {
      Op op;
      op.kind = i % 3 == 0 ? Kind::all_gather : Kind::all_reduce;
      op.bytes = 8;
      op.begin_ns = 1000 + i * gap_ns + (rank == 2 ? 900 : rank * 100);
      op.host_duration_ns = 5000;
      op.sequence = static_cast<std::uint64_t>(i);
      op.comm = 9;
      op.rank = rank;
      op.process = rank;
      op.ranks = 4;
      op.status = i % 100 == 7 && rank == 1 ? OpStatus::error : OpStatus::ok;
      ops.push_back(op);
    }
  }
  return ops;
}

std::vector<CollectiveItem> all_pages(const Store& store, OperationQuery query) {
  std::vector<CollectiveItem> all;
  for (int pages = 0; pages < 100'000; ++pages) {
    auto page = store.collectives(query);
    EXPECT_TRUE(page);
    EXPECT_LE(page->items.size(), query.limit);
    for (CollectiveItem& item : page->items) all.push_back(std::move(item));
    if (page->next.empty()) return all;
    query.cursor = page->next;
  }
  ADD_FAILURE() << "pages have no end";
  return all;
}

// Ranks in different chunks: chunks of 6 operations cut collectives apart.
TEST(StoreCollectives, PagesHoldEachOnceWithAllItsRanks) {
  const TestFolder folder;
  write_trace(folder.path(), collectives(1000), 6);
  const auto store = opened(folder.path());
  wait_for(*store, 4000);
  for (const bool newest_first : {false, true}) {
    OperationQuery query;
    query.newest_first = newest_first;
    query.limit = 37;
    const auto all = all_pages(*store, query);
    ASSERT_EQ(all.size(), 1000u);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const CollectiveItem& item = all[i];
      const std::size_t number = newest_first ? 999 - i : i;
      ASSERT_EQ(item.sequence, number);
      ASSERT_EQ(item.seen, 4);
      EXPECT_EQ(item.ops.size(), 4u);
      EXPECT_EQ(item.last_rank, 2);
      EXPECT_EQ(item.last_ns - item.first_ns, 900);
      EXPECT_EQ(item.end_ns, item.last_ns + 5000);
      EXPECT_EQ(item.error, number % 100 == 7);
    }
  }
}

TEST(StoreCollectives, FiltersByKindTimeAndErrors) {
  const TestFolder folder;
  write_trace(folder.path(), collectives(600), 50);
  const auto store = opened(folder.path());
  wait_for(*store, 2400);
  OperationQuery query;
  query.filter.only_errors = true;
  EXPECT_EQ(all_pages(*store, query).size(), 6u);
  query = {};
  query.filter.kinds = 1U << static_cast<unsigned>(Kind::all_gather);
  EXPECT_EQ(all_pages(*store, query).size(), 200u);
  query.filter.kinds = 1U << static_cast<unsigned>(Kind::send);
  EXPECT_TRUE(all_pages(*store, query).empty());
  query = {};
  query.filter.from_ns = 1000 + 100 * 10'000;
  query.filter.to_ns = 1000 + 110 * 10'000;
  const auto some = all_pages(*store, query);
  ASSERT_EQ(some.size(), 10u);
  EXPECT_EQ(some.front().sequence, 100u);
  // That of which a part alone lies in the range began before it.
  query.filter.from_ns += 500;
  EXPECT_EQ(all_pages(*store, query).size(), 9u);
}

TEST(StoreCollectives, DeviceTimesThatComeApartAreNoRank) {
  const TestFolder folder;
  std::vector<Op> ops = collectives(10);
  const std::size_t count = ops.size();
  for (std::size_t i = 0; i < count; ++i) {
    Op times = ops[i];
    times.device_only = true;
    times.host_duration_ns = kUnknownNs;
    times.device_begin_ns = times.begin_ns + 10;
    times.device_duration_ns = 100 + 50 * times.rank;
    ops.push_back(times);
  }
  write_trace(folder.path(), ops, 1000);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  const auto all = all_pages(*store, {});
  ASSERT_EQ(all.size(), 10u);
  for (const CollectiveItem& item : all) {
    EXPECT_EQ(item.seen, 4);
    EXPECT_EQ(item.ops.size(), 4u);
    EXPECT_EQ(item.device_transfer_ns, 100);
    EXPECT_EQ(item.device_wait_ns, 150);
  }
}

TEST(StoreCollectives, ACommunicatorThatCountsFromZeroAgainIsNotJoinedWithItsPast) {
  const TestFolder folder;
  std::vector<Op> ops = collectives(20), later = collectives(20);
  for (Op& op : later) op.begin_ns += 1'000'000;
  ops.insert(ops.end(), later.begin(), later.end());
  write_trace(folder.path(), ops, 1000);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  const auto all = all_pages(*store, {});
  ASSERT_EQ(all.size(), 40u);
  for (const CollectiveItem& item : all) EXPECT_EQ(item.last_ns - item.first_ns, 900);
}

TEST(StoreCollectives, AllAtOneTimeEndNevertheless) {
  const TestFolder folder;
  std::vector<Op> ops = collectives(500);
  for (Op& op : ops) op.begin_ns = 5;
  write_trace(folder.path(), ops, 32);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  for (const bool newest_first : {false, true}) {
    OperationQuery query;
    query.newest_first = newest_first;
    query.limit = 64;
    std::set<std::uint64_t> sequences;
    for (const CollectiveItem& item : all_pages(*store, query)) {
      EXPECT_EQ(item.seen, 4);
      EXPECT_TRUE(sequences.insert(item.sequence).second);
    }
    EXPECT_EQ(sequences.size(), 500u);
  }
}

std::uint64_t sum_of(const HeatMap& map, std::size_t bucket) {
  std::uint64_t sum = 0;
  for (const auto& column : map.columns) sum += column[bucket];
  return sum;
}

void check_heat_map(const std::vector<Op>& ops, std::uint32_t chunk, bool device) {
  const TestFolder folder;
  write_trace(folder.path(), ops, chunk);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  HeatMapQuery query;
  query.device = device;
  query.columns = 50;
  query.filter.kinds = 0b110;
  const auto map = store->heat_map(query);
  ASSERT_TRUE(map);
  std::map<std::size_t, std::uint64_t> expected;
  for (const Op& op : ops) {
    const std::int64_t ns = device ? op.device_duration_ns : op.host_duration_ns;
    if (ns >= 0 && query.filter.passes(op))
      ++expected[duration_bucket(static_cast<std::uint64_t>(ns))];
  }
  ASSERT_LE(map->columns.size(), 50u);
  ASSERT_GT(map->columns.size(), 10u);
  EXPECT_LE(map->from_ns, ops.front().begin_ns);
  std::uint64_t total = 0;
  for (std::size_t b = 0; b < map->bucket_top_ns.size(); ++b) {
    const auto bucket = duration_bucket(static_cast<std::uint64_t>(map->bucket_top_ns[b]));
    EXPECT_EQ(sum_of(*map, b), expected[bucket]) << map->bucket_top_ns[b];
    total += expected[bucket];
    if (b > 0) {
      EXPECT_LT(map->bucket_top_ns[b - 1], map->bucket_top_ns[b]);
    }
  }
  std::uint64_t all = 0;
  for (const auto& [bucket, count] : expected) all += count;
  EXPECT_EQ(total, all);
  EXPECT_GT(all, 0u);
}

TEST(StoreHeatMap, CountsEachDurationFromSlotsAndFromOperations) {
  const std::vector<Op> ops = RandomOps(30).take(6000);
  for (const bool device : {false, true}) {
    check_heat_map(ops, 64, device);
    check_heat_map(ops, 4096, device);
  }
}

struct Expected {
  std::uint64_t count = 0, errors = 0;
  double busy_ns = 0;
};
using LaneKey = std::tuple<std::uint16_t, std::uint32_t, std::uint32_t, std::uint16_t>;

std::map<LaneKey, Expected> lanes_of(const std::vector<Op>& ops, bool device) {
  std::map<LaneKey, Expected> lanes;
  for (const Op& op : ops) {
    if (device ? op.device_duration_ns < 0 : op.device_only) continue;
    Expected& lane = device ? lanes[{op.rank, op.process, 0, op.stream}]
                            : lanes[{op.rank, op.process, op.thread, 0}];
    ++lane.count;
    lane.errors += op.status != OpStatus::ok ? 1 : 0;
    const std::int64_t ns = device ? op.device_duration_ns : op.host_duration_ns;
    lane.busy_ns += ns > 0 ? static_cast<double>(ns) : 0;
  }
  return lanes;
}

void check_timeline(const Store& store, const std::vector<Op>& ops, const TimelineQuery& query) {
  const auto timeline = store.timeline(query);
  ASSERT_TRUE(timeline);
  const auto expected = lanes_of(ops, query.device);
  ASSERT_EQ(timeline->lanes.size(), expected.size());
  EXPECT_TRUE(timeline->ops.empty());
  std::vector<Expected> got(timeline->lanes.size());
  for (const TimelineBin& bin : timeline->bins) {
    ASSERT_LT(bin.lane, got.size());
    EXPECT_LE(bin.bin, query.bins);
    EXPECT_LE(bin.busy, 1.0F);
    got[bin.lane].count += bin.count;
    got[bin.lane].errors += bin.errors;
    got[bin.lane].busy_ns += static_cast<double>(bin.busy) * static_cast<double>(timeline->bin_ns);
  }
  std::size_t i = 0;
  for (const auto& [key, lane] : expected) {  // by rank, then process, then thread
    const TimelineLane& shown = timeline->lanes[i];
    EXPECT_EQ(key, LaneKey(shown.rank, shown.process, shown.thread, shown.stream));
    EXPECT_EQ(got[i].count, lane.count);
    EXPECT_EQ(got[i].errors, lane.errors);
    EXPECT_NEAR(got[i].busy_ns, lane.busy_ns, 0.01 * lane.busy_ns + 1000);
    ++i;
  }
}

// Of 24 ranks' lanes, each busy now and then: what is added to bins comes out again.
std::vector<Op> sparse(std::size_t count) {
  std::vector<Op> ops;
  for (std::size_t i = 0; i < count; ++i) {
    Op op;
    op.begin_ns = static_cast<std::int64_t>(i) * 100'000;
    op.rank = static_cast<std::uint16_t>(i % 24);
    op.process = op.rank;
    op.thread = static_cast<std::uint32_t>(i % 2);
    op.stream = static_cast<std::uint16_t>(i % 5);
    op.kind = Kind::send;
    op.host_duration_ns = static_cast<std::int64_t>(1000 + i % 7 * 150'000);
    op.device_begin_ns = op.begin_ns + 50;
    op.device_duration_ns = i % 3 == 0 ? 40'000 : kUnknownNs;
    op.status = i % 50 == 0 ? OpStatus::error : OpStatus::ok;
    ops.push_back(op);
  }
  return ops;
}

TEST(StoreTimeline, BinsAddUpToTheOperations) {
  const std::vector<Op> ops = sparse(20'000);
  for (const std::uint32_t chunk : {64U, 4096U}) {  // from the index, and from operations
    const TestFolder folder;
    write_trace(folder.path(), ops, chunk);
    const auto store = opened(folder.path());
    wait_for(*store, ops.size());
    for (const bool device : {false, true}) {
      TimelineQuery query;
      query.device = device;
      query.bins = 500;
      check_timeline(*store, ops, query);
    }
  }
}

TEST(StoreTimeline, FewOperationsAreGivenOneByOneWithThoseThatReachIn) {
  const TestFolder folder;
  const std::vector<Op> ops = sparse(20'000);
  write_trace(folder.path(), ops, 64);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  TimelineQuery query;
  query.filter.from_ns = ops[5000].begin_ns + 1;
  query.filter.to_ns = ops[5100].begin_ns;
  const auto timeline = store->timeline(query);
  std::size_t expected = 0;
  for (const Op& op : ops) {
    expected +=
        op.begin_ns < query.filter.to_ns && op.begin_ns + op.host_duration_ns > query.filter.from_ns
            ? 1
            : 0;
  }
  EXPECT_GT(expected, 99u);
  ASSERT_EQ(timeline->ops.size(), expected);
  EXPECT_TRUE(timeline->bins.empty());
  EXPECT_EQ(timeline->lanes.size(), 24u);  // all of the file
  for (const TimelineOp& each : timeline->ops) {
    EXPECT_EQ(timeline->lanes[each.lane].rank, each.op.rank);
    EXPECT_EQ(timeline->lanes[each.lane].thread, each.op.thread);
  }
}

TEST(StoreTimeline, SaysWhichKindTookMostOfABin) {
  const TestFolder folder;
  std::vector<Op> ops;
  for (int i = 0; i < 30'000; ++i) {
    Op op;
    op.begin_ns = i * 10'000;
    op.kind = i % 2 == 0 ? Kind::all_reduce : Kind::send;
    op.host_duration_ns = i % 2 == 0 ? 7000 : 2000;
    op.rank = 0;
    ops.push_back(op);
  }
  write_trace(folder.path(), ops, 128);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  TimelineQuery query;
  query.bins = 100;
  const auto timeline = store->timeline(query);
  ASSERT_GT(timeline->bins.size(), 50u);
  for (const TimelineBin& bin : timeline->bins) EXPECT_EQ(bin.kind, Kind::all_reduce);
  EXPECT_NEAR(timeline->bins[20].busy, 0.45, 0.02);
}

TEST(StoreTimeline, AFilterOfKindsCountsFromSlots) {
  const TestFolder folder;
  const std::vector<Op> ops = RandomOps(31).take(8000);
  write_trace(folder.path(), ops, 64);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  TimelineQuery query;
  query.filter.kinds = 1U << static_cast<unsigned>(Kind::send);
  query.filter.only_errors = true;
  query.max_operations = 0;
  const auto timeline = store->timeline(query);
  std::uint64_t count = 0, expected = 0;
  for (const TimelineBin& bin : timeline->bins) count += bin.count;
  for (const Op& op : ops) expected += query.filter.passes(op) && !op.device_only ? op.weight : 0;
  EXPECT_EQ(count, expected);
  EXPECT_GT(expected, 0u);
}

}  // namespace
}  // namespace peerscope
