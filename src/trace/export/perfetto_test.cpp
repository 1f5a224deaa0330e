// A Perfetto trace, read by a decoder of its own.
#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/export/export_for_test.hpp"
#include "trace/export/lanes.hpp"
#include "trace/export/protobuf_for_test.hpp"

namespace peerscope {
namespace {

using Interval = std::pair<std::int64_t, std::int64_t>;

std::multiset<Interval> intervals_of(const std::vector<Op>& ops) {
  std::multiset<Interval> all;
  for (const Op& op : ops) {
    if (op.host_duration_ns >= 0) all.insert({op.begin_ns, op.begin_ns + op.host_duration_ns});
    if (op.device_duration_ns >= 0)
      all.insert({op.device_begin_ns, op.device_begin_ns + op.device_duration_ns});
  }
  for (const Mark& mark : SmallTrace::marks()) {
    if (mark.duration_ns >= 0) all.insert({mark.at_ns, mark.at_ns + mark.duration_ns});
  }
  return all;
}

std::multiset<Interval> intervals_of(const Decoded& decoded) {
  std::multiset<Interval> all;
  for (const auto& [track, slices] : decoded.slices) {
    for (const Slice& slice : slices) all.insert({slice.begin, slice.end});
  }
  return all;
}

TEST(ExportPerfetto, SlicesTimesAndFlowsAreThoseOfTheTrace) {
  const std::vector<Op> ops = SmallTrace::collectives(30);
  const Exported exported = run(SmallTrace(ops), "perfetto");
  const Decoded decoded = decode_trace(exported.text);
  EXPECT_EQ(intervals_of(decoded), intervals_of(ops));
  std::map<std::uint64_t, std::set<std::uint64_t>> flows;  // id: process tracks
  for (const auto& [track, slices] : decoded.slices) {
    for (const Slice& slice : slices) {
      if (slice.flow != 0) flows[slice.flow].insert(decoded.parents.at(track));
    }
  }
  EXPECT_EQ(flows.size(), 30u);  // one a collective, through its four ranks
  for (const auto& [id, ranks] : flows) EXPECT_EQ(ranks.size(), 4u);
  EXPECT_EQ(exported.counts.flows, ops.size());
  EXPECT_EQ(decoded.instants, 1u);
}

TEST(ExportPerfetto, AMessagesArrowGoesFromTheBeginOfItsSendToTheEndOfItsReceive) {
  std::vector<Op> ops(4);
  for (std::size_t i = 0; i < 4; ++i) {
    Op& op = ops[i];
    op.kind = i % 2 == 0 ? Kind::send : Kind::recv;
    op.comm = 0x7470;
    op.rank = i % 2 == 0 ? 0 : 1;
    op.process = op.rank;
    op.peer = i % 2 == 0 ? 1 : 0;
    op.sequence = i / 2;
    op.begin_ns = i % 2 == 0 ? 2000 : 1500;  // it waits for the send
    op.begin_ns += static_cast<std::int64_t>(i / 2) * 10'000;
    op.host_duration_ns = 1000;
    op.backend = Backend::host;
  }
  const Exported exported = run(SmallTrace(ops), "perfetto");
  const Decoded decoded = decode_trace(exported.text);
  std::map<std::uint64_t, std::vector<std::int64_t>> begins, ends;
  for (const auto& [track, slices] : decoded.slices) {
    for (const Slice& slice : slices) {
      if (slice.flow != 0) begins[slice.flow].push_back(slice.begin);
      if (slice.flow_end != 0) ends[slice.flow_end].push_back(slice.end);
    }
  }
  ASSERT_EQ(begins.size(), 2u);
  ASSERT_EQ(ends.size(), 2u);
  for (const auto& [id, at] : begins) {
    ASSERT_EQ(at.size(), 1u);
    ASSERT_EQ(ends[id].size(), 1u);
    EXPECT_LT(at[0], ends[id][0]) << "an arrow goes forward in time";
  }
  EXPECT_EQ(exported.counts.flows, 4u);
  for (Op& op : ops)
    op.backend = Backend::nccl;  // counts otherwise: nobody knows who belongs to whom
  EXPECT_EQ(run(SmallTrace(ops), "perfetto").counts.flows, 0u);
}

TEST(ExportPerfetto, CountersNeverMixClocks) {
  const std::vector<Op> ops = SmallTrace::collectives(30);
  const Decoded decoded = decode_trace(run(SmallTrace(ops), "perfetto").text);
  std::map<std::string, std::size_t> values;
  for (const auto& [track, count] : decoded.counters) values[decoded.names.at(track)] += count;
  EXPECT_EQ(values, (std::map<std::string, std::size_t>{{"busbw (device time)", ops.size() / 2},
                                                        {"busbw (host time)", ops.size() / 2}}));
}

TEST(ExportPerfetto, TracksSayWhatTheyAre) {
  const Decoded decoded =
      decode_trace(run(SmallTrace(SmallTrace::collectives(2)), "perfetto").text);
  std::set<std::string> names;
  for (const auto& [track, name] : decoded.names) names.insert(name);
  EXPECT_THAT(names, testing::IsSupersetOf({"rank 3 · tp, \"main\" · GPU 3 · pid 1003",
                                            "thread 0 (host time)", "stream 0 (device time)",
                                            "phases and events"}));
}

TEST(ExportPerfetto, WhateverOverlapsEachSliceKeepsItsTimes) {
  std::mt19937 random(7);
  std::vector<Op> ops;
  for (int i = 0; i < 3000; ++i) {
    Op op;
    op.kind = Kind::send;
    op.rank = 0;
    op.begin_ns = random() % 20'000;
    op.host_duration_ns = random() % 3 == 0 ? 0 : random() % 300;
    op.async = random() % 2 == 0;
    if (op.async) {
      op.device_begin_ns = op.begin_ns + random() % 500;
      op.device_duration_ns = random() % 1000;
    }
    ops.push_back(op);
  }
  // Chunks whose times overlap, too.
  const Decoded decoded = decode_trace(run(SmallTrace(ops, 500), "perfetto").text);
  EXPECT_EQ(intervals_of(decoded), intervals_of(ops));
}

TEST(Lanes, WhatNestsSharesATrackAndWhatOverlapsDoesNot) {
  Lanes lanes;
  const LaneKey key{1, 2, LaneKind::host, 3};
  EXPECT_TRUE(lanes.place(key, 0, 100).is_new);
  EXPECT_EQ(lanes.place(key, 10, 50).beside, 0u);   // within
  EXPECT_EQ(lanes.place(key, 20, 60).beside, 1u);   // across its end
  EXPECT_EQ(lanes.place(key, 50, 100).beside, 0u);  // after it, to the end of the first
  EXPECT_EQ(lanes.place(key, 100, 100).beside, 0u);
  EXPECT_EQ(lanes.place(key, 70, 80).beside, 1u);  // late: the first track is past that
  EXPECT_EQ(lanes.place({1, 2, LaneKind::host, 4}, 20, 60).index, 2u);
}

TEST(Lanes, WhatIsRefusedChangesNothing) {
  Lanes lanes;
  const LaneKey key{1, 2, LaneKind::device, 0};
  lanes.place(key, 0, 100);
  lanes.place(key, 10, 50);
  EXPECT_EQ(lanes.place(key, 60, 110).beside, 1u);
  EXPECT_EQ(lanes.place(key, 40, 60).beside, 2u);  // across the end of 10 to 50, still
}

}  // namespace
}  // namespace peerscope
