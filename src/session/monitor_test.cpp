#include "session/monitor.hpp"

#include <chrono>
#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "session/json.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

class MonitorTest : public testing::Test {
 protected:
  MonitorTest() : dir_(fmt::format("/dev/shm/peerscope-monitor-{}", getpid())) {
    std::filesystem::remove_all(dir_);
    pscope_options options{};
    options.size = sizeof options;
    options.name = "ranks";
    options.session = "test";
    options.runtime_dir = dir_.c_str();
    options.level = PSCOPE_LEVEL_COMPREHENSIVE;
    options.detail_budget_ppm = PSCOPE_UNLIMITED;
    session_ = pscope_open(&options, nullptr);
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
      const pscope_comm_desc desc{
          9, "tp", rank, 2, static_cast<std::uint16_t>(rank), PSCOPE_BACKEND_HOST, 0};
      comms_[rank] = pscope_comm_register(session_, &desc);
    }
    options_.collect.dirs = {dir_};
  }
  ~MonitorTest() override {
    pscope_close(session_);
    std::filesystem::remove_all(dir_);
  }

  pscope_op op(std::uint32_t rank) const {
    pscope_op op{};
    op.bytes = 4096;
    op.sequence = PSCOPE_SEQUENCE_AUTO;
    op.comm = comms_[rank];
    op.peer = PSCOPE_NO_PEER;
    op.kind = PSCOPE_KIND_ALL_REDUCE;
    op.algorithm = PSCOPE_ALGORITHM_RING;
    return op;
  }
  void collectives(int count) const {
    const std::uint16_t phase = pscope_name(session_, "reduce");
    for (int i = 0; i < count; ++i) {
      const pscope_op first = op(0);
      const pscope_op second = op(1);
      const pscope_token a = pscope_op_begin(session_, &first);
      const pscope_token b = pscope_op_begin(session_, &second);
      pscope_op_phase(session_, a, phase);
      pscope_op_end(session_, a, PSCOPE_STATUS_OK);
      pscope_op_end(session_, b, PSCOPE_STATUS_OK);
    }
  }

  std::string dir_;
  pscope_session* session_ = nullptr;
  std::uint16_t comms_[2] = {};
  MonitorOptions options_;
};

TEST_F(MonitorTest, ShowsOperationsCollectivesPhasesAndCallSites) {
  Monitor monitor(options_);
  collectives(100);
  monitor.poll();
  const auto snapshot = monitor.snapshot();
  EXPECT_EQ(snapshot->aggregates->totals.operations, 200u);
  EXPECT_EQ(snapshot->aggregates->totals.collectives, 100u);
  ASSERT_EQ(snapshot->phases.size(), 1u);
  EXPECT_EQ(snapshot->phases[0].name, "reduce");
  EXPECT_EQ(snapshot->phases[0].count, 100u);
  ASSERT_FALSE(snapshot->call_sites.empty());
  EXPECT_THAT(snapshot->call_sites[0].site, testing::HasSubstr("session_test"));
  ASSERT_EQ(snapshot->communicators.size(), 1u);
  EXPECT_EQ(snapshot->communicators[0].name, "tp");
  EXPECT_EQ(snapshot->lost + snapshot->dropped, 0u);
  EXPECT_GT(snapshot->overhead_fraction, 0.0);
}

TEST_F(MonitorTest, ShowsEventsAndTheUsersOwnMetrics) {
  Monitor monitor(options_);
  pscope_event(session_, PSCOPE_SEVERITY_WARNING, pscope_name(session_, "retry"), comms_[0], 3);
  pscope_counter_add(session_, pscope_counter(session_, "tokens", "1"), 42);
  pscope_gauge_set(session_, pscope_gauge(session_, "loss", "1"), 0.5);
  monitor.poll();
  const auto snapshot = monitor.snapshot();
  ASSERT_EQ(snapshot->events.size(), 1u);
  EXPECT_EQ(snapshot->events[0].name, "retry");
  EXPECT_EQ(snapshot->events[0].value, 3);
  EXPECT_EQ(snapshot->events[0].pid, static_cast<std::uint32_t>(getpid()));
  ASSERT_EQ(snapshot->metrics.size(), 2u);
  EXPECT_EQ(snapshot->metrics[0].value, 42.0);
  EXPECT_EQ(snapshot->metrics[1].value, 0.5);
}

TEST_F(MonitorTest, ShowsWhatIsInFlightAndSinceWhen) {
  Monitor monitor(options_);
  const pscope_op stuck = op(1);
  pscope_op_begin(session_, &stuck);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  monitor.poll();
  const auto snapshot = monitor.snapshot();
  ASSERT_EQ(snapshot->in_flight.size(), 1u);
  EXPECT_EQ(snapshot->in_flight[0].op.rank, 1);
  EXPECT_GE(snapshot->in_flight[0].age_ns, 20'000'000);
  const json out = to_json(*snapshot);
  EXPECT_EQ(out["sessions"][0]["in_flight"][0]["operation"], "all_reduce");
  EXPECT_EQ(out["in_flight"][0]["rank"], 1);
}

TEST_F(MonitorTest, AThreadPublishesSnapshotsThatOthersTakeWithoutWaiting) {
  options_.publish_every_ns = 5'000'000;
  MonitorThread monitor(options_);
  const auto empty = monitor.latest();
  collectives(1000);
  for (int i = 0; i < 400 && monitor.latest()->delivered < 2000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(monitor.stop()->aggregates->totals.operations, 2000u);
  EXPECT_EQ(empty->aggregates->totals.operations, 0u) << "a snapshot does not change";
}

TEST_F(MonitorTest, AThreadPublishesAsOftenAsItIsToldTo) {
  options_.publish_every_ns = 3'600'000'000'000;
  MonitorThread monitor(options_);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto only = monitor.latest();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(monitor.latest(), only) << "an hour has not passed";
  monitor.publish_every(5'000'000);
  for (int i = 0; i < 400 && monitor.latest() == only; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_NE(monitor.latest(), only);
  EXPECT_EQ(monitor.machine_reading(), nullptr) << "nobody reads the GPUs here";
}

TEST_F(MonitorTest, UnknownFiguresAreNullInJsonAndNeverZero) {
  Monitor monitor(options_);
  collectives(3);
  monitor.poll();
  const json out = to_json(*monitor.snapshot());
  ASSERT_EQ(out["operations"].size(), 1u);
  const json& all = out["operations"][0]["windows"]["all"];
  EXPECT_TRUE(all["device"].is_null());
  EXPECT_FALSE(all["host"].is_null());
  EXPECT_EQ(all["bandwidth_clock"], "host");
  EXPECT_EQ(out["totals"]["operations"], 6);
  EXPECT_TRUE(out["pairs"].is_array());
}

TEST_F(MonitorTest, AFindingInJsonHasTheShapeThatScriptsRelyOn) {
  Finding finding;
  finding.kind = "straggler";
  finding.subject.rank = 2;
  finding.sentence = "Rank 2 arrives late.";
  finding.evidence = {{"skew_p50_host_ns", 214000.0}};
  const json out = to_json(finding);
  EXPECT_EQ(out["subject"]["rank"], 2);
  for (const char* key : {"peer", "device", "link", "communicator", "operation"})
    EXPECT_TRUE(out["subject"][key].is_null()) << key;
  EXPECT_EQ(out["severity"], "warning");
  EXPECT_EQ(out["evidence"]["skew_p50_host_ns"], 214000.0);
  for (const char* key : {"kind", "sentence", "action", "confidence"})
    EXPECT_TRUE(out.contains(key)) << key;
}

}  // namespace
}  // namespace peerscope
