// `peerscope profile` from the outside: the real binary over real recordings, live and of the past.
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ran_for_test.hpp"
#include "comm/host/host.hpp"
#include "peerscope/peerscope.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class ProfileContract : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fmt::format("/dev/shm/peerscope-test-{}", getpid());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_ + "/files");
    setenv("PEERSCOPE_RUNTIME_DIR", dir_.c_str(), 1);
    unsetenv("PEERSCOPE_SESSION");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] std::string file(const std::string& name) const { return dir_ + "/files/" + name; }

  [[nodiscard]] Ran run(const std::string& arguments) const {
    const std::string line = fmt::format("{} {} >{}.out 2>{}.err </dev/null", PSCOPE_BINARY,
                                         arguments, file("run"), file("run"));
    const int status = std::system(line.c_str());
    Ran ran;
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ran.out = read_file(file("run") + ".out");
    ran.err = read_file(file("run") + ".err");
    return ran;
  }
  [[nodiscard]] json profile(const std::string& arguments) const {
    const Ran ran = run("profile " + arguments + " --json");
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_THAT(ran.out, Not(HasSubstr("nan")));
    return ran.status == 0 ? ran.parsed() : json::object();
  }
  [[nodiscard]] std::string refusal(const std::string& arguments) const {
    const Ran ran = run("profile " + arguments);
    EXPECT_EQ(ran.status, 2) << ran.out;
    EXPECT_THAT(ran.err, HasSubstr("peerscope profile"));
    return ran.err;
  }

  // Two ranks, threads of this process, that mark what they do: 30 large reductions, then 300 small ones.
  void work(const std::string& session_name) const {
    HostOptions host;
    host.name = "tp";
    host.id = 77;
    host.ranks = 2;
    const Result<HostWorld> world = HostWorld::create(host);
    ASSERT_TRUE(world);
    Session session({.name = "worker", .session = session_name, .runtime_dir = dir_});
    ASSERT_TRUE(session) << session.why();
    const auto rank_main = [&](int rank) {
      auto comm = world->open(rank, session.handle());
      ASSERT_TRUE(comm);
      std::vector<float> data(1 << 18, 1.0F);
      const auto reduce = [&](std::size_t count) {
        ASSERT_TRUE(
            (*comm)->all_reduce({data.data(), count, Dtype::f32}, data.data(), ReduceOp::avg));
      };
      const ScopedProfile all(session, "step", PSCOPE_SCOPE_THREAD);
      {
        const ScopedProfile scope(session, "prefill", PSCOPE_SCOPE_THREAD);
        for (int i = 0; i < 30; ++i) reduce(data.size());
      }
      const ScopedProfile scope(session, "decode", PSCOPE_SCOPE_THREAD);
      for (int i = 0; i < 300; ++i) reduce(1024);
    };
    std::thread other(rank_main, 1);
    rank_main(0);
    other.join();
    {
      const ScopedProfile empty(session, "empty");
    }
  }

  std::string dir_;
};

std::uint64_t operations(const json& report) { return report["totals"]["operations"]; }

TEST_F(ProfileContract, MarkedSessionsAreReportedFromRingsAndFromAFileAlike) {
  work("job");
  const Ran recorded = run("record job -o " + file("r.pscope"));
  ASSERT_EQ(recorded.status, 0) << recorded.err;
  for (const std::string& source : {std::string("job"), file("r.pscope")}) {
    const json list = profile(source + " --list");
    ASSERT_EQ(list["sessions"].size(), 4u) << source;
    EXPECT_EQ(list["sessions"][0]["name"], "decode");
    EXPECT_EQ(list["sessions"][0]["spans"], 2);
    EXPECT_EQ(list["sessions"][0]["open"], 0);
    const json decode = profile(source + " --name decode");
    EXPECT_EQ(operations(decode), 600u) << source;
    EXPECT_EQ(operations(profile(source + " --name prefill")), 60u) << source;
    EXPECT_EQ(operations(profile(source + " --name step")), 660u) << "they nest; " << source;
    const json& row = decode["operations"][0];
    EXPECT_EQ(row["operation"], "all_reduce");
    EXPECT_EQ(row["size_bytes"], 4096);
    EXPECT_EQ(row["count"], 600);
    for (const char* key : {"p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"})
      EXPECT_GT(row["host"][key], 0) << key;
    EXPECT_TRUE(row["device"].is_null());
    EXPECT_GT(row["busbw_gbs"], 0);
    EXPECT_GT(row["transfer_host"]["count"], 250);
    EXPECT_EQ(decode["patterns"]["overlap"]["exposed_share"], 1.0);
    EXPECT_EQ(decode["ranks"].size(), 2u);
  }
}

TEST_F(ProfileContract, UnknownAndEmptySessionsAreSaidToBeSo) {
  work("job");
  EXPECT_THAT(refusal("job --name prefil"),
              HasSubstr("there is no profile session 'prefil' in job; there are: decode, empty, "
                        "prefill, step"));
  EXPECT_THAT(refusal("nobody"), HasSubstr("there is no session 'nobody'; there are: job"));
  EXPECT_THAT(refusal(file("none.pscope")), HasSubstr("none.pscope"));
  const json empty = profile("job --name empty");
  EXPECT_EQ(operations(empty), 0u);
  EXPECT_TRUE(empty["split"]["waiting_share"].is_null());
  EXPECT_THAT(run("profile job --name empty").out, HasSubstr("nothing to say"));
}

TEST_F(ProfileContract, WindowsAreCutOutOfTheRunAndEmptyOnesRefused) {
  const Ran demo =
      run(fmt::format("demo --duration 1 -q --slow-rank none -o {}", file("d.pscope")));
  ASSERT_EQ(demo.status, 0) << demo.err;
  const std::string path = file("d.pscope");
  const std::uint64_t all = operations(profile(path));
  const std::uint64_t first = operations(profile(path + " --to 400ms"));
  const std::uint64_t rest = operations(profile(path + " --from 400ms"));
  EXPECT_GT(first, 0u);
  EXPECT_GT(rest, 0u);
  EXPECT_EQ(first + rest, all);
  EXPECT_LT(operations(profile(path + " --from=-0.2")), all / 2);
  EXPECT_THAT(refusal(path + " --from 3 --to 2"), HasSubstr("holds nothing"));
  EXPECT_THAT(refusal(path + " --from 100"), HasSubstr("the run lasts from 0 to"));
  EXPECT_THAT(refusal(path + " --from soon"), HasSubstr("--from soon: write seconds"));
  EXPECT_THAT(refusal(path + " --name x --from 1"), HasSubstr("give one of them"));
  EXPECT_THAT(refusal(path + " --seconds 1"), HasSubstr("is a file"));
  EXPECT_THAT(refusal(path + " --name x"), HasSubstr("nobody has marked any there"));
  const json whole = profile(path);
  EXPECT_EQ(whole["patterns"]["period"]["found"], true);
  EXPECT_GT(whole["patterns"]["period"]["operations"], 1);
}

TEST_F(ProfileContract, ComparesSessionsWithoutAWinnerByChance) {
  work("job");
  work("again");
  const Ran same = run("profile compare job:decode again:decode --json");
  ASSERT_EQ(same.status, 0) << same.err;
  ASSERT_EQ(same.parsed()["rows"].size(), 1u);
  EXPECT_FALSE(same.parsed()["rows"][0]["why"].get<std::string>().empty());
  const json apart = run("profile compare --in job prefill decode --json").parsed();
  EXPECT_EQ(apart["rows"].size(), 0u);
  EXPECT_EQ(apart["alone"].size(), 2u) << "sizes that only one of them has";
  const auto refused = [&](const std::string& arguments) {
    const Ran ran = run("profile compare " + arguments);
    EXPECT_EQ(ran.status, 2) << ran.out;
    return ran.err;
  };
  EXPECT_THAT(refused("job"), HasSubstr("give two or more"));
  EXPECT_THAT(refused("job job"), HasSubstr("given twice"));
  EXPECT_THAT(refused("job ring --by algorithm"), HasSubstr("there is only ring"));
  EXPECT_THAT(refused("job:nope again"), HasSubstr("there is no profile session 'nope'"));
}

TEST_F(ProfileContract, ComparesAlgorithmsOfOneRun) {
  const Ran bench =
      run(fmt::format("run -q -o {} -- {} bench all_reduce -b 64K -e 64K -n 300 -g 2 "
                      "--algorithm direct,ring",
                      file("b.pscope"), PSCOPE_BINARY));
  ASSERT_EQ(bench.status, 0) << bench.err;
  const Ran ran = run(fmt::format("profile compare {} --by algorithm --json", file("b.pscope")));
  ASSERT_EQ(ran.status, 0) << ran.err;
  bool both = false;
  const json comparison = ran.parsed();
  for (const json& row : comparison["rows"]) {
    both = both || row["groups"].size() >= 2;
    EXPECT_EQ(row["winner"].is_null(), row["verdict"] == "inconclusive");
    EXPECT_GE(row["noise_floor"], 0.03);
  }
  EXPECT_TRUE(both) << ran.out;
}

TEST_F(ProfileContract, ARingThatWasOverwrittenIsReportedWithWhatIsMissing) {
  {
    Session session({.name = "worker",
                     .session = "job",
                     .runtime_dir = dir_,
                     .segment_bytes = 1 << 20});  // too little for larger rings
    const Comm comm = session.comm({.id = 5, .name = "tp", .rank = 0, .ranks = 2});
    const ScopedProfile scope(session, "long");
    for (int i = 0; i < 50'000; ++i) {
      const ScopedOp op(comm, PSCOPE_KIND_SEND, 4096, 1);
    }
  }
  const json report = profile("job --name long");
  EXPECT_GT(operations(report), 1000u);
  EXPECT_LT(operations(report), 50'000u);
  std::string notes;
  for (const json& note : report["notes"]) notes += note.get<std::string>() + "\n";
  EXPECT_THAT(notes, HasSubstr("The begin of 1 span was overwritten"));
  EXPECT_THAT(notes, HasSubstr("records were overwritten"));
}

TEST_F(ProfileContract, AFileThatWasCutOffIsReportedAndSaidToBe) {
  work("job");
  ASSERT_EQ(run("record job -o " + file("r.pscope")).status, 0);
  std::filesystem::resize_file(file("r.pscope"),
                               std::filesystem::file_size(file("r.pscope")) * 6 / 10);
  const Ran ran = run("profile " + file("r.pscope") + " --json");
  EXPECT_THAT(ran.out, Not(HasSubstr("nan")));
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_FALSE(ran.parsed()["notes"].empty());
}

TEST_F(ProfileContract, HtmlStandsAlone) {
  work("job");
  ASSERT_EQ(run("profile job --html " + file("p.html")).status, 0);
  const std::string html = read_file(file("p.html"));
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, HasSubstr("all_reduce"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("http")));
  ASSERT_EQ(run("profile compare job job:decode --html " + file("c.html")).status, 0);
  EXPECT_THAT(read_file(file("c.html")), HasSubstr("Holm"));
}

TEST_F(ProfileContract, HelpHasExamples) {
  for (const char* command : {"profile", "profile compare"}) {
    const Ran ran = run(std::string(command) + " --help");
    EXPECT_EQ(ran.status, 0);
    EXPECT_THAT(ran.out, HasSubstr("peerscope profile"));
    EXPECT_THAT(ran.out, HasSubstr("Examples:"));
  }
}

}  // namespace
}  // namespace peerscope
