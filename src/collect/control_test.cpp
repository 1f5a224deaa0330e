// What a running process records can be changed from outside: soon, field by field, and everybody who
// watches learns of it.
#include "collect/control.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collect/collector_for_test.hpp"
#include "record/ticks.hpp"

namespace peerscope {
namespace {

using namespace std::chrono_literals;

std::int64_t now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

// A process that records without end: sends of 1 KB on "tp" (id 11, device 1), receives of 1 MB on
// "dp" (id 22, device 2), and copies of 64 KB without a communicator.
class Busy {
 public:
  explicit Busy(const RuntimeDir& dir) {
    child_ = start_child([&dir] {
      const TestSession session(dir);
      const pscope_comm_desc tp{11, "tp", 0, 2, 1, PSCOPE_BACKEND_HOST, 0};
      const pscope_comm_desc dp{22, "dp", 0, 2, 2, PSCOPE_BACKEND_HOST, 0};
      const pscope_op send = operation(PSCOPE_KIND_SEND, pscope_comm_register(session, &tp), 1024);
      const pscope_op recv =
          operation(PSCOPE_KIND_RECV, pscope_comm_register(session, &dp), 1 << 20);
      const pscope_op copy = operation(PSCOPE_KIND_COPY, 0, 64 << 10);
      for (;;) {
        for (const pscope_op* op : {&send, &recv, &copy}) record(session, *op);
        std::this_thread::sleep_for(200us);
      }
      return 0;
    });
    while (dir.segments() == 0) std::this_thread::sleep_for(1ms);
  }
  ~Busy() {
    kill(child_, SIGKILL);
    (void)wait_for(child_);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  pid_t child_ = 0;
};

void poll_for(Reader& reader, std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    reader.collector.poll();
    std::this_thread::sleep_for(2ms);
  }
  reader.collector.poll();
}

// The kinds that are recorded from 100 ms after the change on.
std::set<Kind> kinds_after(Reader& reader, const ControlChange& change) {
  const std::int64_t at_ns = now_ns();
  EXPECT_EQ(reader.collector.set_control(change), 1);
  poll_for(reader, 250ms);
  std::set<Kind> kinds;
  for (const Op& op : reader.keeper.ops) {
    if (op.begin_ns > at_ns + 100'000'000) kinds.insert(op.kind);
  }
  reader.keeper.ops.clear();
  return kinds;
}

TEST(Control, ReachesARunningProcessWithinATenthOfASecond) {
  const RuntimeDir dir;
  const Busy busy(dir);
  Reader reader(dir);
  poll_for(reader, 100ms);  // until it knows its communicators
  const std::set<Kind> all{Kind::send, Kind::recv, Kind::copy};
  EXPECT_EQ(kinds_after(reader, {.level = Level::off}), std::set<Kind>{});
  EXPECT_EQ(kinds_after(reader, {.level = Level::detailed}), all);
  EXPECT_EQ(kinds_after(reader, {.kinds = 1U << PSCOPE_KIND_RECV}), std::set{Kind::recv});
  EXPECT_EQ(kinds_after(reader, {.kinds = 0}), all);
  EXPECT_EQ(kinds_after(reader, {.min_bytes = 64 << 10}), (std::set{Kind::recv, Kind::copy}));
  EXPECT_EQ(kinds_after(reader, {.max_bytes = 64 << 10}), std::set{Kind::copy});  // both hold
  EXPECT_EQ(kinds_after(reader, {.min_bytes = 0}), (std::set{Kind::send, Kind::copy}));
  EXPECT_EQ(kinds_after(reader, {.max_bytes = 0, .devices = 1U << 2}),
            (std::set{Kind::recv, Kind::copy}));  // what has no communicator is on no device
  EXPECT_EQ(kinds_after(reader, {.devices = 0, .communicators = {{"tp"}}}), std::set{Kind::send});
  EXPECT_EQ(kinds_after(reader, {.communicators = {{"0x16"}}}), std::set{Kind::recv});
  EXPECT_EQ(kinds_after(reader, {.communicators = {{"dp", "11"}}}),
            (std::set{Kind::send, Kind::recv}));
  EXPECT_EQ(kinds_after(reader, {.communicators = {{"nobody"}}}), std::set<Kind>{});
  EXPECT_EQ(kinds_after(reader, {.communicators = std::vector<std::string>{}}), all);
  EXPECT_FALSE(reader.collector.controls()[0].filtered);
}

TEST(Control, EveryoneWhoWatchesLearnsOfAChange) {
  const RuntimeDir dir;
  const Busy busy(dir);
  Reader changer(dir);
  Reader watcher(dir);
  poll_for(watcher, 60ms);
  changer.collector.set_control(
      {.level = Level::basic, .detail_budget_ppm = 5'000, .kinds = 1U << PSCOPE_KIND_SEND});
  poll_for(watcher, 120ms);
  poll_for(changer, 60ms);
  for (const Reader* reader : {&changer, &watcher}) {
    ASSERT_EQ(reader->keeper.controls.size(), 1u);
    const ControlEvent& event = reader->keeper.controls[0];
    EXPECT_EQ(event.before.level, Level::detailed);
    EXPECT_EQ(event.after.level, Level::basic);
    EXPECT_FALSE(event.before.filtered);
    EXPECT_TRUE(event.after.filtered);
    EXPECT_EQ(event.after.detail_budget_ppm, 5'000u);
    EXPECT_LE(std::abs(event.at_ns - now_ns()), 1'000'000'000);
  }
  changer.collector.set_control({.level = Level::basic});  // changes nothing
  poll_for(watcher, 120ms);
  EXPECT_EQ(watcher.keeper.controls.size(), 1u);
}

TEST(Control, ToldOnAttachHoldsForProcessesThatAppearLater) {
  const RuntimeDir dir;
  CollectorOptions options;
  options.dirs = {dir.path()};
  options.on_attach = [] {
    return ControlChange{.kinds = 1U << PSCOPE_KIND_SEND, .min_bytes = 100};
  };
  Reader reader(options);
  const TestSession session(dir);
  reader.collector.discover();
  record(session, operation(PSCOPE_KIND_SEND));
  record(session, operation(PSCOPE_KIND_SEND, 0, 99));
  record(session, operation(PSCOPE_KIND_RECV));
  reader.poll_all();
  EXPECT_EQ(reader.keeper.ops.size(), 1u);
  poll_for(reader, 60ms);
  EXPECT_TRUE(reader.keeper.controls.empty());  // no event of its own
}

TEST(Control, ACommunicatorThatAppearsLaterIsFoundByItsName) {
  const RuntimeDir dir;
  const TestSession session(dir);
  CollectorOptions options;
  options.dirs = {dir.path()};
  options.on_attach = [] { return ControlChange{.communicators = {{"tp"}}}; };
  Reader reader(options);
  record(session, operation(PSCOPE_KIND_SEND));
  const std::uint16_t comm = session.comm(77);  // "tp"
  poll_for(reader, 120ms);
  EXPECT_TRUE(reader.keeper.ops.empty());
  record(session, operation(PSCOPE_KIND_SEND, comm));
  reader.poll_all();
  EXPECT_EQ(reader.keeper.ops.size(), 1u);
  pscope_set_filter(session, nullptr);  // the process has the last word
  poll_for(reader, 120ms);
  (void)session.comm(78);
  poll_for(reader, 120ms);
  record(session, operation(PSCOPE_KIND_RECV));
  reader.poll_all();
  EXPECT_EQ(reader.keeper.ops.size(), 2u);
}

TEST(Control, ExcludedDevicesLeaveAloneWhatIsOnNone) {
  const RuntimeDir dir;
  const TestSession session(dir);
  Reader reader(dir);
  const std::uint16_t none = session.comm(1, 0, 2, PSCOPE_NO_DEVICE);
  const std::uint16_t third = session.comm(2, 0, 2, 3);
  record(session, operation(PSCOPE_KIND_SEND));  // so that the thread has begun
  const auto recorded = [&](const ControlChange& change) {
    reader.collector.set_control(change);
    const std::uint64_t before = session.stats().recorded;
    record(session, operation(PSCOPE_KIND_SEND, none));
    record(session, operation(PSCOPE_KIND_SEND, third));
    return session.stats().recorded - before;
  };
  EXPECT_EQ(recorded({.devices = ~(std::uint64_t{1} << 3), .pass_without_device = true}), 1u);
  EXPECT_EQ(recorded({.devices = std::uint64_t{1} << 3, .pass_without_device = false}), 1u);
  EXPECT_EQ(recorded({.devices = std::uint64_t{1} << 3, .pass_without_device = true}), 2u);
  EXPECT_EQ(recorded({.devices = std::uint64_t{1} << 4, .pass_without_device = false}), 0u);
}

TEST(Control, WhatOldAndNewFilterLetPassIsNeverLostWhileTheyChange) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    Reader reader(dir);
    for (int i = 0; !stop.load(); ++i) {
      if (i % 2 == 0) {
        reader.collector.set_control(
            {.kinds = 1U << PSCOPE_KIND_SEND, .min_bytes = 0, .max_bytes = 2'000});
      } else {
        reader.collector.set_control(
            {.kinds = 3U << PSCOPE_KIND_SEND, .min_bytes = 1'000, .max_bytes = 0});
      }
    }
  });
  constexpr int kOperations = 200'000;
  record(session, operation(PSCOPE_KIND_SEND, session.comm(1), 1'500), PSCOPE_STATUS_OK,
         kOperations);
  stop = true;
  changer.join();
  EXPECT_EQ(session.stats().recorded, std::uint64_t{kOperations} + 1);  // and the thread's begin
}

TEST(Control, AForkedChildGoesOnWithTheFilterOfItsParent) {
  const RuntimeDir dir;
  const TestSession session(dir);
  Reader reader(dir);
  (void)session.comm(11);
  reader.collector.set_control({.min_bytes = 5, .communicators = {{"11"}}});
  const int status = run_in_child([&] {
    record(session, operation(PSCOPE_KIND_SEND, 0));
    record(session, operation(PSCOPE_KIND_SEND, session.comm(11)));
    return static_cast<int>(session.stats().recorded);
  });
  EXPECT_EQ(status, 2);  // the thread's begin, and one operation
}

}  // namespace
}  // namespace peerscope
