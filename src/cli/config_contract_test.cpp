// What people and scripts rely on of the configuration. Runs the real binary in a directory, with a
// home and a runtime directory of its own.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "peerscope/peerscope.h"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Ran {
  int status = 0;
  std::string out, err;
};

std::string text_of(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

class ConfigContract : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fmt::format("/dev/shm/peerscope-config-{}", getpid());
    std::filesystem::remove_all(dir_);
    for (const char* name : {"", "/work", "/home", "/run"})
      std::filesystem::create_directory(dir_ + name);
    std::filesystem::permissions(dir_ + "/run", std::filesystem::perms(0700));
    setenv("PEERSCOPE_RUNTIME_DIR", (dir_ + "/run").c_str(), 1);
    setenv("XDG_CONFIG_HOME", (dir_ + "/home").c_str(), 1);
    unsetenv("PEERSCOPE_SESSION");
    std::filesystem::current_path(dir_ + "/work");
  }
  void TearDown() override {
    std::filesystem::current_path("/");
    std::filesystem::remove_all(dir_);
    unsetenv("XDG_CONFIG_HOME");
  }

  Ran run(const std::string& arguments, const std::string& environment = "") const {
    const std::string line =
        fmt::format("{} {} {} 2>{}/err", environment, PSCOPE_BINARY, arguments, dir_);
    Ran ran;
    FILE* pipe = popen(line.c_str(), "r");
    char buffer[4096];
    for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      ran.out.append(buffer, got);
    const int status = pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ran.err = text_of(dir_ + "/err");
    return ran;
  }
  void local(const std::string& text) const {
    std::ofstream(dir_ + "/work/peerscope.toml") << text;
  }

  std::string dir_;
};

TEST_F(ConfigContract, WhatIsWrongEndsEveryCommandWithOneSentenceAndStatusTwo) {
  local("[monitor]\nlevl = \"basic\"\n");
  for (const char* command : {"demo", "run -- true", "top", "report", "sessions", "level basic",
                              "bench all_reduce", "bench record", "config show",
                              "config get monitor.level", "config diff", "config validate"}) {
    const Ran ran = run(command);
    EXPECT_EQ(ran.status, 2) << command;
    EXPECT_TRUE(ran.out.empty()) << command << ran.out;
    EXPECT_THAT(ran.err, HasSubstr("./peerscope.toml:2: unknown key 'monitor.levl'; did you mean "
                                   "'monitor.level'?\n"))
        << command;
  }
  for (const char* command : {"config default", "config schema", "demo --help"})
    EXPECT_EQ(run(command).status, 0) << command;
}

TEST_F(ConfigContract, EachKindOfBadInputSaysWhatIsWrong) {
  const auto says = [&](const char* arguments, const char* environment, const char* sentence) {
    const Ran ran = run(fmt::format("config show {}", arguments), environment);
    EXPECT_EQ(ran.status, 2) << arguments << environment;
    EXPECT_EQ(ran.err, fmt::format("peerscope config show: {}\n", sentence));
  };
  says("--set monitor.level=loud", "",
       "--set: monitor.level is 'loud'; write off, basic, detailed or comprehensive");
  says("--set monitor.level", "",
       "--set monitor.level: write section.key=value, such as --set monitor.level=basic");
  says("--set dashboard.port=65536", "",
       "--set: dashboard.port is '65536'; it must lie between 0 and 65535");
  says("--config none.toml", "", "cannot read none.toml: No such file or directory");
  says("", "PEERSCOPE_TRACE__MAX_BITES=1",
       "PEERSCOPE_TRACE__MAX_BITES: peerscope knows no such variable; did you mean "
       "'PEERSCOPE_TRACE__MAX_BYTES'?");
  says("", "P2P_DASHBOARD_PORT=high",
       "P2P_DASHBOARD_PORT: dashboard.port is 'high'; write a whole number between 0 and 65535");
  local("monitor = [");
  EXPECT_THAT(run("config show").err, HasSubstr("./peerscope.toml:1:12: this is not TOML: "));
}

TEST_F(ConfigContract, LayersAndOrigins) {
  EXPECT_EQ(run("config set monitor.max_events 5").status, 0);  // the user's: there is no other
  EXPECT_EQ(text_of(dir_ + "/home/peerscope/config.toml"), "[monitor]\nmax_events = 5\n");
  local("# mine\n");
  EXPECT_EQ(run("config set monitor.max_pairs 9").status, 0);
  EXPECT_EQ(text_of("peerscope.toml"), "# mine\n\n[monitor]\nmax_pairs = 9\n");
  std::ofstream("more.toml") << "trace.compression = 3\n";
  const Ran ran = run("config show --json --config more.toml --set trace.dir=/x",
                      "P2P_MONITORING_LEVEL=basic PEERSCOPE_TRACE__MAX_BYTES=2G");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json all = json::parse(ran.out);
  EXPECT_EQ(all["monitor.max_events"]["origin"], dir_ + "/home/peerscope/config.toml:2");
  EXPECT_EQ(all["monitor.max_pairs"]["origin"], "./peerscope.toml:4");
  EXPECT_EQ(all["trace.compression"]["origin"], "more.toml:1");
  EXPECT_EQ(all["monitor.level"]["origin"], "P2P_MONITORING_LEVEL");
  EXPECT_EQ(all["trace.max_bytes"]["origin"], "PEERSCOPE_TRACE__MAX_BYTES");
  EXPECT_EQ(all["trace.max_bytes"]["value"], 2LL << 30);
  EXPECT_EQ(all["trace.max_bytes"]["written"], "\"2 GiB\"");
  EXPECT_EQ(all["trace.dir"]["origin"], "--set");
  EXPECT_EQ(all["session.keep"]["origin"], "built-in");
  EXPECT_EQ(run("config get session.keep").out, "10 min\n");
  EXPECT_EQ(run("config diff --config more.toml", "env -u PEERSCOPE_RUNTIME_DIR").out,
            "monitor.max_pairs: 1024 -> 9  # ./peerscope.toml:4\n"
            "monitor.max_events: 256 -> 5  # " +
                dir_ +
                "/home/peerscope/config.toml:2\n"
                "trace.compression: 1 -> 3  # more.toml:1\n");
}

TEST_F(ConfigContract, AFileThatWouldBeWrongIsNotReplaced) {
  local("[dashboard]\nport = 80 # mine\n");
  const Ran ran = run("config set dashboard.port 70000");
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.err,
            "peerscope config set: dashboard.port is '70000'; it must lie between 0 and 65535\n");
  EXPECT_EQ(text_of("peerscope.toml"), "[dashboard]\nport = 80 # mine\n");
  EXPECT_EQ(run("config set dashboard.port 81").status, 0);
  EXPECT_EQ(text_of("peerscope.toml"), "[dashboard]\nport = 81 # mine\n");
  const Ran hidden = run("config set dashboard.port 82", "P2P_DASHBOARD_PORT=90");
  EXPECT_EQ(hidden.status, 0);
  EXPECT_THAT(hidden.err, HasSubstr("not in force here: P2P_DASHBOARD_PORT says 90"));
}

TEST_F(ConfigContract, TheDefaultIsValidAndCommandsExplainThemselves) {
  std::ofstream("d.toml") << run("config default").out;
  EXPECT_EQ(run("config validate d.toml").status, 0);
  EXPECT_EQ(run("config diff d.toml", "env -u PEERSCOPE_RUNTIME_DIR").out, "");
  EXPECT_EQ(json::parse(run("config schema").out)["type"], "object");
  EXPECT_EQ(json::parse(run("config validate --json --set a.b=1").out)["valid"], false);
  EXPECT_EQ(run("config").status, 2);
  EXPECT_EQ(run("config --help").status, 0);
  EXPECT_EQ(run("config dance").status, 2);
  for (const char* command : {"show", "get", "set", "validate", "diff", "default", "schema"}) {
    const Ran ran = run(fmt::format("config {} --help", command));
    EXPECT_EQ(ran.status, 0) << command;
    EXPECT_THAT(ran.out, HasSubstr("Examples:"));
    EXPECT_THAT(ran.out, HasSubstr("--json"));
    EXPECT_THAT(ran.out, HasSubstr("--set KEY=VALUE"));
  }
  for (const char* bad :
       {"config get", "config get monitor.levl", "config set", "config set monitor.level",
        "config set monitor.level basic --live --file x", "config set monitor.level basic x",
        "config set trace.dir x --live", "config set filter.min_bytes 1 --live"}) {
    EXPECT_EQ(run(bad).status, 2) << bad;
  }
}

TEST_F(ConfigContract, RunPassesOnLevelFilterAndRecorderSettings) {
  const std::string sweep =
      fmt::format("{} bench all_reduce -b 1K -e 1K -n 300 -g 2", PSCOPE_BINARY);
  const Ran ran = run(fmt::format(
      "run --json --set monitor.level=basic --set record.clock=monotonic "
      "--set record.segment_bytes=32M --set profile.dir={0}/p --set debug.dir={0}/d "
      "--set dashboard.enabled=true --set dashboard.port=0 -- sh -c "
      "'echo $PEERSCOPE_LEVEL $PEERSCOPE_CLOCK $PEERSCOPE_SEGMENT_BYTES >{0}/env; {1} >/dev/null'",
      dir_, sweep));
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(text_of(dir_ + "/env"), "basic monotonic 33554432\n");
  EXPECT_THAT(ran.err, HasSubstr("the dashboard is at http://127.0.0.1:"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_ + "/p"), {}), 1);
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/d"));  // nothing was wrong
  const Ran off =
      run("run --json --set monitor.enabled=false -- sh -c 'echo $PEERSCOPE_LEVEL >&2'");
  EXPECT_THAT(off.err, HasSubstr("off\n"));
}

// A process of this test that records sends of 1 KB until it is told to end.
class Sender {
 public:
  Sender() {
    child_ = fork();
    if (child_ != 0) return;
    pscope_session* session = pscope_open(nullptr, nullptr);
    for (;;) {
      pscope_op op{};
      op.kind = PSCOPE_KIND_SEND;
      op.bytes = 1024;
      op.sequence = PSCOPE_SEQUENCE_AUTO;
      op.peer = PSCOPE_NO_PEER;
      pscope_op_end(session, pscope_op_begin(session, &op), PSCOPE_STATUS_OK);
      usleep(500);
    }
  }
  ~Sender() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

 private:
  pid_t child_ = 0;
};

TEST_F(ConfigContract, ALiveChangeReachesARunningProcessAndIsLogged) {
  const Sender sender;
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto process = [&] {
    return json::parse(run("report --json").out)["sessions"][0]["processes"][0];
  };
  const auto recorded_in = [&](int milliseconds) {
    const auto before = process()["recorded"].get<std::int64_t>();
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    return process()["recorded"].get<std::int64_t>() - before;
  };
  EXPECT_GT(recorded_in(100), 0);
  const Ran ran = run("config set filter.min_bytes 2K --live --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(json::parse(ran.out)["processes"], 1);
  EXPECT_EQ(recorded_in(100), 0);
  EXPECT_EQ(run("config set filter.min_bytes 0 --live").status, 0);
  EXPECT_GT(recorded_in(100), 0);
  EXPECT_EQ(run("level off").status, 0);
  EXPECT_EQ(process()["level"], "off");
  EXPECT_EQ(recorded_in(100), 0);
  std::istringstream log(text_of(dir_ + "/run/changes.jsonl"));
  std::vector<json> lines;
  for (std::string line; std::getline(log, line);) lines.push_back(json::parse(line));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["key"], "filter.min_bytes");
  EXPECT_EQ(lines[0]["old"], "0");
  EXPECT_EQ(lines[0]["new"], "2048");
  EXPECT_EQ(lines[2]["new"], "off");
}

TEST_F(ConfigContract, TheLogOfChangesStaysSmall) {
  const Sender sender;
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::string log = dir_ + "/run/changes.jsonl";
  std::ofstream(log) << std::string((1 << 20) - 10, ' ') << '\n';
  EXPECT_EQ(run("level basic").status, 0);
  EXPECT_FALSE(std::filesystem::exists(log));
  EXPECT_NE(text_of(log + ".old").find("basic"), std::string::npos);
  EXPECT_EQ(run("level detailed").status, 0);
  EXPECT_LT(std::filesystem::file_size(log), 1000u);
}

}  // namespace
}  // namespace peerscope
