#include "session/replay.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "session/json.hpp"
#include "session/merge.hpp"
#include "session/summary.hpp"
#include "trace/small_trace_for_test.hpp"

namespace peerscope {
namespace {

using testing::HasSubstr;

// Ranks of one communicator, spread over processes; `slow` arrives `late_ns` after the others.
std::vector<Op> ranks_at_work(int collectives, int slow, std::int64_t late_ns,
                              std::uint16_t first_rank, std::uint16_t last_rank) {
  std::vector<Op> ops;
  for (int i = 0; i < collectives; ++i) {
    const std::int64_t all_there = 1'000'000'000 + i * 1'000'000LL + late_ns;
    for (std::uint16_t rank = first_rank; rank <= last_rank; ++rank) {
      Op op;
      op.kind = Kind::all_reduce;
      op.algorithm = Algorithm::ring;
      op.backend = Backend::host;
      op.bytes = 16'384;
      op.begin_ns = all_there - (rank == slow ? 0 : late_ns) + rank * 300;
      op.host_duration_ns = all_there + 50'000 + rank * 100 - op.begin_ns;
      op.sequence = static_cast<std::uint64_t>(i);
      op.comm = 0x7470;
      op.rank = rank;
      op.process = static_cast<std::uint32_t>(rank - first_rank);
      op.ranks = 4;
      ops.push_back(op);
    }
  }
  return ops;
}

Snapshot replay_all(const TraceReader& trace) {
  auto snapshot = replay(trace, {}, {});
  EXPECT_TRUE(snapshot);
  return std::move(*snapshot);
}

TEST(Replay, FindsInAFileWhatIsFoundLive) {
  const SmallTrace healthy(ranks_at_work(2000, -1, 0, 0, 3), 1000);
  EXPECT_TRUE(replay_all(healthy.open()).findings.empty());
  const SmallTrace slow(ranks_at_work(2000, 2, 300'000, 0, 3), 1000);
  const Snapshot snapshot = replay_all(slow.open());
  ASSERT_FALSE(snapshot.findings.empty());
  EXPECT_EQ(snapshot.findings[0].kind, "straggler");
  EXPECT_EQ(snapshot.findings[0].subject.rank, 2);
  EXPECT_EQ(snapshot.aggregates->totals.operations, 8000u);
  EXPECT_EQ(snapshot.aggregates->totals.collectives, 2000u);
}

TEST(Replay, StatisticsSayAtOnceWhatNeedsNoOrder) {
  std::vector<Op> ops = ranks_at_work(2000, 2, 300'000, 0, 3);
  ops[5].status = OpStatus::error;
  const SmallTrace slow(ops, 1000);
  const TraceReader trace = slow.open();
  const auto quick = snapshot_from_statistics(trace, {});
  ASSERT_TRUE(quick);
  const Snapshot whole = replay_all(trace);
  const OperationStats& a = quick->aggregates->operations.at(0).windows.in(Window::all);
  const OperationStats& b = whole.aggregates->operations.at(0).windows.in(Window::all);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.bytes, b.bytes);
  EXPECT_EQ(a.errors, b.errors);
  EXPECT_NEAR(a.host.p50_ns, b.host.p50_ns, b.host.p50_ns / 8);
  EXPECT_NEAR(a.host.p99_ns, b.host.p99_ns, b.host.p99_ns / 8);
}

TEST(Summary, ComesBackAsItWas) {
  const SmallTrace slow(ranks_at_work(2000, 2, 300'000, 0, 3));
  Snapshot snapshot = replay_all(slow.open());
  snapshot.trace = {"x.pscope", 7, 8, 9, true, 10, "full"};
  snapshot.in_flight.resize(1);
  snapshot.in_flight[0].op.rank = 3;
  snapshot.metrics.push_back({"m \xff", "s", MetricType::histogram, 1.5, 3, 1, 2});
  const std::string text = to_summary(snapshot);
  const auto back = parse_summary(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_summary(*back), text);
  // What a script gets is the same, too, but for the cells, which are not stored.
  EXPECT_EQ(to_json(*back).at("findings"), to_json(snapshot).at("findings"));
  EXPECT_EQ(to_json(*back).at("ranks"), to_json(snapshot).at("ranks"));
  EXPECT_EQ(to_json(*back).at("operations"), to_json(snapshot).at("operations"));
  EXPECT_FALSE(parse_summary("[]"));
  EXPECT_FALSE(parse_summary(R"({"findings":3})"));
  EXPECT_FALSE(parse_summary(R"({"aggregates":{"ranks":[{"rank":70000}]}})"));
}

// ---- merging ------------------------------------------------------------------------------------

class TwoHosts : public testing::Test {
 protected:
  // Ranks 2 and 3 on another host whose clock is `ahead_ns` ahead; its system clock is off by
  // `system_error_ns`.
  std::vector<TraceReader> traces(std::int64_t ahead_ns, std::int64_t system_error_ns,
                                  int slow = 2) {
    write("a", ranks_at_work(1000, slow, 200'000, 0, 1), 0, "host-a");
    std::vector<Op> other = ranks_at_work(1000, slow, 200'000, 2, 3);
    for (Op& op : other) op.begin_ns += ahead_ns;
    write("b", other, system_error_ns - ahead_ns, "host-b");
    std::vector<TraceReader> both;
    for (const char* name : {"a", "b"}) both.push_back(std::move(*TraceReader::open(path(name))));
    return both;
  }
  void TearDown() override {
    for (const char* name : {"a", "b", "all"}) std::filesystem::remove(path(name));
  }
  static std::string path(const std::string& name) {
    return std::filesystem::temp_directory_path() /
           fmt::format("peerscope-merge-{}-{}.pscope", getpid(), name);
  }

 private:
  static void write(const std::string& name, const std::vector<Op>& ops,
                    std::int64_t real_offset_ns, const std::string& host) {
    auto writer = TraceWriter::create(path(name), {.chunk_operations = 300, .time_step_ns = 1});
    writer->add(ops);
    TraceMeta meta;
    meta.hosts.push_back({host, "Linux", host, 0, 0});
    meta.clock.real_offset_ns = real_offset_ns;
    for (std::uint32_t i = 0; i < 2; ++i) {
      TraceProcess process;
      process.index = i;
      process.name = host + std::to_string(i);
      meta.processes.push_back(process);
    }
    meta.communicators.push_back({0x7470, "tp", 4, Backend::host, {{0, 0, 0}, {1, 1, 1}}});
    writer->set_meta(meta);
    static_cast<void>(writer->close());
  }
};

TEST_F(TwoHosts, CollectivesCorrectWhatSystemClocksGetWrong) {
  for (const std::int64_t error_ns : {0LL, 5'000'000LL, -700'000LL}) {
    const auto both = traces(123'456'789, error_ns);
    const auto alignments = align(both);
    ASSERT_TRUE(alignments);
    const Alignment& other = (*alignments)[1];
    EXPECT_EQ(other.collectives, 1000u);
    EXPECT_FALSE(other.contradicted);
    // To within what the collectives allow: the time that the last ranks spend inside.
    EXPECT_LE(std::abs(other.shift_ns + 123'456'789), other.uncertainty_ns);
    EXPECT_LE(other.uncertainty_ns, 500'000);
  }
}

TEST_F(TwoHosts, TheMergedTraceNamesTheSlowRankOfTheOtherHost) {
  const auto both = traces(9'999'999, 0, 3);
  const auto alignments = align(both);
  auto writer = TraceWriter::create(path("all"), {.time_step_ns = 1});
  ASSERT_TRUE(merge(both, *alignments, {}, *writer, {}));
  ASSERT_TRUE(writer->close());
  const auto all = TraceReader::open(path("all"));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->operations(), 4000u);
  EXPECT_EQ(all->meta().hosts.size(), 2u);
  EXPECT_EQ(all->meta().processes.size(), 4u);
  EXPECT_EQ(all->meta().communicators.at(0).members.size(), 4u);
  const auto snapshot = stored_snapshot(*all);
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->aggregates->totals.collectives, 1000u);
  ASSERT_FALSE(snapshot->findings.empty());
  EXPECT_EQ(snapshot->findings[0].subject.rank, 3);
  // In the order of time over both.
  std::int64_t last = INT64_MIN;
  EXPECT_TRUE(all->for_each_ops({}, [&](std::span<const Op> ops) {
    for (const Op& op : ops) {
      EXPECT_GE(op.begin_ns, last);
      last = op.begin_ns;
    }
    return true;
  }));
}

TEST_F(TwoHosts, WithoutACollectiveInCommonItSaysThatOnlySystemClocksSpoke) {
  const SmallTrace a(ranks_at_work(10, -1, 0, 0, 1));
  std::vector<Op> ops = ranks_at_work(10, -1, 0, 2, 3);
  for (Op& op : ops) op.comm = 5;
  const SmallTrace b(ops);
  // The same boot is the same clock: another host's is told by its boot id.
  std::vector<TraceReader> both;
  both.push_back(a.open());
  both.push_back(b.open());
  const auto alignments = align(both);
  ASSERT_TRUE(alignments);
  EXPECT_EQ((*alignments)[1].collectives, 0u);
  EXPECT_EQ((*alignments)[1].shift_ns, 0);
}

}  // namespace
}  // namespace peerscope
