#include "source/nvml/machine.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "source/nvml/fake/fake_nvml.hpp"
#include "source/nvml/pci_sysfs.hpp"

namespace peerscope::nvml {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

class NvmlMachine : public testing::Test {
 protected:
  void SetUp() override { fake_nvml() = FakeNvml{}; }

  static std::unique_ptr<Machine> open(const Api& api = fake_api()) {
    auto machine = Machine::open(api, {"", "/nowhere"});
    EXPECT_TRUE(machine) << (machine ? "" : machine.error().message);
    return machine ? std::move(*machine) : nullptr;
  }

  // Two readings as far apart as the performance monitor wants them.
  static MachineReading second_reading(Machine& machine) {
    machine.read();
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    return machine.read();
  }

  static std::string why(const DeviceReading& device, const std::string& metric) {
    for (const Absence& absence : device.absent) {
      if (absence.metric == metric) return absence.reason;
    }
    return "";
  }
};

std::string open_error(const Api& api) {
  const auto machine = Machine::open(api, {});
  return machine ? "it opened" : machine.error().message;
}

TEST_F(NvmlMachine, SaysWhatADeviceIs) {
  const auto machine = open();
  const MachineReading reading = machine->read();
  EXPECT_EQ(reading.driver_version, "580.00.fake");
  ASSERT_EQ(reading.devices.size(), 2u);
  const DeviceReading& gpu = reading.devices[1];
  EXPECT_EQ(gpu.index, 1);
  EXPECT_EQ(gpu.name, "Fake GPU");
  EXPECT_EQ(gpu.uuid, "GPU-fake-1");
  EXPECT_EQ(gpu.pci_bus_id, "0000:4b:00.0");
  EXPECT_EQ(gpu.minor, 1u);
  EXPECT_EQ(gpu.pcie.generation, 5u);
  EXPECT_EQ(gpu.pcie.width, 16u);
  EXPECT_EQ(gpu.sm_clock_mhz, 345u);
  EXPECT_EQ(gpu.sm_clock_max_mhz, 1980u);
  EXPECT_EQ(gpu.power_w, 76.5);
  EXPECT_EQ(gpu.temperature_c, 31u);
  EXPECT_EQ(gpu.memory_total_bytes, 143771ULL << 20);
  EXPECT_EQ(gpu.ecc_uncorrected, 0u);
  EXPECT_FALSE(gpu.numa_node);  // /nowhere says nothing
}

TEST_F(NvmlMachine, ALinkSaysWhereItGoesAndWhatWentWrongOnIt) {
  fake_nvml().gpus[0].links[1].errors[kErrorReplay] = 12;
  const auto machine = open();
  const DeviceReading gpu = machine->read().devices[0];
  ASSERT_EQ(gpu.links.size(), 2u);
  const LinkReading& link = gpu.links[1];
  EXPECT_EQ(link.active, true);
  EXPECT_EQ(link.version, 7u);
  EXPECT_EQ(link.speed_bytes_per_s, 26562e6);
  EXPECT_EQ(link.remote_pci_bus_id, "0000:4b:00.0");
  EXPECT_EQ(link.remote_type, "gpu");
  EXPECT_EQ(link.remote_device, 1);
  EXPECT_EQ(link.errors.replay, 12u);
  EXPECT_EQ(link.errors.recovery, 0u);
  EXPECT_FALSE(link.errors.ecc_data);  // the fake does not support it: unknown, not 0
  EXPECT_EQ(total_errors(gpu, &LinkErrors::replay), 12u);
  EXPECT_FALSE(total_errors(gpu, &LinkErrors::ecc_data));
  EXPECT_EQ(why(gpu, "nvlink_ecc_data"),
            "nvmlDeviceGetNvLinkErrorCounter: not supported by this device (NVML 3)");
}

TEST_F(NvmlMachine, WhatIsNotSupportedIsUnknownAndNotZero) {
  fake_nvml().questions = kNotSupported;
  fake_nvml().fields = kNotSupported;
  fake_nvml().gpm = false;
  const auto machine = open();
  const MachineReading reading = second_reading(*machine);
  const DeviceReading& gpu = reading.devices[0];
  EXPECT_TRUE(gpu.trouble.empty());
  EXPECT_FALSE(gpu.power_w);
  EXPECT_FALSE(gpu.temperature_c);
  EXPECT_FALSE(gpu.memory_used_bytes);
  EXPECT_FALSE(gpu.ecc_corrected);
  EXPECT_FALSE(gpu.clock_reasons);
  EXPECT_FALSE(gpu.pcie.width);
  EXPECT_FALSE(gpu.pcie.rate.tx);
  EXPECT_FALSE(gpu.links[0].tx);
  EXPECT_FALSE(gpu.links[0].rate.tx);
  EXPECT_FALSE(gpu.nvlink.tx);
  EXPECT_EQ(why(gpu, "power"), "nvmlDeviceGetPowerUsage: not supported by this device (NVML 3)");
  EXPECT_THAT(why(gpu, "nvlink_tx_bytes"), HasSubstr("field 138: not supported"));
  EXPECT_THAT(why(gpu, "nvlink_rate"), HasSubstr("no link counters"));
  EXPECT_THAT(reading.xids_unknown, HasSubstr("nvmlDeviceRegisterEvents"));
}

TEST_F(NvmlMachine, WhatAnOlderLibraryLacksIsUnknown) {
  Api api;
  const Api whole = fake_api();
  api.init = whole.init, api.device_count = whole.device_count;
  api.device_handle = whole.device_handle, api.shutdown = whole.shutdown;
  const auto machine = open(api);
  const MachineReading reading = second_reading(*machine);
  ASSERT_EQ(reading.devices.size(), 2u);
  EXPECT_TRUE(reading.devices[0].links.empty());
  EXPECT_FALSE(reading.devices[0].power_w);
  EXPECT_EQ(why(reading.devices[0], "nvlink"),
            "nvmlDeviceGetNvLinkState: this driver's library lacks the function (NVML 13)");
  EXPECT_EQ(reading.pairs[0].read, "");
}

TEST_F(NvmlMachine, CountersThatCountGiveTheRate) {
  for (FakeGpu& gpu : fake_nvml().gpus) {
    for (FakeLink& link : gpu.links) link.step_kib = 1 << 20;  // 1 GiB a look
  }
  const auto machine = open();
  const MachineReading first = machine->read();
  EXPECT_FALSE(first.devices[0].nvlink.tx);
  EXPECT_EQ(why(first.devices[0], "nvlink_rate"), "a rate needs two readings");
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  const MachineReading second = machine->read();
  const DeviceReading& gpu = second.devices[0];
  EXPECT_EQ(gpu.nvlink.source, RateSource::counters);
  const double most = 2 * 1073741824.0 / 0.12;  // it slept at least that long
  EXPECT_GT(*gpu.nvlink.tx, most / 20);
  EXPECT_LE(*gpu.nvlink.tx, most);
  EXPECT_EQ(gpu.nvlink.tx, gpu.nvlink.rx);
  EXPECT_EQ(*gpu.nvlink.tx, *gpu.links[0].rate.tx + *gpu.links[1].rate.tx);
}

TEST_F(NvmlMachine, CountersThatReadZeroLeaveTheWordToThePerformanceMonitor) {
  const auto machine = open();
  const DeviceReading gpu = second_reading(*machine).devices[0];
  ASSERT_TRUE(gpu.links[0].tx);  // supported, and 0
  EXPECT_EQ(gpu.links[0].tx->value, 0u);
  EXPECT_EQ(gpu.nvlink.source, RateSource::gpm);
  EXPECT_EQ(gpu.nvlink.tx, 2000.0 * 1048576);
  EXPECT_EQ(gpu.links[1].rate.rx, 1000.0 * 1048576);
  EXPECT_EQ(gpu.pcie.rate.source, RateSource::gpm);
  EXPECT_EQ(gpu.pcie.rate.tx, 8.0 * 1048576);
}

TEST_F(NvmlMachine, CountersThatReadZeroWithoutPerformanceMonitorAreUnknown) {
  fake_nvml().gpm = false;
  const auto machine = open();
  const DeviceReading gpu = second_reading(*machine).devices[0];
  EXPECT_FALSE(gpu.nvlink.tx);
  EXPECT_FALSE(gpu.links[0].rate.rx);
  EXPECT_THAT(why(gpu, "nvlink_rate"), HasSubstr("read 0 on all links"));
  EXPECT_EQ(gpu.pcie.rate.source, RateSource::driver);
  EXPECT_EQ(gpu.pcie.rate.rx, 2e6);
}

TEST_F(NvmlMachine, ALinkThatIsQuietWhileOthersCountHasARateOfZero) {
  fake_nvml().gpus[0].links[0].step_kib = 1024;
  const auto machine = open();
  const DeviceReading gpu = second_reading(*machine).devices[0];
  EXPECT_GT(*gpu.links[0].rate.tx, 0);
  EXPECT_EQ(gpu.links[1].rate.tx, 0.0);
  EXPECT_EQ(gpu.links[1].rate.source, RateSource::counters);
}

TEST_F(NvmlMachine, ACounterThatWasResetIsUnknownForThatReading) {
  fake_nvml().gpm = false;
  auto& links = fake_nvml().gpus[0].links;
  for (FakeLink& link : links) link.tx_kib = link.rx_kib = 5000, link.step_kib = 1;
  const auto machine = open();
  machine->read();
  links[0].tx_kib = 3;
  const DeviceReading gpu = machine->read().devices[0];
  EXPECT_FALSE(gpu.links[0].rate.tx);
  EXPECT_FALSE(gpu.nvlink.tx);  // a sum of what is known would be too little
  EXPECT_TRUE(gpu.links[1].rate.tx);
  EXPECT_THAT(why(gpu, "nvlink_rate"), HasSubstr("reset"));
}

TEST_F(NvmlMachine, ANarrowCounterWraps) {
  auto& links = fake_nvml().gpus[0].links;
  for (FakeLink& link : links) link.narrow = true, link.tx_kib = link.rx_kib = 0xFFFFFF00;
  const auto machine = open();
  machine->read();
  for (FakeLink& link : links) link.tx_kib = link.rx_kib = 0x100;
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const DeviceReading gpu = machine->read().devices[0];
  EXPECT_EQ(gpu.links[0].rate.source, RateSource::counters);
  EXPECT_GT(*gpu.links[0].rate.tx, 0);
  EXPECT_LE(*gpu.links[0].rate.tx, 0x200 * 1024 / 0.01);
}

TEST(Counter, RisesWrapsAndIsReset) {
  EXPECT_EQ(rise({10, 0}, {25, 0}), 15u);
  EXPECT_EQ(rise({10, 0}, {10, 0}), 0u);
  EXPECT_EQ(rise({10, 0}, {9, 0}), std::nullopt);         // 64 bits do not wrap
  EXPECT_EQ(rise({250, 256}, {5, 256}), 11u);             // a wrap
  EXPECT_EQ(rise({250, 256}, {100, 256}), std::nullopt);  // too far for one
  EXPECT_EQ(rise({100, 256}, {5, 256}), std::nullopt);    // a reset
}

TEST_F(NvmlMachine, ReadsXidsWithoutWaiting) {
  const auto machine = open();
  fake_nvml().xids = {{1, 79}, {0, 31}};  // the fake aborts if anybody waits for them
  const MachineReading reading = machine->read();
  ASSERT_EQ(reading.xids.size(), 2u);
  EXPECT_EQ(reading.xids[0].device, 1);
  EXPECT_EQ(reading.xids[0].xid, 79u);
  EXPECT_GE(reading.xids[0].at_ns, reading.at_ns);
  EXPECT_EQ(reading.xids[1].xid, 31u);
  EXPECT_TRUE(machine->read().xids.empty());
}

TEST_F(NvmlMachine, ALostGpuIsNamedAndTheOthersAreRead) {
  const auto machine = open();
  fake_nvml().gpus[0].lost = true;  // after opening
  const MachineReading reading = machine->read();
  EXPECT_THAT(reading.devices[0].trouble, HasSubstr("the GPU is lost"));
  EXPECT_EQ(reading.devices[1].trouble, "");
  EXPECT_EQ(reading.devices[1].temperature_c, 31u);
  const auto later = open();  // before opening
  EXPECT_THAT(later->read().devices[0].trouble,
              HasSubstr("nvmlDeviceGetHandleByIndex_v2: the GPU is lost"));
}

TEST_F(NvmlMachine, APairSaysItsPathAndWhatPeersMayDo) {
  auto machine = open();
  const DevicePair pair = machine->read().pairs[0];
  EXPECT_EQ(pair.from, 0);
  EXPECT_EQ(pair.to, 1);
  EXPECT_EQ(pair.path, "NV2");
  EXPECT_EQ(pair.read, "ok");
  EXPECT_EQ(pair.nvlink, "ok");
  for (FakeLink& link : fake_nvml().gpus[0].links) link.active = false;
  EXPECT_EQ(machine->read().pairs[0].path, "SYS");
}

TEST_F(NvmlMachine, APathByNvlinkIsOneWhereTheOtherEndIsHidden) {
  fake_nvml().remotes = false;
  const auto machine = open();
  EXPECT_EQ(machine->read().pairs[0].path, "NV2");
}

TEST_F(NvmlMachine, PcieIsAskedOfTheDriverWhereThePerformanceMonitorDoesNotKnow) {
  fake_nvml().gpm_pcie = kNotSupported;
  const auto machine = open();
  const DeviceReading gpu = second_reading(*machine).devices[0];
  EXPECT_EQ(gpu.nvlink.source, RateSource::gpm);
  EXPECT_EQ(gpu.pcie.rate.source, RateSource::driver);
  EXPECT_EQ(gpu.pcie.rate.tx, 1e6);
}

TEST_F(NvmlMachine, EachFailureToOpenIsOneSentence) {
  fake_nvml().init = kDriverNotLoaded;
  EXPECT_THAT(open_error(fake_api()), HasSubstr("the NVIDIA driver is not loaded"));
  EXPECT_THAT(open_error(fake_api()), HasSubstr("NVML 9"));
  fake_nvml().init = kVersionMismatch;
  EXPECT_THAT(open_error(fake_api()), HasSubstr("of different versions"));
  fake_nvml().init = 999;
  EXPECT_THAT(open_error(fake_api()),
              HasSubstr("NVML cannot be used: failed (nvmlInit_v2: NVML 999)"));
  EXPECT_EQ(fake_nvml().shutdowns, 0);  // what was not opened is not closed
  fake_nvml().init = kSuccess;
  fake_nvml().gpus.clear();
  EXPECT_THAT(open_error(fake_api()), HasSubstr("but no GPU"));
  EXPECT_EQ(fake_nvml().shutdowns, 1);
  const auto missing = Machine::open({"/nowhere/libnvidia-ml.so.1", "/sys"});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("/nowhere/libnvidia-ml.so.1 cannot be loaded"));
}

TEST_F(NvmlMachine, ALibraryIsLoadedFromItsPath) {
  const auto machine = Machine::open({PSCOPE_FAKE_NVML, "/nowhere"});
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ((*machine)->read().devices.size(), 2u);
}

TEST_F(NvmlMachine, WhatIsOpenedIsClosed) {
  {
    const auto machine = open();
  }
  EXPECT_EQ(fake_nvml().inits, 1);
  EXPECT_EQ(fake_nvml().shutdowns, 1);
  EXPECT_EQ(fake_nvml().samples, 0);
}

TEST(PciPlace, ReadsTheSlotFromTheKernel) {
  namespace fs = std::filesystem;
  const fs::path root = testing::TempDir() + "peerscope_sysfs";
  const fs::path port = root / "devices/pci0000:48/0000:48:01.0";
  const fs::path device = port / "0000:4a:00.0";
  fs::create_directories(device);
  fs::create_directories(root / "bus/pci/devices");
  std::error_code error;
  fs::create_symlink(device, root / "bus/pci/devices/0000:4a:00.0", error);
  const auto write = [](const fs::path& path, const char* text) { std::ofstream(path) << text; };
  write(port / "max_link_speed", "16.0 GT/s PCIe\n");
  write(port / "max_link_width", "8\n");
  write(device / "max_link_speed", "32.0 GT/s PCIe\n");
  write(device / "max_link_width", "16\n");
  write(device / "numa_node", "1\n");
  write(device / "local_cpulist", "48-95\n");
  const PciPlace place = pci_place(root, "00000000:4A:00.0");
  EXPECT_EQ(place.numa_node, 1);
  EXPECT_EQ(place.cpus, "48-95");
  EXPECT_EQ(place.slot.generation, 4u);
  EXPECT_EQ(place.slot.width, 8u);
  EXPECT_EQ(place.device.generation, 5u);
  EXPECT_EQ(place.device.width, 16u);
  write(device / "numa_node", "-1\n");
  write(port / "max_link_width", "255\n");
  EXPECT_FALSE(pci_place(root, "0000:4a:00.0").numa_node);
  EXPECT_FALSE(pci_place(root, "0000:4a:00.0").slot.width);
  fs::remove_all(root);
}

TEST(ClockReasons, HaveNamesAndSomeSlowTheDevice) {
  EXPECT_THAT(clock_reason_names(0x45),
              ElementsAre("gpu_idle", "sw_power_cap", "hw_thermal_slowdown"));
  EXPECT_THAT(clock_reason_names(0x8000), ElementsAre("bit_15"));
  EXPECT_EQ(slowing_clock_reasons(0x45), 0x44u);
}

}  // namespace
}  // namespace peerscope::nvml
