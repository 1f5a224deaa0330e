#include <algorithm>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "collect/collector_for_test.hpp"
#include "model/profile_mark.hpp"
#include "peerscope/peerscope.hpp"

namespace peerscope {
namespace {

static_assert(!std::is_copy_constructible_v<Session> &&
              std::is_nothrow_move_constructible_v<Session>);
static_assert(std::is_trivially_copyable_v<Comm> && std::is_trivially_copyable_v<Counter>);
static_assert(!std::is_copy_constructible_v<ScopedOp> && !std::is_move_constructible_v<ScopedOp>);

class CppApi : public testing::Test {
 protected:
  SessionOptions options(int level = PSCOPE_LEVEL_DETAILED) {
    return {.name = "cpp",
            .session = "job",
            .runtime_dir = dir_.path(),
            .level = level,
            .segment_bytes = 1 << 20};
  }
  std::vector<Op> ops() {
    Reader reader(dir_);
    reader.poll_all();
    return reader.keeper.ops;
  }
  RuntimeDir dir_;
};

TEST_F(CppApi, SessionOpensAndEndsWithItsScope) {
  {
    const Session session(options());
    EXPECT_TRUE(session);
    EXPECT_STREQ(session.why(), "");
    EXPECT_EQ(session.level(), PSCOPE_LEVEL_DETAILED);
    EXPECT_TRUE(std::string(session.segment_path()).starts_with(dir_.path() + "/job."));
  }
  Reader reader(dir_);
  EXPECT_EQ(reader.status().state, ProcessState::ended);
  EXPECT_EQ(reader.status().name, "cpp");
}

TEST_F(CppApi, SessionThatCannotOpenSaysWhyAndIsHarmless) {
  SessionOptions nowhere = options();
  nowhere.runtime_dir = "/proc/no/such/directory";
  Session session(nowhere);
  EXPECT_FALSE(session);
  EXPECT_STRNE(session.why(), "");
  const Comm comm = session.comm({.id = 1, .ranks = 2});
  {
    const ScopedOp op(comm, PSCOPE_KIND_SEND);
  }
  session.counter("c").add();
  EXPECT_FALSE(session.counter("c"));
  EXPECT_FALSE(session.clear_filter());
  EXPECT_EQ(session.stats().operations, 0u);
}

TEST_F(CppApi, SessionMovesAndItsCommunicatorsStayValid) {
  Session first(options());
  const Comm comm = first.comm({.id = 1, .rank = 1, .ranks = 2});
  Session second(std::move(first));
  EXPECT_TRUE(second);
  {
    const ScopedOp op(comm, PSCOPE_KIND_SEND, 10);
  }
  EXPECT_EQ(second.stats().operations, 1u);
  second = Session(options());
  EXPECT_EQ(second.stats().operations, 0u);
  {
    const ScopedOp op(comm, PSCOPE_KIND_SEND, 10);
  }  // of the session that has ended: nothing
  EXPECT_EQ(ops().size(), 1u);
}

TEST_F(CppApi, ScopedOpRecordsWhatItIsGiven) {
  Session session(options());
  const Comm comm = session.comm(
      {.id = 42, .name = "tp", .rank = 1, .ranks = 8, .device = 3, .backend = PSCOPE_BACKEND_CUDA});
  {
    const ScopedOp op(comm, PSCOPE_KIND_BROADCAST, 4096, 5);
  }
  const std::vector<Op> all = ops();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].kind, Kind::broadcast);
  EXPECT_EQ(all[0].bytes, 4096u);
  EXPECT_EQ(all[0].peer, 5);
  EXPECT_EQ(all[0].comm, 42u);
  EXPECT_EQ(all[0].rank, 1);
  EXPECT_EQ(all[0].device, 3);
  EXPECT_EQ(all[0].backend, Backend::cuda);
  EXPECT_EQ(all[0].status, OpStatus::ok);
}

TEST_F(CppApi, ScopedOpEndsWithTheStatusThatItWasGiven) {
  Session session(options());
  {
    ScopedOp op(session.comm({.id = 1, .ranks = 2}), PSCOPE_KIND_SEND);
    op.fail(PSCOPE_STATUS_TIMEOUT);
  }
  EXPECT_EQ(ops().at(0).status, OpStatus::timeout);
}

TEST_F(CppApi, ScopedOpEndsWithAnErrorWhenAnExceptionLeavesIt) {
  Session session(options());
  const Comm comm = session.comm({.id = 1, .ranks = 2});
  EXPECT_THROW(
      {
        const ScopedOp op(comm, PSCOPE_KIND_SEND);
        throw std::runtime_error("lost");
      },
      std::runtime_error);
  EXPECT_EQ(ops().at(0).status, OpStatus::error);
}

// Records an operation while it is destroyed.
struct RecordsAtItsEnd {
  Comm comm;
  ~RecordsAtItsEnd() { const ScopedOp op(comm, PSCOPE_KIND_RECV); }
};

TEST_F(CppApi, ScopedOpBegunWhileAnotherExceptionUnwindsIsOk) {
  Session session(options());
  EXPECT_THROW(
      {
        const RecordsAtItsEnd last{session.comm({.id = 1, .ranks = 2})};
        throw std::runtime_error("lost");
      },
      std::runtime_error);
  EXPECT_EQ(ops().at(0).status, OpStatus::ok);
}

TEST_F(CppApi, ScopedOpMarksPhasesAndTakesEveryDetail) {
  Session session(options(PSCOPE_LEVEL_COMPREHENSIVE));
  pscope_op detail{};
  detail.kind = PSCOPE_KIND_ALL_GATHER;
  detail.comm = session.comm({.id = 1, .ranks = 2}).id();
  detail.sequence = 77;
  detail.async = 1;
  detail.stream = session.stream(0x55, 0, "side");
  {
    ScopedOp op(session.handle(), detail);
    op.phase(session.name("gather"));
    EXPECT_NE(op.token(), 0u);
  }
  Reader reader(dir_);
  reader.poll_all();
  EXPECT_EQ(reader.keeper.ops.at(0).sequence, 77u);
  EXPECT_EQ(reader.keeper.ops.at(0).stream, detail.stream);
  EXPECT_EQ(reader.collector.text(0, reader.keeper.phases.at(0).name), "gather");
  EXPECT_EQ(reader.collector.in_flight(0).size(), 1u);  // not completed yet
}

TEST_F(CppApi, LevelAndFilterChangeWhatIsRecorded) {
  Session session(options());
  const Comm comm = session.comm({.id = 1, .ranks = 2});
  pscope_filter filter{};
  filter.min_bytes = 100;
  EXPECT_TRUE(session.set_filter(filter));
  {
    const ScopedOp op(comm, PSCOPE_KIND_SEND, 99);
  }
  {
    const ScopedOp op(comm, PSCOPE_KIND_SEND, 100);
  }
  EXPECT_TRUE(session.clear_filter());
  {
    const ScopedOp op(comm, PSCOPE_KIND_SEND, 99);
  }
  session.set_level(PSCOPE_LEVEL_OFF);
  {
    const ScopedOp op(comm, PSCOPE_KIND_SEND, 100);
  }
  EXPECT_EQ(session.stats().operations, 3u);
  EXPECT_EQ(ops().size(), 2u);
}

TEST_F(CppApi, MetricsAndEventsReachTheReader) {
  Session session(options());
  const Counter counter = session.counter("requests");
  counter.add();
  session.counter("requests").add(4);  // the same one
  session.gauge("load", "%").set(0.25);
  session.histogram("wait", "ns").observe(1000);
  session.event(PSCOPE_SEVERITY_ERROR, session.name("retry"), 3);
  Counter().add();
  Gauge().set(1);
  Histogram().observe(1);
  Reader reader(dir_);
  reader.poll_all();
  const std::vector<MetricValue> metrics = reader.collector.metrics();
  ASSERT_EQ(metrics.size(), 3u);
  EXPECT_EQ(metrics[0].value, 5);
  EXPECT_EQ(metrics[1].value, 0.25);
  EXPECT_NEAR(metrics[2].p50, 1000, 1000.0 / 16);
  EXPECT_EQ(reader.keeper.events.at(0).value, 3);
}

struct SeenMark {
  std::string name;
  ProfileMark mark;
  std::uint32_t thread = 0;
};
std::vector<SeenMark> marks_in(const RuntimeDir& dir) {
  Reader reader(dir);
  reader.poll_all();
  std::vector<SeenMark> marks;
  for (const Event& event : reader.keeper.events)
    marks.push_back({reader.collector.text(event.process, event.name), profile_mark(event.value),
                     event.thread});
  return marks;
}

TEST_F(CppApi, ScopedProfilesNestAndCloseWhatTheyOpened) {
  Session session(options());
  {
    const ScopedProfile outer(session, "step", PSCOPE_SCOPE_SESSION);
    ScopedProfile inner(session, session.profile_name("decode"), PSCOPE_SCOPE_THREAD);
    inner.end();
    inner.end();  // once only
  }
  const std::vector<SeenMark> marks = marks_in(dir_);
  ASSERT_EQ(marks.size(), 4u);
  EXPECT_EQ(marks[0].name, "profile:step");
  EXPECT_EQ(marks[1].name, "profile:decode");
  EXPECT_TRUE(marks[0].mark.begins && marks[1].mark.begins);
  EXPECT_FALSE(marks[2].mark.begins || marks[3].mark.begins);
  EXPECT_EQ(marks[0].mark.scope, ProfileScope::session);
  EXPECT_EQ(marks[2].mark.scope, ProfileScope::thread);
  EXPECT_EQ(marks[2].mark.begin_ns, marks[1].mark.begin_ns);
  EXPECT_EQ(marks[3].mark.begin_ns, marks[0].mark.begin_ns);
}

TEST_F(CppApi, ScopedProfilesOfThreadsSayWhichThread) {
  Session session(options());
  const std::uint16_t name = session.profile_name("decode");
  {
    const ScopedProfile here(session, name, PSCOPE_SCOPE_THREAD);
    std::thread([&] { const ScopedProfile there(session, name, PSCOPE_SCOPE_THREAD); }).join();
  }
  const std::vector<SeenMark> marks = marks_in(dir_);
  ASSERT_EQ(marks.size(), 4u);
  EXPECT_EQ(std::count_if(marks.begin(), marks.end(),
                          [&](const SeenMark& m) { return m.thread == marks[0].thread; }),
            2);
}

TEST_F(CppApi, AProfileIsClosedThoughTheLevelWentOffMeanwhile) {
  Session session(options());
  {
    const ScopedProfile scope(session, "decode");
    session.set_level(PSCOPE_LEVEL_OFF);
    const ScopedProfile never(session, "never");
  }
  const std::vector<SeenMark> marks = marks_in(dir_);
  ASSERT_EQ(marks.size(), 2u);
  EXPECT_EQ(marks[1].name, "profile:decode");
  EXPECT_FALSE(marks[1].mark.begins);
}

TEST_F(CppApi, ProfilesOfASessionThatIsNotOpenAreHarmless) {
  SessionOptions nowhere = options();
  nowhere.runtime_dir = "/proc/no/such/directory";
  const Session session(nowhere);
  ScopedProfile scope(session, "decode");
  scope.end();
  EXPECT_EQ(pscope_profile_begin(nullptr, 1, PSCOPE_SCOPE_PROCESS).mark, 0);
  pscope_profile_end(nullptr, {8, 1, {}});
}

}  // namespace
}  // namespace peerscope
