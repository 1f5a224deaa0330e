// Profiles of files that are made for it.
#include "session/profile.hpp"

#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "analyze/profile/stream_for_test.hpp"
#include "session/profile_json.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class ProfileOfFile : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fmt::format("/dev/shm/peerscope-profile-test-{}.pscope", getpid());
    auto created = TraceWriter::create(path_, {});
    ASSERT_TRUE(created);
    writer_ = std::make_unique<TraceWriter>(std::move(*created));
    meta_.processes.resize(2);
    for (std::uint32_t i = 0; i < 2; ++i) {
      meta_.processes[i].index = i;
      meta_.processes[i].session = "job";
    }
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void mark(const std::string& name, std::int64_t at_ns, bool begins, std::int64_t begin_ns,
            std::uint32_t process = 0, ProfileScope scope = ProfileScope::process) {
    std::uint16_t id = 0;
    for (const TraceName& known : meta_.names)
      id = known.process == process && known.text == "profile:" + name ? known.id : id;
    if (id == 0) {
      id = static_cast<std::uint16_t>(meta_.names.size() + 1);
      meta_.names.push_back({process, id, "profile:" + name});
    }
    Mark mark;
    mark.at_ns = at_ns;
    mark.value = profile_value({begin_ns, scope, begins});
    mark.process = process;
    mark.name = id;
    mark.sequence = 1;
    writer_->add(mark);
  }
  // `n` sends from 1 ms on, one a microsecond.
  void sends(int n, std::uint32_t process = 0, std::uint32_t thread = 0) {
    std::vector<Op> ops;
    for (int i = 0; i < n; ++i) {
      ops.push_back(op_at(1'000'000 + i * 1000, Kind::send, 4096, 500));
      ops.back().process = process;
      ops.back().thread = thread;
      ops.back().peer = 1;
    }
    writer_->add(ops);
  }
  Result<Profiled> profile_of(const ProfileRequest& request) {
    if (writer_) {
      writer_->set_meta(meta_);
      EXPECT_TRUE(writer_->close());
      writer_.reset();
    }
    const auto trace = TraceReader::open(path_);
    EXPECT_TRUE(trace);
    const auto source = profile_source(*trace);
    return profile(*source, request, {});
  }

  std::string path_;
  TraceMeta meta_;
  std::unique_ptr<TraceWriter> writer_;
};

TEST_F(ProfileOfFile, HoldsWhatBeganBetweenItsMarks) {
  sends(1000);
  mark("x", 1'100'000, true, 1'100'000);
  mark("x", 1'200'000, false, 1'100'000);
  const auto made = profile_of({"x", {}, {}});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->report.operations, 100u);
  EXPECT_EQ(made->report.covered_ns, 100'000);
  EXPECT_EQ(made->report.pairs.size(), 1u);
}

// Another thread's ring has them, and may be read first.
TEST_F(ProfileOfFile, TakesDeviceTimesThatComeBeforeTheirOperations) {
  std::vector<Op> calls, times;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Op call = op_at(1'000'000 + static_cast<std::int64_t>(i) * 1000,
                    i % 2 == 0 ? Kind::all_reduce : Kind::all_gather, 4096, 100);
    call.comm = 9;
    call.rank = 0;
    call.ranks = 1;
    call.sequence = i;
    call.async = true;
    Op time = call;
    time.device_only = true;
    time.host_duration_ns = kUnknownNs;
    time.device_begin_ns = call.begin_ns + 50;
    time.device_duration_ns = 700;
    calls.push_back(call);
    times.push_back(time);
  }
  writer_->add(times);
  writer_->add(calls);
  mark("x", 1'000'000, true, 1'000'000);
  mark("x", 1'050'000, false, 1'000'000);
  const auto made = profile_of({"x", {}, {}});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->report.operations, 50u);
  std::uint64_t timed = 0;
  for (const ProfileRow& row : made->report.rows) timed += row.device.count;
  EXPECT_EQ(timed, 50u);
}

TEST_F(ProfileOfFile, KeepsThreadsAndProcessesApartOrNot) {
  sends(1000, 0, 0);
  sends(1000, 0, 7);
  sends(1000, 1, 0);
  for (const auto& [name, scope] : {std::pair{"thread", ProfileScope::thread},
                                    {"process", ProfileScope::process},
                                    {"session", ProfileScope::session}}) {
    mark(name, 1'000'000, true, 1'000'000, 0, scope);
    mark(name, 1'100'000, false, 1'000'000, 0, scope);
  }
  EXPECT_EQ(profile_of({"thread", {}, {}})->report.operations, 100u);
  EXPECT_EQ(profile_of({"process", {}, {}})->report.operations, 200u);
  EXPECT_EQ(profile_of({"session", {}, {}})->report.operations, 300u);
}

TEST_F(ProfileOfFile, SaysWhichSessionsThereAre) {
  sends(10);
  mark("a", 1'000'000, true, 1'000'000);
  mark("b", 1'000'000, true, 1'000'000);
  const auto made = profile_of({"c", {}, {}});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("no profile session 'c'"));
  EXPECT_THAT(made.error().message, HasSubstr("there are: a, b"));
  const auto open = profile_of({"a", {}, {}});
  ASSERT_TRUE(open);
  EXPECT_EQ(open->report.operations, 10u) << "still open at the end";
  EXPECT_THAT(open->report.notes, Contains(HasSubstr("Still open")));
}

TEST_F(ProfileOfFile, RefusesASessionWhoseClockRanBackwards) {
  sends(10);
  mark("x", 1'200'000, true, 1'200'000);
  mark("x", 1'100'000, false, 1'200'000);
  const auto made = profile_of({"x", {}, {}});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("their clock ran backwards"));
}

TEST_F(ProfileOfFile, AnEmptySessionHasNoFigures) {
  sends(10);
  mark("x", 5'000'000, true, 5'000'000);
  mark("x", 5'100'000, false, 5'000'000);
  const auto made = profile_of({"x", {}, {}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->report.operations, 0u);
  const std::string json = to_json(made->report).dump();
  EXPECT_THAT(json, Not(HasSubstr("nan")));
  EXPECT_TRUE(to_json(made->report)["split"]["waiting_share"].is_null());
}

TEST_F(ProfileOfFile, WithoutOperationsIsNoFault) {
  const auto whole = profile_of({});
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->report.operations, 0u);
  EXPECT_FALSE(profile_of({"", 1.0, {}})) << "no window of nothing";
}

TEST_F(ProfileOfFile, WindowsCountFromTheFirstOperationOrTheLast) {
  sends(1000);  // 0 to 999 µs
  EXPECT_EQ(profile_of({"", {}, 100e-6})->report.operations, 100u);
  EXPECT_EQ(profile_of({"", 900e-6, 5.0})->report.operations, 100u);
  EXPECT_NEAR(static_cast<double>(profile_of({"", -100e-6, {}})->report.operations), 100, 1);
  EXPECT_THAT(profile_of({"", 2.0, 3.0}).error().message, HasSubstr("holds nothing"));
  EXPECT_THAT(profile_of({"", 500e-6, 100e-6}).error().message, HasSubstr("holds nothing"));
}

}  // namespace
}  // namespace peerscope
