#include "session/machine_sampler.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "session/json.hpp"
#include "session/monitor.hpp"
#include "session/summary.hpp"

namespace peerscope {
namespace {

using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

// Each test has a library of its own: a fake keeps its state, and reads FAKE_NVML once.
nvml::MachineOptions fake(const std::string& name, const char* behaviour) {
  setenv("FAKE_NVML", behaviour, 1);
  const std::string path = testing::TempDir() + "peerscope_fake_nvml_" + name + ".so";
  std::filesystem::copy_file(PSCOPE_FAKE_NVML, path,
                             std::filesystem::copy_options::overwrite_existing);
  return {path, "/nowhere"};
}

template <class Condition>
bool within_seconds(double seconds, const Condition& condition) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

TEST(MachineSampler, AddsReadingsUpAndTakesALastOne) {
  MachineSampler sampler(fake("live", "counters=live xid=79"), 150'000'000);
  ASSERT_TRUE(within_seconds(
      20, [&] { return sampler.latest() != nullptr && sampler.latest()->readings >= 2; }));
  const std::uint64_t before = sampler.latest()->readings;
  sampler.stop();
  const auto summary = sampler.latest();
  EXPECT_GT(summary->readings, before);
  EXPECT_EQ(summary->missing, "");
  ASSERT_NE(sampler.reading(), nullptr);
  EXPECT_EQ(sampler.reading()->devices.size(), summary->devices.size());
  ASSERT_EQ(summary->devices.size(), 2u);
  EXPECT_EQ(summary->devices[1].nvlink_source, RateSource::counters);
  EXPECT_GT(*summary->devices[1].nvlink_tx.mean_bytes_per_s(), 0.0);
  EXPECT_GE(summary->devices[1].nvlink_tx.peak_bytes_per_s,
            *summary->devices[1].nvlink_tx.mean_bytes_per_s());
  ASSERT_EQ(summary->xids.size(), 1u);
  EXPECT_EQ(summary->xids[0].xid, 79u);
}

TEST(MachineSampler, WhatHappenedBetweenReadingsIsToldOnce) {
  MachineSampler sampler(fake("changes", "xid=79"), 150'000'000);
  ASSERT_TRUE(within_seconds(
      20, [&] { return sampler.latest() != nullptr && sampler.latest()->readings >= 2; }));
  sampler.stop();
  const std::vector<DebugEvent> changes = sampler.take_changes();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].kind, "xid");
  EXPECT_EQ(changes[0].severity, EventSeverity::error);
  EXPECT_TRUE(sampler.take_changes().empty());
}

TEST(MachineSampler, WithoutADriverItSaysSo) {
  MachineSampler sampler({"/nowhere/libnvidia-ml.so.1", "/nowhere"});
  ASSERT_TRUE(within_seconds(20, [&] { return sampler.latest() != nullptr; }));
  EXPECT_THAT(sampler.latest()->missing, HasSubstr("no NVIDIA driver here"));
  EXPECT_TRUE(sampler.latest()->devices.empty());
}

TEST(MachineSampler, ADriverThatHangsIsNotWaitedFor) {
  const auto begin = Clock::now();
  {
    MachineSampler sampler(fake("hang", "hang=1"), MachineSampler::kIntervalNs, 100'000'000);
    EXPECT_EQ(sampler.latest(), nullptr);
    sampler.stop();
  }
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
}

TEST(MachineSampler, AMonitorShowsTheMachineAndItsTroubles) {
  MonitorOptions options;
  options.collect.dirs = {"/nowhere"};
  options.machine = fake("narrow", "width=4 gpus=1");
  Monitor monitor(options);
  monitor.finish();
  const auto snapshot = monitor.snapshot();
  ASSERT_NE(snapshot->machine, nullptr);
  ASSERT_FALSE(snapshot->findings.empty());
  EXPECT_EQ(snapshot->findings[0].sentence, "GPU0: PCIe runs at x4 of x16 possible.");
  const nlohmann::json json = to_json(*snapshot);
  EXPECT_EQ(json["machine"]["devices"][0]["pcie"]["width_min"], 4);
  EXPECT_EQ(json["machine"]["missing"], nullptr);
  EXPECT_EQ(json["machine"]["driver_version"], "580.00.fake");
}

TEST(MachineSampler, WhatIsStoredInATraceComesBack) {
  Snapshot snapshot;
  auto machine = std::make_shared<MachineSummary>();
  machine->driver_version = "580";
  machine->devices.resize(1);
  machine->devices[0].name = "H200";
  machine->devices[0].nvlink_tx = {3e9, 1.5, 4e9};
  machine->devices[0].pcie_width_min = 8;
  machine->devices[0].errors_risen = {{"nvlink_replay", 7}};
  machine->paths = {{0, 1, "NV18", 478e9}};
  machine->xids = {{-1, 31, 5, 6}};
  snapshot.machine = machine;
  const auto read = parse_summary(to_summary(snapshot));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_NE(read->machine, nullptr);
  const DeviceSummary& device = read->machine->devices.at(0);
  EXPECT_EQ(device.nvlink_tx.mean_bytes_per_s(), 2e9);
  EXPECT_EQ(device.pcie_width_min, 8u);
  EXPECT_FALSE(device.power_w_max);
  EXPECT_EQ(device.errors_risen.at(0).second, 7u);
  EXPECT_EQ(read->machine->paths.at(0).bandwidth_bytes_per_s, 478e9);
  EXPECT_EQ(read->machine->xids.at(0).device, -1);
  const auto without = parse_summary(to_summary(Snapshot{}));
  EXPECT_EQ(without->machine, nullptr);
}

}  // namespace
}  // namespace peerscope
