// What scripts rely on: names in the JSON, exit statuses, and that the commands do what they say.
// Runs the real binary.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/host/host.hpp"
#include "peerscope/peerscope.h"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Ran {
  int status = 0;
  std::string out, err;
};

class Contract : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fmt::format("/dev/shm/peerscope-test-{}", getpid());
    std::filesystem::remove_all(dir_);
    setenv("PEERSCOPE_RUNTIME_DIR", dir_.c_str(), 1);
    unsetenv("PEERSCOPE_SESSION");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  Ran run(const std::string& arguments) const {
    const std::string err_path = dir_ + ".err";
    const std::string line = fmt::format("{} {} 2>{}", PSCOPE_BINARY, arguments, err_path);
    Ran ran;
    FILE* pipe = popen(line.c_str(), "r");
    char buffer[4096];
    for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      ran.out.append(buffer, got);
    const int status = pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    FILE* err = fopen(err_path.c_str(), "r");
    for (std::size_t got = 0; err != nullptr && (got = fread(buffer, 1, sizeof buffer, err)) > 0;)
      ran.err.append(buffer, got);
    if (err != nullptr) fclose(err);
    std::filesystem::remove(err_path);
    return ran;
  }

  std::string dir_;
};

// Sanitizers slow the ranks down until the machine's noise drowns what the demo shows.
constexpr bool kSanitized =
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    true;
#else
    false;
#endif

TEST_F(Contract, DemoNamesTheSlowRankWithinThreeSeconds) {
  const Ran ran = run("demo --ranks 3 --slow-rank 1 --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json out = json::parse(ran.out);
  EXPECT_GT(out["totals"]["operations"].get<int>(), 100);
  EXPECT_EQ(out["lost"], 0);
  if (kSanitized) GTEST_SKIP() << "under a sanitizer all ranks are slow";
  ASSERT_FALSE(out["findings"].empty());
  const json& finding = out["findings"][0];
  EXPECT_EQ(finding["kind"], "straggler");
  EXPECT_EQ(finding["subject"]["rank"], 1);
  EXPECT_LE(out["first_finding_s"].get<double>(), 3.0);
  EXPECT_THAT(finding["sentence"].get<std::string>(), HasSubstr("Rank 1 arrives"));
  EXPECT_GT(finding["confidence"].get<double>(), 0.9);
  EXPECT_FALSE(finding["evidence"].empty());
  EXPECT_FALSE(finding["action"].get<std::string>().empty());
}

TEST_F(Contract, AHealthyDemoFindsNoStraggler) {
  const Ran ran = run("demo --slow-rank none --duration 2 --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json out = json::parse(ran.out);
  for (const json& finding : out["findings"]) {
    EXPECT_NE(finding["kind"], "straggler") << finding["sentence"];
  }
}

TEST_F(Contract, ReportAfterKillShowsTheOperationInFlight) {
  HostOptions options;
  options.name = "tp";
  options.id = 77;
  options.ranks = 2;
  options.timeout = std::chrono::seconds(60);
  const Result<HostWorld> world = HostWorld::create(options);
  ASSERT_TRUE(world);
  const pid_t rank0 = fork();
  if (rank0 == 0) {
    pscope_session* session = pscope_open(nullptr, nullptr);
    auto comm = world->open(0, session);
    float value = 1;
    (void)(*comm)->all_reduce({&value, 1, Dtype::f32}, &value,
                              ReduceOp::sum);  // rank 1 never comes
    _exit(0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  kill(rank0, SIGKILL);
  waitpid(rank0, nullptr, 0);
  const Ran ran = run("report --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json out = json::parse(ran.out);
  ASSERT_EQ(out["sessions"].size(), 1u);
  EXPECT_EQ(out["sessions"][0]["state"], "dead");
  ASSERT_EQ(out["sessions"][0]["in_flight"].size(), 1u);
  const json& entry = out["sessions"][0]["in_flight"][0];
  EXPECT_EQ(entry["operation"], "all_reduce");
  EXPECT_EQ(entry["rank"], 0);
  EXPECT_EQ(entry["communicator"], "tp");
  EXPECT_EQ(entry["pid"], rank0);
  EXPECT_THAT(entry["since"].get<std::string>(), HasSubstr("T"));
  EXPECT_THAT(run("report").out, HasSubstr("all_reduce"));
}

TEST_F(Contract, RunReportsOnAChildAndExitsWithItsStatus) {
  const Ran ran = run(fmt::format(
      "run --json -- {} bench all_reduce -b 1K -e 1K -n 50 --json | tail -n +1", PSCOPE_BINARY));
  EXPECT_THAT(ran.out, HasSubstr("\"sessions\""));
  EXPECT_THAT(ran.out, HasSubstr("\"all_reduce\""));
  EXPECT_EQ(run("run -- sh -c 'exit 7'").status, 7);
  EXPECT_EQ(run("run -- /no/such/program").status, 127);
  const Ran none = run("run");
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("what is to be run?"));
}

TEST_F(Contract, CollectiveBenchmarksPrintRightValues) {
  for (const char* kind : {"all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce",
                           "gather", "all_to_all", "sendrecv"}) {
    const Ran ran = run(fmt::format("bench {} -b 8 -e 4K -f 8 -n 3 -w 1 -g 3 --json", kind));
    ASSERT_EQ(ran.status, 0) << kind << ran.err;
    const json rows = json::parse(ran.out)["rows"];
    ASSERT_FALSE(rows.empty()) << kind;
    for (const json& row : rows) {
      EXPECT_EQ(row["wrong"], 0) << kind;
      EXPECT_GT(row["time_us"].get<double>(), 0.0);
      EXPECT_GT(row["algbw_gbs"].get<double>(), 0.0);
    }
  }
}

TEST_F(Contract, BenchRecordSaysWhatEachLevelCosts) {
  const Ran ran = run("bench record --rounds 3 --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json out = json::parse(ran.out);
  EXPECT_GT(out["two_clock_reads_ns"].get<double>(), 0.0);
  for (const char* level : {"off", "basic", "detailed", "comprehensive"})
    EXPECT_GT(out["pair_ns"][level].get<double>(), 0.0);
  EXPECT_GT(out["rate_one_thread"].get<double>(), 0.0);
  EXPECT_GT(out["rate_two_threads"].get<double>(), 0.0);
  if (kSanitized) return;
  EXPECT_LT(out["pair_ns"]["off"].get<double>(), out["pair_ns"]["basic"].get<double>());
  EXPECT_LT(out["pair_ns"]["basic"].get<double>(), out["pair_ns"]["detailed"].get<double>());
  EXPECT_LT(out["pair_ns"]["detailed"].get<double>(),
            out["pair_ns"]["comprehensive"].get<double>());
}

TEST_F(Contract, LossIsCountedToTheLastRecord) {
  EXPECT_EQ(run("bench delivery --threads 2 --seconds 1 --json").status, 0);
  const Ran paced = run("bench delivery --threads 1 --rate 50000 --seconds 1 --json");
  EXPECT_EQ(paced.status, 0) << paced.out;
  EXPECT_EQ(json::parse(paced.out)["lost"], 0);
}

TEST_F(Contract, LooksAtALiveSession) {
  std::thread demo([this] { run("demo --duration 3 --slow-rank none --json"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  const Ran top = run("top --once --json");
  const Ran sessions = run("sessions --json");
  const Ran level = run("level basic --json");
  const Ran after = run("top --once --json");
  demo.join();
  EXPECT_EQ(json::parse(level.out)["processes"], 4);
  EXPECT_EQ(json::parse(after.out)["sessions"][0]["processes"][0]["level"], "basic");
  ASSERT_EQ(top.status, 0) << top.err;
  const json out = json::parse(top.out);
  EXPECT_EQ(out["sessions"][0]["state"], "live");
  EXPECT_EQ(out["sessions"][0]["processes"].size(), 4u);
  EXPECT_FALSE(out["operations"].empty());
  EXPECT_EQ(json::parse(sessions.out)["sessions"][0]["state"], "live");
  EXPECT_EQ(json::parse(run("report --json").out)["sessions"][0]["state"], "ended");
  EXPECT_EQ(run("sessions --prune").status, 0);
  EXPECT_TRUE(json::parse(run("sessions --json").out)["sessions"].empty());
}

TEST_F(Contract, BadInputIsOneSentenceAndStatusTwo) {
  for (const char* arguments :
       {"dance", "bench dance", "demo --ranks 65", "demo --ranks 3 --slow-rank 3",
        "demo --slow-rank x", "demo --level loud", "bench all_reduce -b 1X",
        "bench all_reduce -b 2K -e 1K", "bench all_reduce -a zigzag", "report nosuch", "report",
        "level", "level loud", "top --once", "demo extra", "bench overhead -b 8 -e 4"}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_FALSE(ran.err.empty()) << arguments;
    EXPECT_TRUE(ran.out.empty()) << arguments << ran.out;
  }
  EXPECT_EQ(run("").status, 2);
}

TEST_F(Contract, EveryCommandExplainsItself) {
  EXPECT_THAT(run("--version").out, HasSubstr("peerscope "));
  const Ran all = run("--help");
  EXPECT_EQ(all.status, 0);
  for (const char* command :
       {"demo", "run", "top", "report", "sessions", "level", "bench record", "bench delivery",
        "bench overhead", "bench all_reduce", "bench sendrecv"}) {
    EXPECT_THAT(all.out, HasSubstr(command));
    const Ran ran = run(fmt::format("{} --help", command));
    EXPECT_EQ(ran.status, 0) << command;
    EXPECT_THAT(ran.out, HasSubstr("Examples:"));
    EXPECT_THAT(ran.out, HasSubstr("Exit status:"));
    EXPECT_THAT(ran.out, HasSubstr("--json"));
  }
}

}  // namespace
}  // namespace peerscope
