// What scripts rely on of the debugger, with real processes: one that is stopped, one that is killed, one
// that calls something else. Runs the real binary.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "cli/debug_ranks_for_test.hpp"
#include "cli/ran_for_test.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kSlow = true;
#else
constexpr bool kSlow = false;
#endif

class Debug : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fmt::format("/dev/shm/peerscope-debug-{}", getpid());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    std::filesystem::permissions(dir_, std::filesystem::perms::owner_all);
    setenv("PEERSCOPE_RUNTIME_DIR", dir_.c_str(), 1);
    unsetenv("PEERSCOPE_SESSION");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  Ran run(const std::string& arguments) const { return shell(PSCOPE_BINARY " " + arguments); }
  Ran shell(const std::string& line) const {
    const std::string err_path =
        fmt::format("{}-{}.err", dir_, std::hash<std::thread::id>{}(std::this_thread::get_id()));
    Ran ran;
    FILE* pipe = popen(fmt::format("{} 2>{}", line, err_path).c_str(), "r");
    char buffer[4096];
    for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      ran.out.append(buffer, got);
    const int status = pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ran.err = read_file(err_path);
    std::filesystem::remove(err_path);
    return ran;
  }
  std::string file(const char* name) const { return fmt::format("{}/{}", dir_, name); }

  std::string dir_;
};

// Rank 2 is outside of collectives for most of the time.
bool reduce_for_ever(Communicator& comm, std::uint64_t) {
  usleep(comm.rank() == 2 ? 2000 : 200);
  return static_cast<bool>(DebugRanks::all_reduce(comm, 16384));
}

TEST_F(Debug, ARankThatIsStoppedIsNamedWithinOneSecondWithOperationAndSequence) {
  DebugRanks ranks(4, reduce_for_ever);
  ranks.wait_for(300);
  const Ran well = run("debug hang --wait 0.1 --json");
  EXPECT_EQ(well.status, 0) << well.out;
  EXPECT_EQ(well.parsed()["hang"], false);
  Ran ran;
  std::thread watching(
      [&] { ran = run("debug hang --wait 20 --json --set detect.hang_min_age=400ms"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  const auto stopped = std::chrono::steady_clock::now();
  ranks.kill(2, SIGSTOP);
  watching.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - stopped;
  const Ran text = run("debug hang --set detect.hang_min_age=400ms");
  const Ran in_flight = run("debug inflight --json");
  ranks.kill(2, SIGCONT);
  EXPECT_EQ(ran.status, 1) << ran.err;
  const json out = ran.parsed();
  EXPECT_EQ(out["hang"], true);
  // Stopped between two collectives or inside one; where the others had all that they needed of it, they
  // wait in the next.
  ASSERT_GE(out["hangs"].size(), 1u);
  ASSERT_LE(out["hangs"].size(), 2u);
  for (const json& hang : out["hangs"]) {
    EXPECT_EQ(hang["operation"], "all_reduce");
    EXPECT_EQ(hang["bytes"], 16384);
    EXPECT_EQ(hang["communicator"], "tp");
    EXPECT_GE(hang["sequence"], 300);
    ASSERT_EQ(hang["suspects"].size(), 1u) << ran.out;
    EXPECT_EQ(hang["suspects"][0]["rank"], 2);
    EXPECT_EQ(hang["suspects"][0]["pid"], ranks.pid(2));
    EXPECT_THAT(hang["suspects"][0]["why"].get<std::string>(), HasSubstr("stopped by a signal"));
    EXPECT_TRUE(hang["mismatch"].is_null());
    if (hang["missing"].size() != 1) continue;
    const json& missing = hang["missing"][0];
    EXPECT_EQ(hang["entered"].size(), 3u);
    EXPECT_EQ(missing["rank"], 2);
    EXPECT_EQ(missing["kernel_state"], "stopped by a signal");
    if (!missing["instead"].is_null()) continue;
    EXPECT_EQ(missing["last"]["sequence"], hang["sequence"].get<int>() - 1);
    EXPECT_EQ(hang["finding"]["subject"]["rank"], 2);
    EXPECT_THAT(text.out, HasSubstr("rank 2 has not arrived"));
    EXPECT_EQ(in_flight.parsed()["groups"][0]["missing"][0]["rank"], 2);
  }
  // Of what normally takes under 10 ms.
  const json& oldest = out["hangs"][0];
  if (!kSlow && oldest["normal_p999_ns"].get<double>() < 10e6) {
    EXPECT_LE(oldest["age_s"].get<double>(), 1.0);
    EXPECT_LE(took.count(), 1.2) << "with the end of the process that looked";
  }
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.out, AllOf(HasSubstr("kill -CONT"), HasSubstr("stopped by a signal")));
  EXPECT_EQ(in_flight.parsed()["groups"][0]["suspects"][0]["rank"], 2);
}

TEST_F(Debug, ARankThatWasKilledInsideIsNamedFromTheRingItLeft) {
  // Rank 1 does not come to the 51st.
  DebugRanks ranks(4, [](Communicator& comm, std::uint64_t turn) {
    if (comm.rank() == 1 && turn == 50) return pause(), false;
    return static_cast<bool>(DebugRanks::all_reduce(comm, 4096));
  });
  ranks.wait_for(50);
  usleep(100'000);
  for (const int rank : {0, 2, 3, 1}) ranks.kill(rank, SIGKILL);
  const Ran ran = run("debug hang --json");
  EXPECT_EQ(ran.status, 1) << ran.out << ran.err;
  const json out = ran.parsed();
  EXPECT_EQ(out["live"], false);
  ASSERT_GE(out["hangs"].size(), 1u) << ran.out;
  const json& hang = out["hangs"][0];
  EXPECT_EQ(hang["operation"], "all_reduce");
  EXPECT_EQ(hang["sequence"], 50);
  EXPECT_EQ(hang["bytes"], 4096);
  for (const json& entered : hang["entered"]) EXPECT_EQ(entered["process_state"], "dead");
  ASSERT_GE(hang["missing"].size(), 1u);
  EXPECT_EQ(hang["missing"][0]["rank"], 1);
  EXPECT_EQ(hang["missing"][0]["last"]["sequence"], 49);
  EXPECT_EQ(hang["missing"][0]["process_state"], "dead");
  EXPECT_THAT(run("debug hang").out, HasSubstr("when the process died"));
}

TEST_F(Debug, WhoSurvivesSaysWhoseProcessDied) {
  DebugRanks ranks(3, reduce_for_ever);
  ranks.wait_for(50);
  const pid_t pid = ranks.pid(1);
  ranks.kill(1, SIGKILL);
  ranks.wait();
  const Ran ran = run("debug hang --json");
  EXPECT_EQ(ran.status, 1) << ran.out;
  const json out = ran.parsed();
  // Killed between two collectives, or inside one.
  if (out["hangs"].empty()) {
    const json end = out["given_up"][0];
    EXPECT_EQ(end["type"], "peer_lost");
    EXPECT_EQ(end["missing_processes"][0]["pid"], pid);
    EXPECT_EQ(end["missing_processes"][0]["process_state"], "dead");
    EXPECT_THAT(run("debug hang").out, HasSubstr(fmt::format("process {} died", pid)));
  } else {
    EXPECT_EQ(out["hangs"][0]["entered"][0]["pid"], pid);
  }
  const json died = run("debug events --kind process_died --json").parsed()["events"];
  ASSERT_EQ(died.size(), 1u);
  EXPECT_EQ(died[0]["pid"], pid);
}

TEST_F(Debug, ACollectiveThatWasGivenUpSaysWhoDidNotCome) {
  DebugRanks ranks(
      3,
      [](Communicator& comm, std::uint64_t turn) {
        if (comm.rank() == 1 && turn == 20) return usleep(2'500'000), false;
        return static_cast<bool>(DebugRanks::all_reduce(comm, 4096));
      },
      std::chrono::seconds(1));
  ranks.wait();
  const Ran ran = run("debug hang --json");
  EXPECT_EQ(ran.status, 1) << ran.out;
  const json end = ran.parsed()["given_up"][0];
  EXPECT_EQ(end["type"], "timeout");
  EXPECT_EQ(end["sequence"], 20);
  EXPECT_THAT(end["missing"].get<std::vector<int>>(), ElementsAre(1));
  EXPECT_EQ(end["gave_up"].size(), 2u);
  const json errors = run("debug errors --json").parsed();
  EXPECT_EQ(errors["failed"], 2);
  EXPECT_EQ(errors["groups"][0]["type"], "timeout");
  EXPECT_EQ(errors["groups"][0]["recovered"], 0);
}

TEST_F(Debug, MismatchedSizesAreSaidWithTheRankThatIsAlone) {
  DebugRanks ranks(4, [](Communicator& comm, std::uint64_t turn) {
    const bool odd = comm.rank() == 3 && turn == 20;
    return static_cast<bool>(DebugRanks::all_reduce(comm, odd ? 32768 : 16384));
  });
  ranks.wait();
  const Ran ran = run("debug hang --json");
  EXPECT_EQ(ran.status, 1) << ran.out;
  const json end = ran.parsed()["given_up"][0];
  EXPECT_EQ(end["type"], "mismatch");
  EXPECT_EQ(end["sequence"], 20);
  EXPECT_THAT(end["odd_ranks"].get<std::vector<int>>(), ElementsAre(3));
  EXPECT_THAT(end["mismatch"].get<std::string>(), HasSubstr("Rank 3 called all_reduce 32 KB"));
  EXPECT_THAT(run("debug hang").out, HasSubstr("Rank 3 called all_reduce 32 KB"));
  const json events = run("debug events --kind mismatch --json").parsed()["events"];
  ASSERT_FALSE(events.empty());
  const json trace = run("debug trace --sequence 20 --json").parsed();
  EXPECT_THAT(trace["mismatch"].get<std::string>(), HasSubstr("Rank 3"));
}

TEST_F(Debug, RanksThatWaitInDifferentCallsDisagreeBeforeAnyTimeOut) {
  std::vector<pid_t> pids;
  for (std::uint32_t rank = 0; rank < 3; ++rank) {
    pids.push_back(fork());
    if (pids.back() != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pscope_session* session = pscope_open(nullptr, nullptr);
    const pscope_comm_desc desc{11, "dp", rank, 3, PSCOPE_NO_DEVICE, PSCOPE_BACKEND_HOST, 0};
    pscope_op op{};
    op.comm = pscope_comm_register(session, &desc);
    op.sequence = 4;
    op.kind = rank == 1 ? PSCOPE_KIND_BARRIER : PSCOPE_KIND_ALL_REDUCE;
    op.bytes = rank == 1 ? 0 : 1024;
    op.peer = PSCOPE_NO_PEER;
    pscope_op_begin(session, &op);
    pause();
    _exit(0);
  }
  usleep(300'000);
  const Ran ran = run("debug hang all --wait 2 --json");
  for (const pid_t pid : pids) kill(pid, SIGKILL);
  for (const pid_t pid : pids) waitpid(pid, nullptr, 0);
  EXPECT_EQ(ran.status, 1) << ran.out << ran.err;
  const json hang = ran.parsed()["hangs"][0];
  EXPECT_THAT(hang["odd_ranks"].get<std::vector<int>>(), ElementsAre(1));
  EXPECT_THAT(hang["mismatch"].get<std::string>(), HasSubstr("Rank 1 called barrier"));
}

TEST_F(Debug, OneCollectiveIsFollowedThroughRanksPhasesAndPlannedMessages) {
  ASSERT_EQ(run("demo --ranks 4 --duration 1 --slow-rank 3 --slow-after 0 --level comprehensive "
                "--set overhead.budget=100% -q -o " +
                file("d.pscope"))
                .status,
            0);
  for (const std::string& source : {std::string("demo"), file("d.pscope")}) {
    const Ran ran = run("debug trace " + source + " --op all_reduce --slowest --json");
    ASSERT_EQ(ran.status, 0) << ran.err;
    const json trace = ran.parsed();
    EXPECT_EQ(trace["communicator"], "tp");
    ASSERT_EQ(trace["ranks"].size(), 4u);
    EXPECT_EQ(trace["ranks"][0]["arrived_ns"], 0);
    EXPECT_GT(trace["skew_host_ns"], 0);
    EXPECT_EQ(trace["complete"], true);
    EXPECT_GT(trace["moves"].size(), 3u) << trace["plan_unknown"];
    for (const json& move : trace["moves"]) EXPECT_EQ(move["source"], "planned");
    const Ran same = run(fmt::format("debug trace {} --comm tp --sequence {} --json", source,
                                     trace["sequence"].get<int>()));
    // Each reader ties the clocks itself.
    EXPECT_NEAR(same.parsed()["first_arrival_ns"].get<double>(),
                trace["first_arrival_ns"].get<double>(), 1000);
    EXPECT_EQ(same.parsed()["ranks"].size(), 4u);
  }
  std::size_t phases = 0;
  const json trace = run("debug trace " + file("d.pscope") + " --sequence 10 --json").parsed();
  for (const json& rank : trace["ranks"]) phases += rank["phases"].size();
  EXPECT_GT(phases, 0u);
  const Ran text = run("debug trace " + file("d.pscope") + " --sequence 10");
  EXPECT_THAT(text.out, AllOf(HasSubstr("rank 3"), HasSubstr("planned"), HasSubstr("measured"),
                              HasSubstr("round 1")));
  const Ran none = run("debug trace demo --sequence 99999999");
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("#99999999 is not there; numbers"));
  EXPECT_THAT(run("debug trace demo --comm nosuch").err, HasSubstr("there are: tp"));
}

TEST_F(Debug, EventsCanRunACommandAndBeFollowed) {
  DebugRanks ranks(
      2,
      [](Communicator& comm, std::uint64_t turn) {
        if (turn == 5 && comm.rank() == 1) return usleep(1'500'000), false;
        return static_cast<bool>(DebugRanks::all_reduce(comm, 64));
      },
      std::chrono::seconds(1));
  ranks.wait_for(5);
  const Ran followed =
      run("debug events --follow --json --severity error --exec 'echo "
          "\"$PEERSCOPE_EVENT_KIND $PEERSCOPE_EVENT_RANK\" >> " +
          file("said") + "'");
  ranks.wait();
  EXPECT_EQ(followed.status, 0) << followed.err;
  std::istringstream lines(followed.out);
  std::vector<json> events;
  for (std::string line; std::getline(lines, line);) events.push_back(json::parse(line));
  ASSERT_FALSE(events.empty());
  EXPECT_THAT(read_file(file("said")), HasSubstr("operation_failed 0\n"));
  const json once = run("debug events --severity trace --json").parsed();
  EXPECT_GE(once["events"].size(), events.size());
  EXPECT_GE(once["counts"]["error"], 1);
  EXPECT_THAT(run("debug events").out, HasSubstr("ran into its time-out"));
}

TEST_F(Debug, ABundleHoldsWhatAReportNeedsAndNoSecret) {
  setenv("HF_TOKEN", "hf_ThisIsASecretThatMustGo", 1);
  setenv("PROXY_FOR_TEST", "http://me:hunter2@proxy:80/", 1);
  ASSERT_EQ(run("demo --ranks 2 --duration 0.5 -q").status, 0);
  const Ran ran = run("debug bundle demo -o " + file("b.tar.gz") + " --json");
  unsetenv("HF_TOKEN");
  ASSERT_EQ(ran.status, 0) << ran.err;
  std::vector<std::string> names;
  const json written = ran.parsed();
  for (const json& each : written["files"]) names.push_back(each["name"]);
  EXPECT_THAT(names,
              testing::IsSupersetOf({"README.txt", "report.txt", "report.json", "findings.json",
                                     "in_flight.json", "events.jsonl", "errors.json", "config.json",
                                     "versions.json", "devices.json", "doctor.json",
                                     "processes.json", "environment.txt", "trace.pscope"}));
  const Ran list = shell("tar tzf " + file("b.tar.gz"));
  EXPECT_EQ(list.status, 0) << list.err;
  for (const std::string& name : names) EXPECT_THAT(list.out, HasSubstr(name + "\n"));
  std::filesystem::create_directory(file("x"));
  ASSERT_EQ(shell("tar xzf " + file("b.tar.gz") + " -C " + file("x")).status, 0);
  for (const std::string& name : names)
    EXPECT_THAT(read_file(file("x/") + name),
                AllOf(Not(HasSubstr("hf_ThisIsASecret")), Not(HasSubstr("hunter2"))))
        << name;
  EXPECT_THAT(read_file(file("x/environment.txt")), HasSubstr("HF_TOKEN=[removed]\n"));
  for (const char* name : {"report.json", "config.json", "doctor.json", "versions.json"})
    EXPECT_FALSE(json::parse(read_file(file("x/") + name)).empty()) << name;
  const Ran trace = run("info " + file("x/trace.pscope") + " --json");
  EXPECT_EQ(trace.status, 0) << trace.err;
  EXPECT_EQ(
      (std::filesystem::status(file("b.tar.gz")).permissions() & std::filesystem::perms::group_all),
      std::filesystem::perms::none);
  // Of a file, and packed by zstd.
  EXPECT_EQ(run("debug bundle " + file("x/trace.pscope") + " -o " + file("c.tar.zst")).status, 0);
  if (shell("zstd --version").status == 0) {
    EXPECT_EQ(shell("tar --zstd -tf " + file("c.tar.zst") + " > /dev/null").status, 0);
  }
}

TEST_F(Debug, BadInputIsOneSentenceAndStatusTwo) {
  ASSERT_EQ(run("demo --ranks 2 --duration 0.5 -q").status, 0);
  for (const char* arguments :
       {"debug hang nosuch", "debug events nosuch", "debug errors nosuch", "debug trace nosuch",
        "debug inflight nosuch", "debug bundle nosuch", "debug events --severity loud",
        "debug trace --sequence x", "debug trace --sequence -1", "debug trace --op dance",
        "debug trace --sequence 1 --slowest", "debug bundle -o x.zip", "debug hang --wait -1",
        "debug hang /no/such/file.pscope", "debug bundle /no/such/file.pscope",
        "debug bundle -o /no/such/dir/x.tar", "debug dance"}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_FALSE(ran.err.empty()) << arguments;
    EXPECT_TRUE(ran.out.empty()) << arguments << ran.out;
  }
  EXPECT_THAT(run("debug hang nosuch").err, HasSubstr("there are: demo-"));
  std::filesystem::remove_all(dir_);
  EXPECT_EQ(run("debug hang").status, 2) << "there is no session";
}

TEST_F(Debug, EachCommandExplainsItself) {
  const Ran all = run("debug --help");
  EXPECT_EQ(all.status, 0);
  for (const char* command : {"hang", "inflight", "events", "errors", "trace", "bundle"}) {
    EXPECT_THAT(all.out, HasSubstr(fmt::format("debug {}", command)));
    const Ran ran = run(fmt::format("debug {} --help", command));
    EXPECT_EQ(ran.status, 0) << command;
    EXPECT_THAT(ran.out, AllOf(HasSubstr("Examples:"), HasSubstr("--json"))) << command;
  }
}

}  // namespace
}  // namespace peerscope
