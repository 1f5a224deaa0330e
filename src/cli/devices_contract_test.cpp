// `devices`, `ras` and the machine in `run`, as scripts see them. Runs the real binary with a fake NVML
// and a fake RAS.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "source/ras/reports_for_test.hpp"
#include "source/ras/server_for_test.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Ran {
  int status = 0;
  std::string text;
};

class DevicesContract : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fmt::format("/dev/shm/peerscope-devices-test-{}", getpid());
    std::filesystem::remove_all(dir_);
    setenv("PEERSCOPE_RUNTIME_DIR", dir_.c_str(), 1);
    setenv("PEERSCOPE_SOURCE__NVML_LIBRARY", PSCOPE_FAKE_NVML, 1);
    unsetenv("FAKE_NVML");
    unsetenv("NCCL_RAS_ADDR");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // Standard output; or with `errors` standard error only.
  static Ran run(const std::string& arguments, bool errors = false) {
    const std::string line = fmt::format("{} {} {}", PSCOPE_BINARY, arguments,
                                         errors ? "2>&1 >/dev/null" : "2>/dev/null");
    Ran ran;
    FILE* pipe = popen(line.c_str(), "r");
    char buffer[4096];
    for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      ran.text.append(buffer, got);
    const int status = pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ran;
  }

  std::string dir_;
};

TEST_F(DevicesContract, DevicesSayWhatTheyAreAndHowFast) {
  setenv("FAKE_NVML", "width=8", 1);
  const Ran ran = run("devices --json");
  ASSERT_EQ(ran.status, 0);
  const json out = json::parse(ran.text);
  ASSERT_EQ(out["devices"].size(), 2u);
  const json& device = out["devices"][1];
  EXPECT_EQ(device["pci_bus_id"], "0000:4b:00.0");
  EXPECT_EQ(device["pcie"]["width"], 8);
  EXPECT_EQ(device["nvlink"]["source"], "gpm");
  EXPECT_NEAR(device["nvlink"]["tx_gbs"].get<double>(), 2.097152, 1e-9);
  EXPECT_EQ(device["nvlink"]["links"][0]["remote_device"], 0);
  EXPECT_EQ(device["nvlink"]["links"][0]["errors"]["ecc_data"], nullptr);
  EXPECT_THAT(device["unknown"]["nvlink_ecc_data"].get<std::string>(), HasSubstr("NVML 3"));
  EXPECT_EQ(out["pairs"][0]["path"], "NV2");
  EXPECT_EQ(out["findings"][0]["sentence"], "GPU0: PCIe runs at x8 of x16 possible.");
  EXPECT_THAT(run("devices").text, HasSubstr("Gen5 x8 of Gen5 x16"));
}

TEST_F(DevicesContract, WhatIsUnknownIsNull) {
  setenv("FAKE_NVML", "fields=3 questions=3 gpm=0", 1);
  const json out = json::parse(run("devices --json").text);
  const json& device = out["devices"][0];
  EXPECT_EQ(device["power_w"], nullptr);
  EXPECT_EQ(device["pcie"]["width"], nullptr);
  EXPECT_EQ(device["nvlink"]["tx_gbs"], nullptr);
  EXPECT_EQ(device["clock_reasons"], nullptr);
  EXPECT_NE(out["xids_unknown"], nullptr);
}

TEST_F(DevicesContract, WhatIsMissingIsOneSentenceAndStatus2) {
  const auto refused = [](const char* behaviour) {
    setenv("FAKE_NVML", behaviour, 1);
    const Ran ran = run("devices", true);
    EXPECT_EQ(ran.status, 2);
    EXPECT_EQ(std::count(ran.text.begin(), ran.text.end(), '\n'), 1);
    return ran.text;
  };
  EXPECT_THAT(refused("init=9"), HasSubstr("driver is not loaded"));
  EXPECT_THAT(refused("init=18"), HasSubstr("different versions"));
  EXPECT_THAT(refused("gpus=0"), HasSubstr("no GPU"));
  setenv("PEERSCOPE_SOURCE__NVML_LIBRARY", "/nowhere/libnvidia-ml.so.1", 1);
  EXPECT_THAT(refused(""), HasSubstr("cannot be loaded"));
}

TEST_F(DevicesContract, RunShowsTheMachineAndWithoutNvmlItDoesNot) {
  setenv("FAKE_NVML", "counters=live xid=31", 1);
  const Ran ran = run("run --json -- sleep 0.4");
  ASSERT_EQ(ran.status, 0);
  const json machine = json::parse(ran.text)["machine"];
  EXPECT_GE(machine["readings"].get<int>(), 2);
  EXPECT_GT(machine["devices"][0]["nvlink"]["tx"]["mean_gbs"].get<double>(), 0.0);
  EXPECT_EQ(machine["devices"][0]["nvlink"]["source"], "counters");
  EXPECT_EQ(machine["xids"][0]["xid"], 31);
  const Ran off = run("run --set source.nvml=false --json -- true");
  EXPECT_EQ(json::parse(off.text)["machine"], nullptr);
  setenv("PEERSCOPE_SOURCE__NVML_LIBRARY", "/nowhere/libnvidia-ml.so.1", 1);
  const Ran missing = run("run --json -- sleep 0.2");
  EXPECT_EQ(missing.status, 0);
  EXPECT_THAT(json::parse(missing.text)["machine"]["missing"].get<std::string>(),
              HasSubstr("no NVIDIA driver here"));
}

TEST_F(DevicesContract, ATraceKeepsDevicesAndPaths) {
  const std::string path = dir_ + ".pscope";
  ASSERT_EQ(run(fmt::format("run --out {} -- sleep 0.3", path)).status, 0);
  const json meta = json::parse(run("info --json " + path).text)["meta"];
  ASSERT_EQ(meta["devices"].size(), 2u);
  EXPECT_EQ(meta["devices"][1]["uuid"], "GPU-fake-1");
  EXPECT_EQ(meta["devices"][1]["pci_bus_id"], "0000:4b:00.0");
  EXPECT_EQ(meta["links"][0]["type"], "NV2");
  EXPECT_NEAR(meta["links"][0]["bandwidth_bytes_per_s"].get<double>(), 2 * 26562e6, 1.0);
  const json report = json::parse(run("report --json " + path).text);
  EXPECT_EQ(report["machine"]["devices"][0]["name"], "Fake GPU");
  std::filesystem::remove(path);
}

TEST_F(DevicesContract, RasNamesWhoIsMissingAndWhoIsBehind) {
  const std::string ranks =
      ras::rank_json(0, 120) + ",\n" + ras::rank_json(1, 120) + ",\n" + ras::rank_json(2, 117);
  ras::ServerForTest server(ras::kHandshake +
                            ras::report_json(ranks, ras::missing_json(3, false), 1));
  const Ran ran = run(fmt::format("ras --json --host 127.0.0.1 --port {}", server.port()));
  ASSERT_EQ(ran.status, 0);
  const json out = json::parse(ran.text);
  EXPECT_EQ(out["repaired"], true);
  EXPECT_EQ(out["communicators"][0]["missing"][0]["rank"], 3);
  EXPECT_EQ(out["communicators"][0]["differences"][0]["ranks"], json::array({2}));
  EXPECT_EQ(out["findings"][0]["kind"], "rank_missing");
  EXPECT_EQ(out["findings"][1]["kind"], "rank_behind");
}

TEST_F(DevicesContract, RasReadsTheAddressAsNcclDoes) {
  ras::ServerForTest server(ras::kOldHandshake + ras::kTextTrouble);
  setenv("NCCL_RAS_ADDR", fmt::format("127.0.0.1:{}", server.port()).c_str(), 1);
  const Ran ran = run("ras");
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.text, HasSubstr("Process 4007 on 10.0.0.1"));
  EXPECT_THAT(ran.text, HasSubstr("117 to 120"));
  setenv("NCCL_RAS_ADDR", "node:http", 1);
  const Ran bad = run("ras", true);
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.text, HasSubstr("NCCL_RAS_ADDR: 'node:http' is no address"));
}

TEST_F(DevicesContract, RasWithNothingThereIsOneSentenceAndStatus2) {
  int port = 0;
  {
    ras::ServerForTest server("");
    port = server.port();
  }
  const Ran ran = run(fmt::format("ras --host 127.0.0.1 --port {} --timeout 2", port), true);
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.text, HasSubstr("Connection refused"));
  EXPECT_EQ(std::count(ran.text.begin(), ran.text.end(), '\n'), 1);
}

}  // namespace
}  // namespace peerscope
