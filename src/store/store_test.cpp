// Answers against those of looking at each operation.
#include "store/store.hpp"

#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "model/size_class.hpp"
#include "store/chunk_cache.hpp"
#include "store/store_for_test.hpp"
#include "store/view.hpp"
#include "trace/trace_parts.hpp"

namespace peerscope {
namespace {

bool same(const Op& a, const Op& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

std::vector<Op> sorted(std::vector<Op> ops, bool newest_first) {
  std::stable_sort(ops.begin(), ops.end(), [&](const Op& a, const Op& b) {
    return newest_first ? a.begin_ns > b.begin_ns : a.begin_ns < b.begin_ns;
  });
  return ops;
}

// All pages of a query, one after the other.
std::vector<Op> all_pages(const Store& store, OperationQuery query,
                          std::size_t most_pages = 100'000) {
  std::vector<Op> all;
  for (std::size_t pages = 0;; ++pages) {
    const auto page = store.operations(query);
    EXPECT_TRUE(page);
    EXPECT_LE(page->items.size(), query.limit);
    all.insert(all.end(), page->items.begin(), page->items.end());
    if (page->next.empty()) return all;
    query.cursor = page->next;
    if (pages > most_pages) {
      ADD_FAILURE() << "pages have no end";
      return all;
    }
  }
}

// The same operations, in the order of begin; those that begin together may change places.
void expect_same_ops(const std::vector<Op>& got, std::vector<Op> expected, bool newest_first) {
  ASSERT_EQ(got.size(), expected.size());
  expected = sorted(std::move(expected), newest_first);
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(got[i].begin_ns, expected[i].begin_ns) << i;
  const auto order = [](const Op& a, const Op& b) { return std::memcmp(&a, &b, sizeof a) < 0; };
  std::vector<Op> a = got;
  std::sort(a.begin(), a.end(), order);
  std::sort(expected.begin(), expected.end(), order);
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_TRUE(same(a[i], expected[i])) << i;
}

std::vector<Op> passing(const std::vector<Op>& ops, const OpFilter& filter) {
  std::vector<Op> out;
  for (const Op& op : ops) {
    if (filter.passes(op)) out.push_back(op);
  }
  return out;
}

OpFilter random_filter(RandomOps& random, const std::vector<Op>& ops) {
  OpFilter filter;
  if (random.below(2) == 0) filter.kinds = static_cast<std::uint32_t>(random.below(512));
  if (random.below(3) == 0) filter.rank = static_cast<std::uint16_t>(random.below(5));
  if (random.below(4) == 0) filter.peer = static_cast<std::uint16_t>(random.below(5));
  if (random.below(4) == 0) filter.comm = 1 + random.below(3);
  if (random.below(4) == 0) filter.min_bytes = random.below(5000);
  if (random.below(4) == 0) filter.only_errors = true;
  if (random.below(2) == 0) {
    filter.from_ns = ops[random.below(ops.size())].begin_ns;
    filter.to_ns = filter.from_ns + static_cast<std::int64_t>(random.below(600'000'000));
  }
  return filter;
}

TEST(StoreOperations, PagesHoldEachOperationOnceInOrder) {
  const TestFolder folder;
  const std::vector<Op> ops = RandomOps(1).take(9000);
  write_trace(folder.path(), ops, 128);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  for (const bool newest_first : {false, true}) {
    for (const std::size_t limit : {1000, 77}) {
      OperationQuery query;
      query.newest_first = newest_first;
      query.limit = limit;
      expect_same_ops(all_pages(*store, query), ops, newest_first);
    }
  }
}

TEST(StoreOperations, FiltersAsEachOperationWould) {
  const TestFolder folder;
  RandomOps random(2);
  const std::vector<Op> ops = random.take(8000);
  write_trace(folder.path(), ops, 100);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  for (int i = 0; i < 60; ++i) {
    OperationQuery query;
    query.filter = random_filter(random, ops);
    query.newest_first = i % 2 == 1;
    query.limit = 1 + random.below(300);
    SCOPED_TRACE(i);
    expect_same_ops(all_pages(*store, query), passing(ops, query.filter), query.newest_first);
  }
}

TEST(StoreOperations, ARareErrorIsFoundWithoutReadingAll) {
  const TestFolder folder;
  std::vector<Op> ops;
  for (int i = 0; i < 60'000; ++i) {
    Op op;
    op.begin_ns = i * 1'000'000LL;
    op.host_duration_ns = 10;
    op.kind = Kind::send;
    op.status = i == 41'234 ? OpStatus::error : OpStatus::ok;
    ops.push_back(op);
  }
  write_trace(folder.path(), ops, 64);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  OperationQuery query;
  query.filter.only_errors = true;
  const auto page = store->operations(query);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->items.size(), 1u);  // on the first page, though 940 chunks lie before it
  EXPECT_EQ(page->items[0].begin_ns, 41'234'000'000);
  EXPECT_TRUE(page->next.empty());
}

TEST(StoreOperations, AllAtOneTimeEndNevertheless) {
  const TestFolder folder;
  std::vector<Op> ops = RandomOps(3).take(4000);
  for (Op& op : ops) op.begin_ns = 1'000'000;
  write_trace(folder.path(), ops, 64);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  for (const bool newest_first : {false, true}) {
    OperationQuery query;
    query.newest_first = newest_first;
    query.limit = 300;
    expect_same_ops(all_pages(*store, query), ops, newest_first);
  }
}

TEST(StoreOperations, RefusesABadCursorInOneSentence) {
  const TestFolder folder;
  write_trace(folder.path(), RandomOps(4).take(10), 64);
  const auto store = opened(folder.path());
  OperationQuery query;
  query.cursor = "0123";
  const auto page = store->operations(query);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(page.error().message.find('\n'), std::string::npos);
  EXPECT_FALSE(store->collectives(query));
}

TEST(StoreOperations, CursorsGoOnWhileTheFileGrows) {
  const TestFolder folder;
  RandomOps random(5);
  std::vector<Op> ops;
  TraceWriter writer = writer_to(folder.path(), 64);
  const auto store = opened(folder.path(), 2'000'000);
  OperationQuery query;
  query.limit = 50;
  std::vector<Op> got;
  std::uint64_t written = 0;
  for (int round = 0; round < 20; ++round) {
    const std::vector<Op> more = random.take(640);
    writer.add(more);
    ops.insert(ops.end(), more.begin(), more.end());
    written = ops.size();
    wait_for(*store, written);
    // Half of what is there: what comes later must not be missed.
    for (int pages = 0; pages < 6; ++pages) {
      const auto page = store->operations(query);
      ASSERT_TRUE(page);
      got.insert(got.end(), page->items.begin(), page->items.end());
      ASSERT_FALSE(page->next.empty());
      query.cursor = page->next;
    }
  }
  const auto rest = all_pages(*store, query);
  got.insert(got.end(), rest.begin(), rest.end());
  expect_same_ops(got, ops, false);
}

struct Expected {
  Counts counts;
  std::vector<std::int64_t> host, device;
};
using Key = std::tuple<Kind, std::uint16_t, std::uint8_t, OpStatus>;

std::map<Key, Expected> brute_force(const std::vector<Op>& ops, const AggregateQuery& query,
                                    std::int64_t from, std::int64_t to) {
  std::map<Key, Expected> rows;
  OpFilter filter = query.filter;
  filter.from_ns = from;
  filter.to_ns = to;
  filter.min_bytes = 0;
  const std::set<GroupBy> by(query.by.begin(), query.by.end());
  for (const Op& op : ops) {
    if (!filter.passes(op) || size_class(op.bytes) < size_class(query.filter.min_bytes)) continue;
    Key key{by.contains(GroupBy::operation) ? op.kind : Kind::other,
            by.contains(GroupBy::rank) ? op.rank : kNoRank,
            by.contains(GroupBy::size) ? size_class(op.bytes) : std::uint8_t{0},
            by.contains(GroupBy::status) ? op.status : OpStatus::ok};
    Expected& row = rows[key];
    if (!op.device_only) {
      row.counts.count += op.weight;
      row.counts.bytes += op.weight * op.bytes;
      row.counts.errors += op.status != OpStatus::ok ? op.weight : 0;
      if (op.host_duration_ns >= 0) row.host.push_back(op.host_duration_ns);
    }
    if (op.device_duration_ns >= 0) row.device.push_back(op.device_duration_ns);
  }
  std::erase_if(rows, [](const auto& each) {
    return each.second.counts.count == 0 && each.second.host.empty() && each.second.device.empty();
  });
  return rows;
}

void expect_distribution(const Distribution& got, std::vector<std::int64_t> values, bool exact) {
  ASSERT_EQ(got.count, values.size());
  if (values.empty()) {
    EXPECT_EQ(got.p50_ns, kUnknown);
    EXPECT_EQ(got.mean_ns, kUnknown);
    return;
  }
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  const auto quantile = [&](double p) {
    const auto place = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(p * n)));
    return static_cast<double>(values[static_cast<std::size_t>(place - 1)]);
  };
  const double off = exact ? 0 : 1.0 / 16 + 1e-9;
  for (const auto& [p, ns] :
       {std::pair{0.5, got.p50_ns}, {0.9, got.p90_ns}, {0.99, got.p99_ns}, {0.999, got.p999_ns}})
    EXPECT_NEAR(ns, quantile(p), off * quantile(p)) << p;
  EXPECT_EQ(got.min_ns, static_cast<double>(values.front()));
  EXPECT_EQ(got.max_ns, static_cast<double>(values.back()));
  double sum = 0;
  for (const std::int64_t value : values) sum += static_cast<double>(value);
  EXPECT_NEAR(got.mean_ns, sum / n, 1e-6 * got.mean_ns);
}

void expect_table(const AggregateTable& table, const std::vector<Op>& ops,
                  const AggregateQuery& query) {
  const auto expected = brute_force(ops, query, table.from_ns, table.to_ns);
  ASSERT_EQ(table.rows.size(), expected.size());
  for (const AggregateRow& row : table.rows) {
    const auto at = expected.find({row.key.kind, row.key.rank, row.size_class, row.key.status});
    ASSERT_NE(at, expected.end());
    EXPECT_EQ(row.counts.count, at->second.counts.count);
    EXPECT_EQ(row.counts.bytes, at->second.counts.bytes);
    EXPECT_EQ(row.counts.errors, at->second.counts.errors);
    EXPECT_FALSE(row.other);
    expect_distribution(row.host, at->second.host, table.exact);
    expect_distribution(row.device, at->second.device, table.exact);
    if (query.resolution_ns == 0) continue;
    Counts sum;
    for (const AggregatePoint& point : row.points) {
      sum.count += point.counts.count;
      sum.bytes += point.counts.bytes;
      EXPECT_LT(point.begin_ns, point.end_ns);
    }
    EXPECT_EQ(sum.count, row.counts.count);
    EXPECT_EQ(sum.bytes, row.counts.bytes);
  }
}

std::vector<GroupBy> random_by(RandomOps& random) {
  std::vector<GroupBy> by;
  for (const GroupBy each : {GroupBy::operation, GroupBy::rank, GroupBy::size, GroupBy::status}) {
    if (random.below(3) == 0) by.push_back(each);
  }
  return by;
}

// Of `chunk` operations each: many small ones are answered from slots, few from the operations.
void check_aggregates(std::uint64_t seed, std::uint32_t chunk) {
  const TestFolder folder;
  RandomOps random(seed);
  const std::vector<Op> ops = random.take(10'000);
  write_trace(folder.path(), ops, chunk);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  int exact = 0, from_slots = 0;
  for (int i = 0; i < 40; ++i) {
    AggregateQuery query;
    query.filter = random_filter(random, ops);
    query.by = random_by(random);
    query.resolution_ns = random.below(2) == 0 ? 10'000'000 : 0;
    const auto table = store->aggregate(query);
    ASSERT_TRUE(table);
    SCOPED_TRACE(i);
    const std::int64_t slot = store->state().slot_ns;
    if (query.filter.from_ns != INT64_MIN) {
      EXPECT_LE(table->from_ns, query.filter.from_ns);
      EXPECT_GT(table->from_ns, query.filter.from_ns - slot);
      EXPECT_GE(table->to_ns, query.filter.to_ns);
      EXPECT_LT(table->to_ns, query.filter.to_ns + slot);
    }
    EXPECT_EQ(table->indexed_share, 1);
    (table->exact ? exact : from_slots) += 1;
    expect_table(*table, ops, query);
  }
  EXPECT_GT(exact, 0);
  EXPECT_TRUE(chunk > 1000 || from_slots > 0);
}

TEST(StoreAggregate, SlotsAddUpToWhatEachOperationDoes) { check_aggregates(10, 64); }
TEST(StoreAggregate, NarrowRangesAreExact) { check_aggregates(11, 4096); }

TEST(StoreAggregate, GroupsByEveryKey) {
  const TestFolder folder;
  const std::vector<Op> ops = RandomOps(12).take(3000);
  write_trace(folder.path(), ops, 1000);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  const auto distinct = [&](GroupBy by, auto&& key_of) {
    std::set<std::uint64_t> keys, got;
    for (const Op& op : ops) keys.insert(static_cast<std::uint64_t>(key_of(op)));
    AggregateQuery query;
    query.by = {by};
    const auto table = store->aggregate(query);
    for (const AggregateRow& row : table->rows)
      got.insert(static_cast<std::uint64_t>(key_of(row.key)));
    EXPECT_EQ(keys, got) << static_cast<int>(by);
  };
  distinct(GroupBy::operation, [](const Op& op) { return op.kind; });
  distinct(GroupBy::algorithm, [](const Op& op) { return op.algorithm; });
  distinct(GroupBy::protocol, [](const Op& op) { return op.protocol; });
  distinct(GroupBy::rank, [](const Op& op) { return op.rank; });
  distinct(GroupBy::peer, [](const Op& op) { return op.peer; });
  distinct(GroupBy::device, [](const Op& op) { return op.device; });
  distinct(GroupBy::communicator, [](const Op& op) { return op.comm; });
  distinct(GroupBy::process, [](const Op& op) { return op.process; });
  distinct(GroupBy::backend, [](const Op& op) { return op.backend; });
  distinct(GroupBy::status, [](const Op& op) { return op.status; });
}

TEST(StoreAggregate, ShowsTheMostExpensiveRowsAndSaysHowManyAreLeftOut) {
  const TestFolder folder;
  const std::vector<Op> ops = RandomOps(13).take(2000);
  write_trace(folder.path(), ops, 64);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  AggregateQuery query;
  query.by = {GroupBy::operation};
  const auto all = store->aggregate(query);
  query.max_rows = 3;
  const auto some = store->aggregate(query);
  ASSERT_EQ(some->rows.size(), 3u);
  EXPECT_EQ(some->rows_left_out, all->rows.size() - 3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(some->rows[i].key.kind, all->rows[i].key.kind);
}

TEST(StoreAggregate, WhatHasNoCellOfItsOwnIsCountedAsOther) {
  const TestFolder folder;
  std::vector<Op> ops;
  for (int i = 0; i < 20'000; ++i) {
    Op op;
    op.begin_ns = i * 1000;
    op.host_duration_ns = 5;
    op.bytes = 8;
    op.kind = i % 2 == 0 ? Kind::send : Kind::recv;
    op.comm = static_cast<std::uint64_t>(1 + i);  // more communicators than there are cells
    ops.push_back(op);
  }
  write_trace(folder.path(), ops, 100);
  const auto store = opened(folder.path());
  wait_for(*store, ops.size());
  EXPECT_EQ(store->state().overflowed, ops.size() - 8192);
  AggregateQuery query;
  query.by = {GroupBy::operation};
  const auto table = store->aggregate(query);
  std::map<Kind, std::uint64_t> counts;
  std::uint64_t other = 0;
  for (const AggregateRow& row : table->rows) {
    counts[row.key.kind] += row.counts.count;
    other += row.other ? row.counts.count : 0;
  }
  EXPECT_EQ(counts[Kind::send], 10'000u);  // of the kind they are known
  EXPECT_EQ(counts[Kind::recv], 10'000u);
  EXPECT_EQ(other, ops.size() - 8192);
}

// The first half of the chunks is in the index: what is answered from it says so, and pages need none of it.
TEST(Store, AnswersWhileTheIndexIsBeingMade) {
  const TestFolder folder;
  const std::vector<Op> ops = RandomOps(14).take(12'800);
  write_trace(folder.path(), ops, 64);
  StoreView view;
  view.trace = std::make_shared<TraceReader>(std::move(*TraceReader::open(folder.path())));
  view.first_ns = ops.front().begin_ns;
  view.last_ns = ops.back().begin_ns;
  Index index;
  for (std::size_t i = 0; i < 100; ++i) index.add(*view.trace, i);
  view.index = index.publish();
  ChunkCache cache(1U << 20);
  const auto table = aggregate_trace(view, cache, {});
  ASSERT_TRUE(table);
  EXPECT_EQ(table->indexed_share, 0.5);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < 6400; ++i) count += ops[i].device_only ? 0 : ops[i].weight;
  EXPECT_EQ(table->rows.at(0).counts.count, count);
  TimelineQuery timeline;
  timeline.max_operations = 0;
  EXPECT_EQ(make_timeline(view, cache, timeline)->indexed_share, 0.5);
  OperationQuery query;
  query.filter.only_errors = true;
  query.limit = 10'000;
  std::vector<Op> errors;
  do {
    const auto page = find_operations(view, query);
    ASSERT_TRUE(page);
    errors.insert(errors.end(), page->items.begin(), page->items.end());
    query.cursor = page->next;
  } while (!query.cursor.empty());
  expect_same_ops(errors, passing(ops, query.filter), false);
}

TEST(Store, AnEmptyFileHasEmptyAnswers) {
  const TestFolder folder;
  write_trace(folder.path(), {}, 64);
  const auto store = opened(folder.path());
  EXPECT_EQ(store->state().operations, 0u);
  EXPECT_EQ(store->state().first_ns, kUnknownNs);
  EXPECT_TRUE(store->operations({})->items.empty());
  EXPECT_TRUE(store->operations({})->next.empty());
  EXPECT_TRUE(store->collectives({})->items.empty());
  AggregateQuery query;
  query.resolution_ns = 1000;
  EXPECT_TRUE(store->aggregate(query)->rows.empty());
  EXPECT_TRUE(store->heat_map({})->columns.empty());
  EXPECT_TRUE(store->timeline({})->lanes.empty());
}

TEST(Store, OneOperationIsAllThereIs) {
  const TestFolder folder;
  Op op;
  op.begin_ns = 77;
  op.host_duration_ns = 1000;
  op.bytes = 10;
  op.kind = Kind::send;
  op.rank = 3;
  write_trace(folder.path(), {op}, 64);
  const auto store = opened(folder.path());
  wait_for(*store, 1);
  EXPECT_TRUE(same(store->operations({})->items.at(0), op));
  const auto table = store->aggregate({});
  EXPECT_EQ(table->rows.at(0).host.p50_ns, 1000);
  EXPECT_EQ(table->from_ns, 77);
  EXPECT_EQ(table->to_ns, 78);
  EXPECT_EQ(store->heat_map({})->columns.at(0).at(0), 1u);
  const auto timeline = store->timeline({});
  ASSERT_EQ(timeline->lanes.size(), 1u);
  EXPECT_EQ(timeline->lanes[0].rank, 3);
  EXPECT_EQ(timeline->ops.size(), 1u);
}

TEST(Store, ATornTailIsLeftOut) {
  const TestFolder folder;
  const std::vector<Op> ops = RandomOps(20).take(1000);
  TraceWriter writer = writer_to(folder.path(), 100);
  writer.add(ops);  // ten chunks
  const std::string torn = folder.path() + ".torn.pscope";
  std::filesystem::copy_file(folder.path(), torn);
  std::filesystem::resize_file(torn, std::filesystem::file_size(torn) - 10);
  const auto store = opened(torn);
  wait_for(*store, 900);
  expect_same_ops(all_pages(*store, {}), {ops.begin(), ops.begin() + 900}, false);
}

TEST(Store, FollowsAFileWhosePartsGo) {
  const TestFolder folder;
  RandomOps random(21);
  std::vector<Op> ops;
  TraceWriter writer = writer_to(folder.path(), 64, 500'000);
  const auto store = opened(folder.path(), 1'000'000);
  for (int round = 0; round < 40; ++round) {
    const std::vector<Op> more = random.take(640);
    writer.add(more);
    ops.insert(ops.end(), more.begin(), more.end());
    if (round % 3 != 0) continue;
    const auto now = TraceReader::open(folder.path());
    ASSERT_TRUE(now);
    wait_for(*store, now->operations());
  }
  ASSERT_GT(writer.status().parts_removed, 0u);
  const auto reader = TraceReader::open(folder.path());
  wait_for(*store, reader->operations());
  // What is left is the newest.
  const std::vector<Op> left(ops.end() - static_cast<std::ptrdiff_t>(reader->operations()),
                             ops.end());
  ASSERT_LT(left.size(), ops.size());
  expect_same_ops(all_pages(*store, {}), left, false);
  AggregateQuery query;
  query.by = {GroupBy::operation};
  const auto table = store->aggregate(query);
  ASSERT_FALSE(table->exact);
  expect_table(*table, left, query);
}

TEST(Store, BeginsAnewWhenAPartInTheMiddleIsTakenAway) {
  const TestFolder folder;
  TraceWriter writer = writer_to(folder.path(), 64, 900'000);
  RandomOps random(26);
  for (int i = 0; i < 40; ++i) writer.add(random.take(640));
  const auto before = TraceReader::open(folder.path());
  ASSERT_GT(before->parts(), 2u);
  const auto store = opened(folder.path(), 1'000'000);
  wait_for(*store, before->operations());
  std::vector<std::string> parts = find_parts(folder.path());
  std::filesystem::remove(parts[parts.size() / 2]);
  const auto after = TraceReader::open(folder.path());
  ASSERT_LT(after->operations(), before->operations());
  wait_for(*store, after->operations());
  std::vector<Op> left;
  ASSERT_TRUE(after->for_each_ops({}, [&](std::span<const Op> ops) {
    left.insert(left.end(), ops.begin(), ops.end());
    return true;
  }));
  const auto table = store->aggregate({});
  ASSERT_FALSE(table->exact);
  expect_table(*table, left, {});
}

TEST(Store, AnyRangeOfTheClockHasAnAnswer) {
  const TestFolder folder;
  std::vector<Op> ops = RandomOps(25).take(7000);
  ops[10].begin_ns = INT64_MIN + 5;
  ops[20].begin_ns = INT64_MAX - 5;
  ops[30].host_duration_ns = INT64_MAX;
  for (const std::uint32_t chunk : {64U, 8192U}) {
    write_trace(folder.path(), ops, chunk);
    const auto store = opened(folder.path());
    wait_for(*store, ops.size());
    for (const auto& [from, to] : {std::pair{INT64_MIN, INT64_MAX},
                                   {INT64_MIN + 1, INT64_MAX - 1},
                                   {INT64_MAX, INT64_MIN},
                                   {std::int64_t{0}, std::int64_t{0}},
                                   {INT64_MAX - 1, INT64_MAX}}) {
      AggregateQuery query;
      query.filter.from_ns = from;
      query.filter.to_ns = to;
      query.resolution_ns = 1;
      EXPECT_TRUE(store->aggregate(query));
      for (const std::size_t bins : {0, 1, 1000}) {
        TimelineQuery timeline;
        timeline.filter = query.filter;
        timeline.bins = bins;
        timeline.max_operations = 0;
        EXPECT_TRUE(store->timeline(timeline));
        timeline.device = true;
        EXPECT_TRUE(store->timeline(timeline));
        HeatMapQuery map;
        map.filter = query.filter;
        map.columns = bins;
        EXPECT_TRUE(store->heat_map(map));
      }
    }
    EXPECT_EQ(all_pages(*store, {}).size(), ops.size());
  }
}

TEST(Store, BeginsAnewWhenAnotherTraceTakesTheFilesPlace) {
  const TestFolder folder;
  write_trace(folder.path(), RandomOps(22).take(3000), 64);
  const auto store = opened(folder.path(), 1'000'000);
  wait_for(*store, 3000);
  const std::vector<Op> ops = RandomOps(23).take(500);
  write_trace(folder.path(), ops, 64);
  wait_for(*store, 500);
  expect_same_ops(all_pages(*store, {}), ops, false);
}

TEST(Store, AnswersManyAtOnceWhileItFollows) {
  const TestFolder folder;
  RandomOps random(24);
  TraceWriter writer = writer_to(folder.path(), 64, 200'000);
  const auto store = opened(folder.path(), 1'000'000);
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        OperationQuery newest;
        newest.newest_first = true;
        EXPECT_TRUE(store->operations(newest));
        AggregateQuery query;
        query.by = {GroupBy::rank};
        query.resolution_ns = 1'000'000;
        EXPECT_TRUE(store->aggregate(query));
        EXPECT_TRUE(store->timeline({}));
        EXPECT_TRUE(store->heat_map({}));
      }
    });
  }
  std::uint64_t count = 0;
  for (int round = 0; round < 60; ++round) {
    writer.add(random.take(320));
    count += 320;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const auto reader = TraceReader::open(folder.path());
  wait_for(*store, reader->operations());
  stop = true;
  for (std::thread& each : readers) each.join();
  EXPECT_LE(store->state().operations, count);
}

}  // namespace
}  // namespace peerscope
