// What people and scripts rely on of alerts. Runs the real binary with directories of its own.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ran_for_test.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class AlertsContract : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fmt::format("/dev/shm/peerscope-alerts-test-{}", getpid());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_ + "/run");
    std::filesystem::permissions(dir_ + "/run", std::filesystem::perms::owner_all);
    setenv("PEERSCOPE_RUNTIME_DIR", (dir_ + "/run").c_str(), 1);
    setenv("PEERSCOPE_STATE_DIR", (dir_ + "/state").c_str(), 1);
    setenv("XDG_CONFIG_HOME", (dir_ + "/home").c_str(), 1);
    unsetenv("PEERSCOPE_SESSION");
  }
  void TearDown() override {
    std::filesystem::remove_all(dir_);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("PEERSCOPE_STATE_DIR");
  }
  Ran run(const std::string& arguments) const {
    const std::string line = fmt::format("{} {} 2>{}/err", PSCOPE_BINARY, arguments, dir_);
    Ran ran;
    FILE* pipe = popen(line.c_str(), "r");
    char buffer[4096];
    for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      ran.out.append(buffer, got);
    const int status = pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ran.err = read_file(dir_ + "/err");
    return ran;
  }
  std::string dir_;
};

TEST_F(AlertsContract, CheckSaysWhatRulesWaitForOrWhereTheyAreWrong) {
  const Ran good =
      run("alerts --check --json --set 'alert.rules=p99(all_reduce, device) > 200us for 10s, "
          "finding hang'");
  ASSERT_EQ(good.status, 0) << good.err;
  const json rules = good.parsed()["rules"];
  ASSERT_EQ(rules.size(), 3u);
  EXPECT_EQ(rules[1]["name"], "p99(all_reduce, device) > 200us");
  EXPECT_EQ(rules[1]["meaning"],
            "p99 (device, last 10 s) of all_reduce above 200 µs for 10.0 s; over after 10.0 s");
  const Ran bad = run("alerts --check --set 'alert.rules=p98 > 1ms'");
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(
      bad.err,
      HasSubstr("peerscope alerts: --set: alert.rules: rule 1: column 1: 'p98' is no figure"));
  const Ran validated = run("config validate --set 'alert.rules=p98 > 1ms'");
  EXPECT_EQ(validated.status, 2);
  EXPECT_THAT(validated.err, HasSubstr("column 1: 'p98' is no figure"));
}

TEST_F(AlertsContract, TestSaysOfEachReceiverHowItWent) {
  const Ran none = run("alerts --test");
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("no receiver is configured"));
  const Ran ran = run(
      fmt::format("alerts --test --json --set alert.log={}/log --set 'alert.command=false'", dir_));
  EXPECT_EQ(ran.status, 1);
  const json receivers = ran.parsed()["receivers"];
  ASSERT_EQ(receivers.size(), 2u);
  EXPECT_EQ(receivers[0]["ok"], true);
  EXPECT_EQ(receivers[1]["detail"], "exit status 1");
  EXPECT_THAT(read_file(dir_ + "/log"), HasSubstr("This is a test: nothing is wrong. (test)"));
}

TEST_F(AlertsContract, SecretsAreNotShown) {
  const std::string with =
      " --set alert.webhook_secret=hush --set alert.webhook_url=https://me:hush@example.org/ --set "
      "alert.smtp_password=hush";
  for (const char* command :
       {"config show", "config show --json", "config diff", "config get alert.webhook_secret",
        "config get alert.webhook_url --json"}) {
    const Ran ran = run(command + with);
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_THAT(ran.out, testing::Not(HasSubstr("hush"))) << command;
    EXPECT_THAT(ran.out, HasSubstr("(set)")) << command;
  }
}

TEST_F(AlertsContract, AnAlertOfALiveSessionFiresIsDeliveredAndRemembered) {
  const std::string demo = fmt::format(
      "{} demo --duration 8 --slow-after 1 -q >/dev/null 2>&1 & sleep 1.5; ", PSCOPE_BINARY);
  const std::string watch = fmt::format(
      "alerts --json --deliver --seconds 4 --set alert.log={0}/log --set 'alert.rules=busy: "
      "count(all_reduce) > 10 for 0s'",
      dir_);
  FILE* pipe =
      popen(fmt::format("{} {} {} 2>{}/err; wait", demo, PSCOPE_BINARY, watch, dir_).c_str(), "r");
  std::string out;
  char buffer[4096];
  for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    out.append(buffer, got);
  EXPECT_EQ(pclose(pipe), 0) << read_file(dir_ + "/err");
  std::vector<json> firing;
  for (std::size_t at = 0, end; (end = out.find('\n', at)) != std::string::npos; at = end + 1) {
    json alert = json::parse(out.substr(at, end - at));
    if (alert["state"] == "firing") firing.push_back(std::move(alert));
  }
  ASSERT_FALSE(firing.empty()) << out;
  const auto busy =
      std::find_if(firing.begin(), firing.end(), [](const json& a) { return a["rule"] == "busy"; });
  ASSERT_NE(busy, firing.end()) << out;
  EXPECT_GT((*busy)["value"].get<double>(), 10);
  EXPECT_THAT(read_file(dir_ + "/log"),
              HasSubstr(" firing warning busy: all_reduce: count (last 10 s) is "));
  const Ran past = run("alerts --history --json");
  ASSERT_EQ(past.status, 0) << past.err;
  EXPECT_THAT(past.out, HasSubstr((*busy)["id"].get<std::string>()));
}

}  // namespace
}  // namespace peerscope
