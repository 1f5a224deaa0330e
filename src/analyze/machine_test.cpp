#include "analyze/machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

DeviceReading healthy(int index) {
  DeviceReading device;
  device.index = index;
  device.name = "H200";
  device.pcie.generation = 1;  // idle
  device.pcie.width = device.pcie.max_width = 16;
  device.pcie.max_generation = 5;
  device.clock_reasons = 1;
  device.utilisation_percent = 0;
  device.links.resize(2);
  for (unsigned i = 0; i < 2; ++i) {
    device.links[i].link = i;
    device.links[i].active = true;
    device.links[i].remote_device = 1 - index;
    device.links[i].speed_bytes_per_s = 25e9;
    device.links[i].errors.replay = 0;
  }
  return device;
}

MachineReading reading_of(std::vector<DeviceReading> devices, double at_s = 0) {
  MachineReading reading;
  reading.at_ns = static_cast<std::int64_t>(at_s * 1e9);
  reading.devices = std::move(devices);
  return reading;
}

std::vector<std::string> sentences(const MachineReading& now,
                                   const MachineReading* before = nullptr) {
  std::vector<std::string> all;
  for (const Finding& finding : judge_machine(now, before)) all.push_back(finding.sentence);
  return all;
}

TEST(JudgeMachine, AnIdleHealthyMachineIsWell) {
  EXPECT_THAT(sentences(reading_of({healthy(0), healthy(1)})), IsEmpty());
}

TEST(JudgeMachine, WidthCountsAlwaysGenerationUnderLoadOnly) {
  DeviceReading device = healthy(1);
  device.pcie.width = 8;
  EXPECT_THAT(sentences(reading_of({device})),
              ElementsAre("GPU1: PCIe runs at x8 of x16 possible."));
  device.clock_reasons = 0;
  device.utilisation_percent = 90;
  EXPECT_THAT(sentences(reading_of({device})),
              ElementsAre("GPU1: PCIe runs at Gen1 x8 of Gen5 x16 possible."));
  device.pcie.width = 16;
  EXPECT_THAT(sentences(reading_of({device})),
              ElementsAre("GPU1: PCIe runs at Gen1 x16 of Gen5 x16 possible."));
  device.utilisation_percent.reset();  // unknown is not busy
  EXPECT_THAT(sentences(reading_of({device})), IsEmpty());
}

TEST(JudgeMachine, ASlotThatIsTooNarrowIsNamed) {
  DeviceReading device = healthy(0);
  device.pcie.device_width = 16;
  device.pcie.slot_width = 4;
  EXPECT_THAT(sentences(reading_of({device})),
              ElementsAre("GPU0: its slot has x4, the device could do x16."));
}

TEST(JudgeMachine, SomeInactiveLinksAreAFaultAllAreNone) {
  DeviceReading device = healthy(0);
  device.links[1].active = false;
  EXPECT_THAT(sentences(reading_of({device})),
              ElementsAre("GPU0: 1 of 2 NVLinks is inactive (1)."));
  device.links[0].active = false;
  EXPECT_THAT(sentences(reading_of({device})), IsEmpty());
}

TEST(JudgeMachine, ErrorsThatRoseAreAWarningOldOnesAreNot) {
  const MachineReading before = reading_of({healthy(0)});
  MachineReading now = before;
  now.devices[0].links[0].errors.replay = 3;
  const auto one_look = judge_machine(now, nullptr);
  ASSERT_THAT(one_look, SizeIs(1));
  EXPECT_EQ(one_look[0].severity, Severity::info);
  const auto risen = judge_machine(now, &before);
  ASSERT_THAT(risen, SizeIs(1));
  EXPECT_EQ(risen[0].severity, Severity::warning);
  EXPECT_EQ(risen[0].sentence, "GPU0: errors rose while it was watched: 3 nvlink_replay.");
}

TEST(JudgeMachine, WhatIsPutRightOnItsWayIsNoError) {
  const MachineReading before = reading_of({healthy(0)});
  MachineReading now = before;
  now.devices[0].links[0].errors.crc_data = 1230;
  now.devices[0].links[0].errors.ecc_data = 1858;
  EXPECT_THAT(judge_machine(now, &before), IsEmpty());
  EXPECT_THAT(judge_machine(now, nullptr), IsEmpty());
}

TEST(JudgeMachine, ClocksThatAreHeldDownSayWhy) {
  DeviceReading device = healthy(0);
  device.clock_reasons = 0x40;
  device.temperature_c = 95;
  EXPECT_THAT(sentences(reading_of({device})),
              ElementsAre("GPU0: its clocks are held down: hw_thermal_slowdown, 95 °C."));
  device.clock_reasons = 0x4;
  EXPECT_EQ(judge_machine(reading_of({device}), nullptr)[0].severity, Severity::info);
}

TEST(JudgeMachine, XidsAndLostGpusComeFirst) {
  MachineReading now = reading_of({healthy(0), healthy(1)});
  now.devices[0].pcie.width = 8;
  now.devices[1].trouble = "nvmlDeviceGetClockInfo: the GPU is lost";
  now.xids = {{1, 79, 0, 0}, {1, 79, 0, 0}};
  EXPECT_THAT(
      sentences(now),
      ElementsAre("GPU1: the driver reports XID 79 (the GPU has fallen off the bus), 2 times.",
                  "GPU1 cannot be read: nvmlDeviceGetClockInfo: the GPU is lost.",
                  "GPU0: PCIe runs at x8 of x16 possible."));
}

TEST(JudgeMachine, PairsWithoutP2pAreOneSentence) {
  MachineReading now = reading_of({});
  for (int from = 0; from < 3; ++from) {
    for (int to = 0; to < 3; ++to) {
      if (from != to) now.pairs.push_back({from, to, "chipset_not_supported", "", "", "PHB"});
    }
  }
  EXPECT_THAT(sentences(now),
              ElementsAre("3 pairs of GPUs cannot reach each other's memory "
                          "(chipset_not_supported): what they copy goes through host memory."));
}

TEST(MachineTally, MeansAreWeightedByTimeAndPeaksKept) {
  MachineTally tally;
  tally.add(reading_of({healthy(0)}, 0));
  DeviceReading device = healthy(0);
  device.nvlink = {100e9, 50e9, RateSource::gpm};
  tally.add(reading_of({device}, 1));
  device.nvlink = {10e9, {}, RateSource::gpm};  // one direction unknown
  tally.add(reading_of({device}, 4));
  const DeviceSummary& sum = tally.summary().devices[0];
  EXPECT_EQ(tally.summary().readings, 3u);
  EXPECT_DOUBLE_EQ(*sum.nvlink_tx.mean_bytes_per_s(), (100e9 + 3 * 10e9) / 4);
  EXPECT_EQ(sum.nvlink_tx.peak_bytes_per_s, 100e9);
  EXPECT_DOUBLE_EQ(*sum.nvlink_rx.mean_bytes_per_s(), 50e9);
  EXPECT_FALSE(sum.pcie_tx.mean_bytes_per_s());  // never known: not 0
  EXPECT_EQ(sum.nvlink_source, RateSource::gpm);
}

TEST(MachineTally, KeepsWhatHappenedInBetween) {
  MachineTally tally;
  MachineReading reading = reading_of({healthy(0), healthy(1)}, 0);
  reading.pairs = {{0, 1, "ok", "ok", "ok", "NV2"}};
  tally.add(reading);
  MachineReading middle = reading;
  middle.devices[0].clock_reasons = 0x20;
  middle.devices[0].links[1].active = false;
  middle.devices[0].links[0].errors.replay = 5;
  middle.xids = {{0, 31, 7, 8}};
  tally.add(middle);
  MachineReading last = reading;
  last.devices[0].links[0].errors.replay = 5;
  tally.add(last);
  const MachineSummary& sum = tally.summary();
  EXPECT_EQ(sum.devices[0].clock_reasons, 0x21u);
  EXPECT_EQ(sum.devices[0].links_active_min, 1u);
  EXPECT_THAT(sum.devices[0].errors_risen, ElementsAre(Pair("nvlink_replay", 5u)));
  EXPECT_THAT(sum.xids, SizeIs(1));
  ASSERT_FALSE(sum.findings.empty());
  EXPECT_EQ(sum.findings[0].kind, "xid");
  ASSERT_THAT(sum.paths, SizeIs(1));
  EXPECT_EQ(sum.paths[0].bandwidth_bytes_per_s, 50e9);
}

TEST(MachineTally, WhatWasWrongInBetweenStaysSaid) {
  MachineTally tally;
  tally.add(reading_of({healthy(0)}));
  DeviceReading hot = healthy(0);
  hot.clock_reasons = 0x40;
  hot.pcie.width = 8;
  tally.add(reading_of({hot}, 1));
  tally.add(reading_of({healthy(0)}, 2));
  std::vector<std::string> kinds;
  for (const Finding& finding : tally.summary().findings) kinds.push_back(finding.kind);
  EXPECT_THAT(kinds, ElementsAre("pcie_width", "clocks_held_down"));
}

TEST(MachineTally, AGenerationIsJudgedByTwoLooksInARow) {
  DeviceReading busy = healthy(0);
  busy.clock_reasons = 0;
  busy.utilisation_percent = 90;  // and still Gen1
  MachineTally tally;
  tally.add(reading_of({busy}, 0));
  EXPECT_THAT(tally.summary().findings, IsEmpty());
  tally.add(reading_of({healthy(0)}, 1));
  tally.add(reading_of({busy}, 2));
  EXPECT_THAT(tally.summary().findings, IsEmpty());
  tally.add(reading_of({busy}, 3));
  ASSERT_THAT(tally.summary().findings, SizeIs(1));
  EXPECT_EQ(tally.summary().findings[0].kind, "pcie_generation");
}

}  // namespace
}  // namespace peerscope
