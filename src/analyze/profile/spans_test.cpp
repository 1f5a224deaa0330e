#include "analyze/profile/spans.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/profile/stream_for_test.hpp"

namespace peerscope {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

ProfileEvent mark_at(std::int64_t at_ns, bool begins, std::int64_t begin_ns,
                     std::uint32_t process = 0, std::uint32_t thread = 0,
                     ProfileScope scope = ProfileScope::process) {
  return {at_ns, profile_value({begin_ns, scope, begins}), process, thread};
}
ProfileEvent begin(std::int64_t at_ns, std::uint32_t process = 0, std::uint32_t thread = 0,
                   ProfileScope scope = ProfileScope::process) {
  return mark_at(at_ns, true, at_ns, process, thread, scope);
}
ProfileEvent end(std::int64_t at_ns, std::int64_t begin_ns, std::uint32_t process = 0,
                 std::uint32_t thread = 0, ProfileScope scope = ProfileScope::process) {
  return mark_at(at_ns, false, begin_ns, process, thread, scope);
}

TEST(ProfileMarks, ComeBackAsTheyWere) {
  for (const ProfileScope scope :
       {ProfileScope::process, ProfileScope::thread, ProfileScope::session}) {
    for (const bool begins : {true, false}) {
      const ProfileMark back = profile_mark(profile_value({123'456'789'012'345, scope, begins}));
      EXPECT_EQ(back.begin_ns, 123'456'789'012'345);
      EXPECT_EQ(back.scope, scope);
      EXPECT_EQ(back.begins, begins);
    }
  }
  EXPECT_EQ(profile_mark(INT64_MIN).begin_ns, std::int64_t{1} << 61);  // no overflow on nonsense
  EXPECT_EQ(profile_session_of("profile:decode"), "decode");
  EXPECT_EQ(profile_session_of("retry"), "");
}

TEST(Spans, NestAndOverlapUnderOneNameAndMany) {
  SpanTracker tracker;
  tracker.add("step", begin(100));
  tracker.add("decode", begin(110));
  tracker.add("decode", begin(120));
  tracker.add("decode", end(130, 110));
  tracker.add("decode", end(150, 120));
  tracker.add("step", end(200, 100));
  const auto sessions = tracker.sessions(1000);
  ASSERT_THAT(sessions, SizeIs(2));
  EXPECT_EQ(sessions[0].name, "decode");
  ASSERT_THAT(sessions[0].spans, SizeIs(2));
  EXPECT_EQ(sessions[0].spans[0].end_ns, 130);
  EXPECT_EQ(sessions[0].spans[1].begin_ns, 120);
  EXPECT_EQ(sessions[1].last_ns(), 200);
  EXPECT_EQ(sessions[1].open(), 0u);
}

TEST(Spans, PairWhateverTheOrderInWhichRingsAreRead) {
  SpanTracker tracker;
  tracker.add("x", end(150, 100, 0, 5));  // closed on another thread, whose ring came first
  tracker.add("x", begin(100, 0, 3));
  const auto sessions = tracker.sessions(1000);
  ASSERT_THAT(sessions[0].spans, SizeIs(1));
  EXPECT_EQ(sessions[0].spans[0].begin_ns, 100);
  EXPECT_EQ(sessions[0].spans[0].end_ns, 150);
  EXPECT_EQ(sessions[0].spans[0].thread, 3u);
  EXPECT_FALSE(sessions[0].spans[0].begin_lost);
}

TEST(Spans, WhoseMarkWasOverwrittenAreSaidToBeSo) {
  SpanTracker tracker;
  tracker.add("x", end(150, 100));
  tracker.add("x", begin(200));
  const auto sessions = tracker.sessions(260);
  ASSERT_THAT(sessions[0].spans, SizeIs(2));
  EXPECT_TRUE(sessions[0].spans[0].begin_lost);
  EXPECT_EQ(sessions[0].spans[0].begin_ns, 100);
  EXPECT_TRUE(sessions[0].spans[1].open);
  EXPECT_EQ(sessions[0].spans[1].end_ns, 260);
}

TEST(Spans, WhoseClockRanBackwardsAreLeftOutAndCounted) {
  SpanTracker tracker;
  tracker.add("x", begin(100));
  tracker.add("x", end(40, 100));
  const auto sessions = tracker.sessions(1000);
  EXPECT_THAT(sessions[0].spans, IsEmpty());
  EXPECT_EQ(sessions[0].backwards, 1u);
  EXPECT_EQ(sessions[0].first_ns(), 0);
}

TEST(Spans, AreBounded) {
  SpanTracker tracker(3);
  for (int i = 1; i <= 5; ++i) {
    tracker.add("x", begin(i * 10));
    tracker.add("x", end(i * 10 + 5, i * 10));
  }
  const auto sessions = tracker.sessions(1000);
  EXPECT_THAT(sessions[0].spans, SizeIs(3));
  EXPECT_EQ(sessions[0].beyond, 4u) << "two begins and their ends";
}

Op at(std::int64_t begin_ns, std::uint32_t process = 0, std::uint32_t thread = 0) {
  Op op = op_at(begin_ns, Kind::all_reduce, 1024, 10);
  op.process = process;
  op.thread = thread;
  return op;
}

ProfileSession session_of(std::vector<ProfileSpan> spans) {
  ProfileSession session;
  session.name = "x";
  session.spans = std::move(spans);
  return session;
}

TEST(Selection, TakesByProcessThreadOrWholeSession) {
  ProfileSelection process = ProfileSelection::session(session_of({{100, 200, 1, 4}}), {0, 0, 1});
  EXPECT_TRUE(process.takes(at(100, 1, 9)));
  EXPECT_FALSE(process.takes(at(200, 1, 9))) << "the end is not in it";
  EXPECT_FALSE(process.takes(at(150, 0, 4)));
  ProfileSelection thread =
      ProfileSelection::session(session_of({{100, 200, 1, 4, ProfileScope::thread}}), {0, 0, 1});
  EXPECT_TRUE(thread.takes(at(150, 1, 4)));
  EXPECT_FALSE(thread.takes(at(150, 1, 5)));
  ProfileSelection all =
      ProfileSelection::session(session_of({{100, 200, 1, 4, ProfileScope::session}}), {0, 0, 1});
  EXPECT_TRUE(all.takes(at(150, 0, 7)));
  EXPECT_FALSE(all.takes(at(150, 2, 7))) << "another recording session";
}

TEST(Selection, DeviceTimesFollowTheirOperationHoweverLate) {
  ProfileSelection selection = ProfileSelection::session(session_of({{100, 200, 0, 0}}), {0});
  Op op = at(150);
  op.async = true;
  op.sequence = 5;
  ASSERT_TRUE(selection.takes(op));
  op.device_only = true;
  op.begin_ns = op.device_begin_ns = 900;
  EXPECT_TRUE(selection.takes(op));
  op.sequence = 6;
  op.begin_ns = op.device_begin_ns = 150;
  EXPECT_FALSE(selection.takes(op)) << "its operation began before";
}

TEST(Selection, OverlappingSpansCountOnce) {
  const auto selection = ProfileSelection::session(
      session_of({{100, 200, 0, 0}, {150, 300, 1, 0}, {400, 410, 0, 0}}), {0, 0});
  EXPECT_EQ(selection.covered_ns(), 210);
}

}  // namespace
}  // namespace peerscope
