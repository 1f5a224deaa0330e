// Layers, origins, and every kind of bad input with what is said about it.
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.hpp"

namespace peerscope {
namespace {

class Layers : public testing::Test {
 protected:
  Layers() {
    char dir[] = "/tmp/peerscope-config-XXXXXX";
    root_ = mkdtemp(dir);
    sources_.etc = root_ + "/etc";
    sources_.config_home = root_ + "/home";
    sources_.cwd = root_ + "/cwd";
  }
  ~Layers() override { std::filesystem::remove_all(root_); }

  static void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
  }
  void local(const std::string& text) const { put(local_file(sources_), text); }
  Config loaded() const {
    const Result<Config> config = load(sources_);
    EXPECT_TRUE(config) << (config ? "" : config.error().message);
    return config ? *config : Config();
  }
  // What is wrong, without the directory of this test.
  std::string error() const {
    const Result<Config> config = load(sources_);
    if (config) return "nothing";
    std::string message = config.error().message;
    for (std::size_t at = 0; (at = message.find(root_)) != std::string::npos;)
      message.erase(at, root_.size());
    return message;
  }
  std::string error(const std::string& text) const {
    local(text);
    return error();
  }
  std::string error_of_set(const std::string& key, const std::string& value) {
    sources_.overrides = {{key, value, "--set"}};
    return error();
  }

  std::string root_;
  Sources sources_;
};

TEST_F(Layers, WithoutAnyAllIsBuiltIn) {
  const Config config = loaded();
  for (const KeySpec& key : schema()) EXPECT_TRUE(config.is_built_in(key.name)) << key.name;
  EXPECT_EQ(config.text("monitor.level"), "detailed");
  EXPECT_EQ(config.duration_ns("session.keep"), 600'000'000'000);
  EXPECT_EQ(config.bytes("record.segment_bytes"), 64u << 20);
  EXPECT_DOUBLE_EQ(config.share("overhead.budget"), 0.01);
  EXPECT_EQ(config.integer("dashboard.port"), 8080);
  EXPECT_TRUE(config.list("filter.operations").empty());
}

TEST_F(Layers, TheLaterOneWinsAndEachValueKnowsWhereItComesFrom) {
  const auto check = [&](const char* value, const std::string& origin) {
    const Config config = loaded();
    EXPECT_EQ(config.written("monitor.max_events"), value);
    EXPECT_EQ(config.origin("monitor.max_events"), origin);
  };
  put(system_file(sources_), "# for all\n[monitor]\nmax_events = 1\nmax_pairs = 77\n");
  check("1", root_ + "/etc/peerscope/config.toml:3");
  put(user_file(sources_), "monitor.max_events = 2\n");
  check("2", root_ + "/home/peerscope/config.toml:1");
  local("monitor = { max_events = 3 }\n");
  check("3", root_ + "/cwd/peerscope.toml:1");
  put(root_ + "/more.toml", "\n[monitor]\nmax_events = 4\n");
  sources_.files = {root_ + "/more.toml"};
  check("4", root_ + "/more.toml:3");
  sources_.environment = {"HOME=/", "PEERSCOPE_MONITOR__MAX_EVENTS=5"};
  check("5", "PEERSCOPE_MONITOR__MAX_EVENTS");
  sources_.overrides = {{"monitor.max_events", "6", "--set"}, {"monitor.max_events", "7", "--set"}};
  check("7", "--set");
  EXPECT_EQ(loaded().integer("monitor.max_pairs"), 77);  // the others still count
  const Result<Config> changed = loaded().with({"monitor.max_events", "8", "run time"});
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->integer("monitor.max_events"), 8);
  EXPECT_EQ(changed->origin("monitor.max_events"), "run time");
}

TEST_F(Layers, TheTwelveOldNamesAreAccepted) {
  sources_.environment = {
      "P2P_ENABLE_MONITORING=false",      "P2P_MONITORING_LEVEL=basic",
      "P2P_MONITORING_OUTPUT_DIR=/a",     "P2P_ENABLE_PROFILING=False",
      "P2P_PROFILING_LEVEL=detailed",     "P2P_PROFILING_OUTPUT_DIR=/b",
      "P2P_ENABLE_DEBUGGING=0",           "P2P_DEBUG_LEVEL=verbose",
      "P2P_DEBUG_OUTPUT_DIR=/c",          "P2P_ENABLE_DASHBOARD=true",
      "P2P_DASHBOARD_HOST=0.0.0.0",       "P2P_DASHBOARD_PORT=9090",
      "P2P_SOMETHING_OF_SOMEBODY_ELSE=1",
  };
  const Config config = loaded();
  EXPECT_FALSE(config.boolean("monitor.enabled"));
  EXPECT_EQ(config.text("monitor.level"), "basic");
  EXPECT_EQ(config.text("trace.dir"), "/a");
  EXPECT_FALSE(config.boolean("profile.enabled"));
  EXPECT_EQ(config.text("profile.level"), "detailed");
  EXPECT_EQ(config.text("profile.dir"), "/b");
  EXPECT_FALSE(config.boolean("debug.enabled"));
  EXPECT_EQ(config.text("debug.level"), "verbose");
  EXPECT_EQ(config.text("debug.dir"), "/c");
  EXPECT_TRUE(config.boolean("dashboard.enabled"));
  EXPECT_EQ(config.text("dashboard.host"), "0.0.0.0");
  EXPECT_EQ(config.integer("dashboard.port"), 9090);
  EXPECT_EQ(config.origin("monitor.level"), "P2P_MONITORING_LEVEL");
}

TEST_F(Layers, OurOwnNameWinsOverAnAliasInAnyOrder) {
  sources_.environment = {"P2P_MONITORING_LEVEL=basic", "PEERSCOPE_MONITOR__LEVEL=off",
                          "PEERSCOPE_LEVEL=comprehensive"};
  EXPECT_EQ(loaded().text("monitor.level"), "off");
  sources_.environment = {"P2P_MONITORING_LEVEL=basic", "PEERSCOPE_LEVEL=comprehensive"};
  EXPECT_EQ(loaded().origin("monitor.level"), "PEERSCOPE_LEVEL");
  sources_.environment = {"P2P_MONITORING_LEVEL=basic", "PEERSCOPE_LEVEL="};
  EXPECT_EQ(loaded().origin("monitor.level"), "P2P_MONITORING_LEVEL");  // empty: not set
}

TEST_F(Layers, NamesOfJobsAndTestsAreKnown) {
  sources_.environment = {"PEERSCOPE_SESSION=run-1", "PEERSCOPE_FUZZ_SECONDS=3",
                          "PEERSCOPE_RUNTIME_DIR=/dev/shm/x", "PEERSCOPE_SEGMENT_BYTES=64M",
                          "PEERSCOPE_CLOCK=monotonic"};
  const Config config = loaded();
  EXPECT_EQ(config.text("record.runtime_dir"), "/dev/shm/x");
  EXPECT_EQ(config.bytes("record.segment_bytes"), 64u << 20);
  EXPECT_EQ(config.text("record.clock"), "monotonic");
}

TEST_F(Layers, AnUnknownKeyIsRefusedAndTheNearestNamed) {
  EXPECT_EQ(error("[monitor]\nlevl = \"basic\"\n"),
            "/cwd/peerscope.toml:2: unknown key 'monitor.levl'; did you mean 'monitor.level'?");
  EXPECT_EQ(error("[moniter]\nlevel = \"basic\"\n"),
            "/cwd/peerscope.toml:1: unknown section 'moniter'; did you mean 'monitor'?");
  EXPECT_EQ(error("[somebody_else]\n"), "/cwd/peerscope.toml:1: unknown section 'somebody_else'");
  local("");
  EXPECT_EQ(error_of_set("filter.min_byte", "1"),
            "--set: unknown key 'filter.min_byte'; did you mean 'filter.min_bytes'?");
}

TEST_F(Layers, AnUnknownNameInTheEnvironmentIsRefused) {
  sources_.environment = {"PEERSCOPE_TRACE__MAX_BITES=1"};
  EXPECT_EQ(error(),
            "PEERSCOPE_TRACE__MAX_BITES: peerscope knows no such variable; did you mean "
            "'PEERSCOPE_TRACE__MAX_BYTES'?");
  sources_.environment = {"PEERSCOPE_LEVL=basic"};
  EXPECT_EQ(error(),
            "PEERSCOPE_LEVL: peerscope knows no such variable; did you mean 'PEERSCOPE_LEVEL'?");
  sources_.environment = {"PEERSCOPE_MONITOR__LEVEL=loud"};
  EXPECT_EQ(error(),
            "PEERSCOPE_MONITOR__LEVEL: monitor.level is 'loud'; write off, basic, detailed or "
            "comprehensive");
}

TEST_F(Layers, AWrongTypeIsRefusedAndTheRightOneNamed) {
  const auto says = [&](const char* toml, const std::string& sentence) {
    EXPECT_EQ(error(toml), "/cwd/peerscope.toml:1: " + sentence);
  };
  says("monitor.level = 3", "monitor.level is 3; write off, basic, detailed or comprehensive");
  says("monitor.enabled = \"yes\"", "monitor.enabled is 'yes'; write true or false");
  says("monitor.interval = true",
       "monitor.interval is true; write a duration such as \"10 s\" (a plain number counts s)");
  says("monitor.interval = \"5 m\"",
       "monitor.interval is '5 m'; write a duration such as \"10 s\" (a plain number counts s)");
  says("trace.max_bytes = \"many\"",
       "trace.max_bytes is 'many'; write a size such as \"64 MiB\" (a plain number counts bytes)");
  says("dashboard.port = \"8080\"",
       "dashboard.port is '8080'; write a whole number between 0 and 65535");
  says("dashboard.port = 80.5", "dashboard.port is 80.5; write a whole number between 0 and 65535");
  says("overhead.budget = 0.01",
       "overhead.budget is 0.01; write a percentage with its sign, such as \"1 %\"");
  says("filter.operations = \"all_reduce\"",
       "filter.operations is 'all_reduce'; write a list of text");
  says("filter.communicators = [1.5]",
       "filter.communicators is a list of something else than text; write a list of text");
  says("trace.dir = 1979-05-27", "trace.dir is a date or time; write text");
  says("[monitor.level]", "monitor.level is a table; write off, basic, detailed or comprehensive");
  says("detect.pair_max_ratio = \"much\"",
       "detect.pair_max_ratio is 'much'; write a number between 0 and 1");
}

TEST_F(Layers, WhatIsOutOfRangeIsRefusedWithTheRange) {
  const auto says = [&](const char* toml, const std::string& sentence) {
    EXPECT_EQ(error(toml), "/cwd/peerscope.toml:1: " + sentence);
  };
  says("dashboard.port = 70000", "dashboard.port is 70000; it must lie between 0 and 65535");
  says("monitor.max_cells = 3", "monitor.max_cells is 3; it must lie between 16 and 65000 rows");
  says("monitor.interval = 0.01", "monitor.interval is 0.01; it must lie between 50 ms and 1 h");
  says("monitor.interval = \"2 h\"",
       "monitor.interval is '2 h'; it must lie between 50 ms and 1 h");
  says("record.segment_bytes = \"1K\"",
       "record.segment_bytes is '1K'; it must lie between 1 MiB and 16 GiB");
  says("overhead.budget = \"101 %\"",
       "overhead.budget is '101 %'; it must lie between 0 % and 100 %");
  says("session.keep = -1", "session.keep is -1; it must lie between 0 and 365 d");
  says("detect.pair_min_samples = 0",
       "detect.pair_min_samples is 0; it must be at least 1 operations");
  says("trace.compression = 10", "trace.compression is 10; it must lie between 1 and 9");
  says("filter.devices = [64]", "filter.devices has '64'; write whole numbers between 0 and 63");
  says("filter.operations = [\"all_reduced\"]",
       "filter.operations has 'all_reduced'; did you mean 'all_reduce'?");
  says("filter.operations = [\"dance\"]",
       "filter.operations has 'dance'; there are: other, send, recv, copy, broadcast, reduce, "
       "all_reduce, all_gather, reduce_scatter, gather, scatter, "
       "all_to_all, barrier, put, get, signal, compute");
}

TEST_F(Layers, ValuesHaveToFitEachOther) {
  EXPECT_EQ(error("[filter]\nmin_bytes = \"2 MiB\"\nmax_bytes = \"1 MiB\"\n"),
            "filter.min_bytes is \"2 MiB\" (/cwd/peerscope.toml:2) and filter.max_bytes \"1 MiB\" "
            "(/cwd/peerscope.toml:3): nothing could pass");
  EXPECT_EQ(error("[filter]\noperations = [\"send\"]\nexclude_operations = [\"send\", \"recv\"]\n"),
            "filter.operations (/cwd/peerscope.toml:2) and filter.exclude_operations "
            "(/cwd/peerscope.toml:3) together let nothing pass");
  EXPECT_EQ(error("filter.communicators = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]"),
            "/cwd/peerscope.toml:1: filter.communicators names 9; at most 8 can be filtered by");
}

TEST_F(Layers, WhatIsNoTomlIsRefusedWithLineAndColumn) {
  EXPECT_THAT(error("[monitor]\nlevel = \"basic\n"),
              testing::StartsWith("/cwd/peerscope.toml:2:15: this is not TOML: "));
  EXPECT_THAT(error("[)"), testing::StartsWith("/cwd/peerscope.toml:1:2: this is not TOML: "));
  EXPECT_THAT(error("é = 1"), testing::StartsWith("/cwd/peerscope.toml:1:1: this is not TOML: "));
  EXPECT_THAT(error("a é"), testing::StartsWith("/cwd/peerscope.toml:1:3: this is not TOML: "));
  EXPECT_THAT(error("a = 1\na = 2\n"), testing::StartsWith("/cwd/peerscope.toml:2:"));
}

TEST_F(Layers, AFileThatCannotBeReadIsRefused) {
  sources_.files = {root_ + "/none.toml"};
  EXPECT_EQ(error(), "cannot read /none.toml: No such file or directory");
  sources_.files = {root_};
  EXPECT_EQ(error(), "cannot read : Is a directory");
  sources_.files = {"/dev/zero"};
  EXPECT_EQ(error(), "/dev/zero: larger than 1 MiB: this is no configuration");
  sources_.files.clear();
  local("");
  chmod(local_file(sources_).c_str(), 0);
  if (geteuid() == 0) return;  // who may read everything
  EXPECT_EQ(error(), "cannot read /cwd/peerscope.toml: Permission denied");
}

TEST_F(Layers, NothingIsHalfApplied) {
  local("[monitor]\nmax_events = 9\nmax_pairs = \"many\"\n");
  const Result<Config> broken = load(sources_);
  ASSERT_FALSE(broken);  // no Config at all: nothing of the good line
  const Config before = Config();
  const Result<Config> changed = before.with({"filter.operations", "dance", "run time"});
  ASSERT_FALSE(changed);
  EXPECT_TRUE(before.is_built_in("filter.operations"));
}

TEST_F(Layers, AListIsNotSplitInQuotesAndRulesNotInParentheses) {
  using testing::ElementsAre;
  const auto as = [&](const char* key, const char* value) {
    const Result<Config> config = Config().with({key, value, "--set"});
    return config ? config->list(key) : std::vector<std::string>{config.error().message};
  };
  EXPECT_THAT(as("alert.command", "a, \"b, c\" ,d"), ElementsAre("a", "\"b, c\"", "d"));
  EXPECT_THAT(as("alert.command", "a\",b"), ElementsAre("a\"", "b"));  // never closed
  EXPECT_THAT(as("alert.command", "a(b,c),d"), ElementsAre("a(b", "c)", "d"));
  EXPECT_THAT(as("alert.rules", "p99(all_reduce, device) > 1ms, metric(\"a,(b\") > 1"),
              ElementsAre("p99(all_reduce, device) > 1ms", "metric(\"a,(b\") > 1"));
  EXPECT_THAT(as("alert.rules", "a ( b, p99(x, y), c)"), ElementsAre("a ( b, p99(x, y), c)"));
  EXPECT_THAT(as("alert.rules", "a ( b, p99(x, y)"), ElementsAre("a ( b, p99(x, y)"));
}

TEST_F(Layers, TextValuesAreReadByTheKeysType) {
  const auto as = [&](const char* key, const char* value) {
    const Result<Config> config = Config().with({key, value, "--set"});
    return config ? config->written(key) : config.error().message;
  };
  EXPECT_EQ(as("monitor.interval", "250 ms"), "\"250 ms\"");
  EXPECT_EQ(as("monitor.interval", "0.25"), "\"250 ms\"");
  EXPECT_EQ(as("monitor.interval", "1.5min"), "\"90 s\"");
  EXPECT_EQ(as("monitor.publish_interval", "250"), "\"250 ms\"");
  EXPECT_EQ(as("detect.straggler_min_lateness", "5 µs"), "\"5 us\"");
  EXPECT_EQ(as("trace.max_age", "7d"), "\"7 d\"");
  EXPECT_EQ(as("trace.max_bytes", "2G"), "\"2 GiB\"");
  EXPECT_EQ(as("trace.max_bytes", "64 MiB"), "\"64 MiB\"");
  EXPECT_EQ(as("trace.max_bytes", "1000"), "1000");
  EXPECT_EQ(as("overhead.budget", "0.5%"), "\"0.5 %\"");
  EXPECT_EQ(as("filter.operations", "all_reduce, send"), "[\"all_reduce\", \"send\"]");
  EXPECT_EQ(as("filter.operations", "[\"all_reduce\"]"), "[\"all_reduce\"]");
  EXPECT_EQ(as("filter.devices", "0,3"), "[0, 3]");
  EXPECT_EQ(as("filter.devices", "[0, 3]"), "[0, 3]");
  EXPECT_EQ(as("alert.rules", "p99(all_reduce, device) > 1ms, finding hang"),
            "[\"p99(all_reduce, device) > 1ms\", \"finding hang\"]");
  EXPECT_EQ(as("alert.rules", "finding hang, p99(a,b"), "[\"finding hang\", \"p99(a,b\"]");
  EXPECT_EQ(as("filter.operations", ""), "[]");
  EXPECT_EQ(as("dashboard.enabled", "On"), "true");
  EXPECT_EQ(as("trace.dir", "a b"), "\"a b\"");
  EXPECT_EQ(as("trace.dir", "\"a b\""), "\"a b\"");
  EXPECT_EQ(as("monitor.max_events", "12x"),
            "--set: monitor.max_events is '12x'; write a whole number between 1 and 100000");
  EXPECT_EQ(as("overhead.budget", "1"),
            "--set: overhead.budget is '1'; write a percentage with its sign, such as \"1 %\"");
}

TEST(ConfigDeath, AKeyThatIsNotThereOrOfAnotherTypeIsAFault) {
  EXPECT_DEATH((void)Config().integer("monitor.levels"), "does not exist");
  EXPECT_DEATH((void)Config().integer("monitor.level"), "of another type");
  EXPECT_DEATH((void)Config().bytes("monitor.max_events"), "of another type");
}

}  // namespace
}  // namespace peerscope
