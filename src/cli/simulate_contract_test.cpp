// `peerscope simulate` from the outside: what scripts rely on.
#include <cstdlib>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ran_for_test.hpp"

namespace peerscope {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

class SimulateContract : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fmt::format("/dev/shm/peerscope-simulate-{}", getpid());
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    setenv("PEERSCOPE_RUNTIME_DIR", dir_.c_str(), 1);
    unsetenv("PEERSCOPE_SESSION");
  }
  void TearDown() override { fs::remove_all(dir_); }

  [[nodiscard]] std::string file(const std::string& name) const { return dir_ + "/" + name; }
  Ran peerscope(const std::string& arguments) const {
    const std::string line = fmt::format("cd {} && {} {} >{}.out 2>{}.err </dev/null", dir_,
                                         PSCOPE_BINARY, arguments, file("run"), file("run"));
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            read_file(file("run.out")), read_file(file("run.err"))};
  }

  std::string dir_;
};

TEST_F(SimulateContract, WritesTraceAndTruthAndTheReportFindsIt) {
  const Ran ran = peerscope(
      "simulate --fault slow_rank:rank=3,late_us=300,begin=1 --seconds 3 -o a.pscope --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json out = ran.parsed();
  EXPECT_EQ(out["faults"][0]["fault"], "slow_rank");
  EXPECT_EQ(out["faults"][0]["rank"], 3);
  EXPECT_EQ(json::parse(read_file(file("a.truth.json")))["faults"], out["faults"]);
  const Ran info = peerscope("info a.pscope --json");
  ASSERT_EQ(info.status, 0) << info.err;
  EXPECT_EQ(info.parsed()["operations"], out["operations"]);
  for (const char* how : {"", "--full"}) {
    const Ran report = peerscope(fmt::format("report a.pscope --json {}", how));
    ASSERT_EQ(report.status, 0) << report.err;
    bool found = false;
    const json findings = report.parsed()["findings"];
    for (const json& finding : findings)
      found = found || (finding["kind"] == "straggler" && finding["subject"]["rank"] == 3);
    EXPECT_TRUE(found) << how << findings.dump(2);
  }
}

TEST_F(SimulateContract, TheSameSeedGivesTheSameFile) {
  for (const char* name : {"a", "b"})
    ASSERT_EQ(peerscope(fmt::format("simulate -t nvlink4 --fault slow_link --operations 50000 "
                                    "--seed 9 -o {}.pscope",
                                    name))
                  .status,
              0);
  const Ran a = peerscope("export a.pscope --to csv -o a.csv");
  const Ran b = peerscope("export b.pscope --to csv -o b.csv");
  ASSERT_EQ(a.status + b.status, 0) << a.err << b.err;
  EXPECT_GT(read_file(file("a.csv")).size(), 1'000'000u);
  EXPECT_TRUE(read_file(file("a.csv")) == read_file(file("b.csv")));
}

TEST_F(SimulateContract, AMachineOfOnesOwnIsAFile) {
  std::ofstream(file("mine.json")) << R"({"name": "mine", "devices": ["a", "b", "c"],
    "switches": ["s"], "links": [{"a": "a", "b": "s", "gb_per_s": 100},
    {"a": "b", "b": "s", "gb_per_s": 100}, {"a": "c", "b": "s", "gb_per_s": 100}]})";
  const Ran ran = peerscope("simulate -t mine.json --operations 5000 -o m.pscope --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.parsed()["ranks"], 3);
  EXPECT_EQ(ran.parsed()["operations"], 5000);
}

TEST_F(SimulateContract, SaysInOneSentenceWhatIsWrong) {
  const struct {
    const char* arguments;
    const char* says;
  } cases[] = {{"-t nowhere", "nvswitch8"},
               {"--fault slow", "slow_rank"},
               {"--fault slow_rank:rank=8", "ranks 0 to 7"},
               {"--fault slow_rank:late=1", "late_us"},
               {"--fault slow_link:link=x", "--list"},
               {"-t rails16x8 --ranks 12", "multiple"},
               {"-o /nowhere/x.pscope", "/nowhere"}};
  for (const auto& it : cases) {
    const Ran ran = peerscope(fmt::format("simulate {}", it.arguments));
    EXPECT_EQ(ran.status, 2) << it.arguments;
    EXPECT_THAT(ran.err, HasSubstr(it.says)) << it.arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.out, "") << it.arguments;
  }
}

TEST_F(SimulateContract, ListsWhatThereIs) {
  const json list = peerscope("simulate --list --json").parsed();
  EXPECT_GE(list["topologies"].size(), 4u);
  EXPECT_GE(list["faults"].size(), 12u);
}

TEST_F(SimulateContract, RecordsInRealTimeForWhoeverAttaches) {
  const Ran ran = peerscope(
      "simulate --record -t nvlink4 --seconds 1.5 "
      "--fault lost_rank:rank=2,when=before,begin=0.5 --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.parsed()["hangs"], true);
  const Ran report = peerscope("report --json");
  ASSERT_EQ(report.status, 0) << report.err;
  const json snapshot = report.parsed();
  // Those three ranks' recorders have begun one more each.
  EXPECT_EQ(snapshot["totals"]["operations"], ran.parsed()["operations"].get<int>() + 3);
  EXPECT_EQ(snapshot["in_flight"].size(), 3u);
}

TEST_F(SimulateContract, TheSuiteGivesTheKeysThatScriptsRead) {
  const Ran ran = peerscope("simulate --suite --rounds 1 --seed 5 --json");
  EXPECT_LE(ran.status, 1) << ran.err;
  const json out = ran.parsed();
  EXPECT_EQ(out["cases"], 72);
  for (const char* key : {"precision", "recall", "localisation", "hang_delay_s"})
    EXPECT_TRUE(out[key].is_number()) << key;
  EXPECT_EQ(out["per_fault"].size(), 13u);
  for (const json& one : out["per_fault"]) {
    for (const char* key : {"fault", "cases", "precision", "recall", "localisation"})
      EXPECT_TRUE(one.contains(key)) << key;
  }
  EXPECT_EQ(ran.status == 0, out["missed_goals"].empty());
}

}  // namespace
}  // namespace peerscope
