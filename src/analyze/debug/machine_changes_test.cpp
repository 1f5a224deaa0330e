#include "analyze/debug/machine_changes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

MachineReading reading() {
  MachineReading now;
  now.at_ns = 5;
  for (int i = 0; i < 2; ++i) {
    DeviceReading device;
    device.index = i;
    for (unsigned link = 0; link < 2; ++link) {
      LinkReading l;
      l.link = link;
      l.active = true;
      l.speed_bytes_per_s = 25e9;
      l.remote_device = 1 - i;
      device.links.push_back(l);
    }
    device.pcie.generation = 5;
    device.pcie.width = 16;
    now.devices.push_back(device);
  }
  now.pairs.push_back({0, 1, "ok", "ok", "ok", "NV2"});
  return now;
}

std::vector<std::string> kinds(const std::vector<DebugEvent>& events) {
  std::vector<std::string> all;
  for (const DebugEvent& event : events) all.push_back(event.kind);
  return all;
}

TEST(MachineChanges, WhatStaysTheSameIsNoEvent) {
  MachineChanges changes;
  EXPECT_TRUE(changes.add(reading()).empty()) << "the first says nothing";
  EXPECT_TRUE(changes.add(reading()).empty());
}

TEST(MachineChanges, ALinkThatGoesAndComesIsSaidOnceEach) {
  MachineChanges changes;
  changes.add(reading());
  MachineReading down = reading();
  down.at_ns = 77;
  down.devices[1].links[0].active = false;
  const auto events = changes.add(down);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, "link_down");
  EXPECT_EQ(events[0].at_ns, 77);
  EXPECT_EQ(events[0].device, 1);
  EXPECT_EQ(events[0].severity, EventSeverity::error);
  EXPECT_EQ(events[0].text, "GPU 1 NVLink 0 (to GPU 0) is no longer active");
  EXPECT_TRUE(changes.add(down).empty());
  EXPECT_THAT(kinds(changes.add(reading())), testing::ElementsAre("link_up"));
}

TEST(MachineChanges, WhatIsUnknownForAWhileDidNotChange) {
  MachineChanges changes;
  changes.add(reading());
  MachineReading blind = reading();
  blind.devices[0].links[0].active.reset();
  blind.devices[0].pcie.width.reset();
  EXPECT_TRUE(changes.add(blind).empty());
  EXPECT_TRUE(changes.add(reading()).empty());
}

TEST(MachineChanges, PcieWidthIsAWarningAndAnIdleGenerationIsNot) {
  MachineChanges changes;
  changes.add(reading());
  MachineReading now = reading();
  now.devices[0].pcie.width = 4;
  now.devices[0].pcie.generation = 1;
  const auto events = changes.add(now);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].severity, EventSeverity::warning);
  EXPECT_EQ(events[0].text, "GPU 0's PCIe link is x4 wide, before x16");
  EXPECT_EQ(events[1].kind, "pcie_generation");
  EXPECT_EQ(events[1].severity, EventSeverity::debug);
}

TEST(MachineChanges, DevicesAndPathsThatGoAreNamed) {
  MachineChanges changes;
  changes.add(reading());
  MachineReading now = reading();
  now.devices.pop_back();
  now.pairs[0].path = "SYS";
  EXPECT_THAT(kinds(changes.add(now)), testing::ElementsAre("device_gone", "path"));
  EXPECT_THAT(kinds(changes.add(reading())), testing::ElementsAre("device_new", "path"));
  MachineReading lost = reading();
  lost.devices[0].trouble = "GPU is lost";
  EXPECT_THAT(kinds(changes.add(lost)), testing::ElementsAre("device_lost"));
  EXPECT_THAT(kinds(changes.add(reading())), testing::ElementsAre("device_back"));
}

}  // namespace
}  // namespace peerscope
