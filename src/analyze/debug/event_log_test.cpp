#include "analyze/debug/event_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using testing::HasSubstr;
constexpr std::int64_t kMs = 1'000'000;

DebugEvent event(std::int64_t at_ns, EventSeverity severity, std::uint16_t rank = 0) {
  DebugEvent e;
  e.at_ns = at_ns;
  e.severity = severity;
  e.kind = "operation_failed";
  e.text = "it failed";
  e.rank = rank;
  return e;
}

TEST(EventLog, EachSeverityHasANameThatIsReadBack) {
  for (const EventSeverity severity : kEventSeverities)
    EXPECT_EQ(parse_event_severity(name(severity)), severity);
  EXPECT_EQ(parse_event_severity("loud"), std::nullopt);
  EXPECT_EQ(event_severity(200), EventSeverity::critical);
}

TEST(EventLog, EachLevelKeepsMoreThanTheOneBefore) {
  std::size_t before = 0;
  for (int least = 5; least >= 0; --least) {
    EventLogOptions options;
    options.least = kEventSeverities[static_cast<std::size_t>(least)];
    EventLog log(options);
    for (const EventSeverity severity : kEventSeverities) log.add(event(0, severity));
    EXPECT_EQ(log.events().size(), before + 1);
    before = log.events().size();
  }
}

TEST(EventLog, WhatComesTooFastIsHeldBackAndSaidOnce) {
  EventLogOptions options;
  options.per_second = 3;
  EventLog log(options);
  for (int i = 0; i < 126; ++i) log.add(event(i * kMs, EventSeverity::error));
  EXPECT_EQ(log.events().size(), 3u);
  EXPECT_EQ(log.held_back(), 123u);
  log.advance(500 * kMs);
  EXPECT_EQ(log.events().size(), 3u) << "the second is not over";
  log.advance(1001 * kMs);
  ASSERT_EQ(log.events().size(), 4u);
  EXPECT_EQ(log.events().back().repeated, 123u);
  EXPECT_THAT(log.events().back().text, HasSubstr("and 123 more: it failed"));
  EXPECT_EQ(log.count(EventSeverity::error), 126u) << "all are counted";
}

TEST(EventLog, SubjectsDoNotHoldEachOtherBack) {
  EventLogOptions options;
  options.per_second = 1;
  EventLog log(options);
  for (std::uint16_t rank = 0; rank < 8; ++rank) log.add(event(0, EventSeverity::error, rank));
  EXPECT_EQ(log.events().size(), 8u);
  EXPECT_EQ(log.held_back(), 0u);
}

TEST(EventLog, AnotherSecondIsAnotherChance) {
  EventLogOptions options;
  options.per_second = 1;
  EventLog log(options);
  for (int second = 0; second < 3; ++second) {
    log.add(event(second * 1000 * kMs, EventSeverity::error));
    log.add(event(second * 1000 * kMs + 1, EventSeverity::error));
  }
  log.flush();
  EXPECT_EQ(log.events().size(), 6u);  // one, and "1 more", each second
}

TEST(EventLog, AClockThatRunsBackwardsClosesNothing) {
  EventLogOptions options;
  options.per_second = 1;
  EventLog log(options);
  log.add(event(5000 * kMs, EventSeverity::error));
  log.add(event(1000 * kMs, EventSeverity::error));
  log.advance(2000 * kMs);
  EXPECT_EQ(log.events().size(), 1u);
  log.flush();
  ASSERT_EQ(log.events().size(), 2u);
  EXPECT_EQ(log.events().back().repeated, 1u);
}

TEST(EventLog, HooksAreToldOfWhatTheyAskedForAndIsKept) {
  EventLogOptions options;
  options.per_second = 2;
  EventLog log(options);
  std::vector<EventSeverity> all, bad;
  log.hook(EventSeverity::trace, [&](const DebugEvent& e) { all.push_back(e.severity); });
  log.hook(EventSeverity::error, [&](const DebugEvent& e) { bad.push_back(e.severity); });
  for (const EventSeverity severity : kEventSeverities) {
    DebugEvent e = event(0, severity);
    e.kind = name(severity);
    log.add(e);
  }
  EXPECT_EQ(all.size(), 6u);
  EXPECT_EQ(bad, (std::vector{EventSeverity::error, EventSeverity::critical}));
  for (int i = 0; i < 10; ++i) log.add(event(0, EventSeverity::error));
  EXPECT_EQ(bad.size(), 4u);
  log.flush();
  EXPECT_EQ(bad.size(), 5u) << "and 8 more";
}

TEST(EventLog, MemoryIsBoundedWhateverComes) {
  EventLogOptions options;
  options.max_events = 100;
  EventLog log(options);
  for (int i = 0; i < 20'000; ++i)
    log.add(event(i, EventSeverity::info, static_cast<std::uint16_t>(i)));
  EXPECT_EQ(log.events().size(), 100u);
  EXPECT_GE(log.forgotten(), 19'900u);
  EXPECT_EQ(log.count(EventSeverity::info), 20'000u);
}

}  // namespace
}  // namespace peerscope
