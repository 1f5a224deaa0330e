// Trace files from the outside: the real binary writes, reads, exports, imports, merges and asks.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace peerscope {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

struct Ran {
  int status = 0;
  std::string out, err;
};

class TraceContract : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fmt::format("/dev/shm/peerscope-test-{}", getpid());
    fs::remove_all(dir_);
    fs::create_directories(dir_ + "/files");
    setenv("PEERSCOPE_RUNTIME_DIR", dir_.c_str(), 1);
    unsetenv("PEERSCOPE_SESSION");
  }
  void TearDown() override { fs::remove_all(dir_); }

  [[nodiscard]] std::string file(const std::string& name) const { return dir_ + "/files/" + name; }

  Ran run(const std::string& arguments) const {
    const std::string line = fmt::format("{} {} >{}.out 2>{}.err </dev/null", PSCOPE_BINARY,
                                         arguments, file("run"), file("run"));
    const int status = std::system(line.c_str());
    Ran ran;
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ran.out = slurp(file("run") + ".out");
    ran.err = slurp(file("run") + ".err");
    return ran;
  }
  static std::string slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // A short demo, recorded.
  std::string demo(const std::string& more = "") const {
    const Ran ran = run(fmt::format("demo --duration 1 -q {} -o {}", more, file("d.pscope")));
    EXPECT_EQ(ran.status, 0) << ran.err;
    return file("d.pscope");
  }

  std::string dir_;
};

TEST_F(TraceContract, InfoSaysWhatScriptsRelyOn) {
  const std::string path = demo("--slow-rank none");
  const Ran ran = run(fmt::format("info {} --json", path));
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json info = json::parse(ran.out);
  EXPECT_GT(info["operations"], 500);
  EXPECT_GT(info["bytes_per_op"], 0.5);
  EXPECT_EQ(info["lost"], 0);
  EXPECT_GE(info["chunks"], 1);
  EXPECT_EQ(info["truncated"], false);
  EXPECT_EQ(info["closed"], true);
  EXPECT_EQ(info["meta"]["communicators"][0]["members"].size(), 4u);
  EXPECT_EQ(info["meta"]["processes"].size(), 4u);
  EXPECT_GT(info["meta"]["settings"].size(), 40u);
}

TEST_F(TraceContract, TheFileHoldsEveryOperationThatTheRanksCounted) {
  const json info = json::parse(run(fmt::format("info {} --json", demo())).out);
  std::uint64_t counted = 0;
  for (const json& process : info["meta"]["processes"])
    counted += process["operations"].get<std::uint64_t>();
  EXPECT_EQ(info["operations"].get<std::uint64_t>(), counted);
}

TEST_F(TraceContract, AFileAnswersAsItsSessionDid) {
  const std::string path = demo();
  const json session = json::parse(run("report --json").out);
  const json stored = json::parse(run(fmt::format("report {} --json", path)).out);
  const json again = json::parse(run(fmt::format("report {} --json --full", path)).out);
  EXPECT_EQ(stored["totals"]["operations"], session["totals"]["operations"]);
  EXPECT_EQ(again["totals"]["analysed"], session["totals"]["analysed"]);
  EXPECT_EQ(again["totals"]["collectives"], session["totals"]["collectives"]);
  EXPECT_EQ(stored["trace"]["path"], path);
}

TEST_F(TraceContract, RunWritesATraceOfItsChild) {
  const Ran ran = run(fmt::format("run -q -o {} -- {} bench all_reduce -b 1K -e 1K -n 200 -g 2",
                                  file("r.pscope"), PSCOPE_BINARY));
  EXPECT_EQ(ran.status, 0) << ran.err;
  const json info = json::parse(run(fmt::format("info {} --json", file("r.pscope"))).out);
  EXPECT_GT(info["operations"], 400);
  EXPECT_THAT(info["meta"]["command"].get<std::string>(), HasSubstr("bench all_reduce"));
}

TEST_F(TraceContract, EveryExportIsWrittenAndCounted) {
  const std::string path = demo();
  const json info = json::parse(run(fmt::format("info {} --json", path)).out);
  for (const char* format : {"csv", "json", "jsonl", "xml", "perfetto", "chrome"}) {
    const std::string out = file(std::string("x.") + format);
    const Ran ran = run(fmt::format("export {} --to {} -o {} --json", path, format, out));
    ASSERT_EQ(ran.status, 0) << format << ran.err;
    EXPECT_EQ(json::parse(ran.out)["operations"], info["operations"]) << format;
    EXPECT_GT(fs::file_size(out), 1000u);
  }
  EXPECT_EQ(json::parse(slurp(file("x.json")))["operations"].size(),
            info["operations"].get<std::size_t>());
}

TEST_F(TraceContract, AnExportToChromeComesBackWithTheSameFinding) {
  const Ran made = run(fmt::format("demo --duration 3 -q -o {}", file("d.pscope")));
  ASSERT_EQ(made.status, 0);
  ASSERT_EQ(
      run(fmt::format("export {} --to chrome -o {}", file("d.pscope"), file("k.json"))).status, 0);
  const Ran imported = run(fmt::format("import {} -o {} --json", file("k.json"), file("k.pscope")));
  ASSERT_EQ(imported.status, 0) << imported.err;
  EXPECT_EQ(json::parse(imported.out)["format"], "chrome");
  const json before = json::parse(run(fmt::format("report {} --json", file("d.pscope"))).out);
  const json after = json::parse(run(fmt::format("report {} --json", file("k.pscope"))).out);
  ASSERT_FALSE(before["findings"].empty());
  ASSERT_FALSE(after["findings"].empty());
  EXPECT_EQ(after["findings"][0]["kind"], before["findings"][0]["kind"]);
  EXPECT_EQ(after["findings"][0]["subject"]["rank"], before["findings"][0]["subject"]["rank"]);
}

TEST_F(TraceContract, QueriesAnswerInThreeForms) {
  const std::string path = demo();
  const std::string sql =
      "'SELECT operation, count(*) AS n FROM ops GROUP BY operation ORDER BY n DESC'";
  const json rows = json::parse(run(fmt::format("query {} {} --json", path, sql)).out);
  EXPECT_EQ(rows[0]["operation"], "all_reduce");
  EXPECT_THAT(run(fmt::format("query {} {} --csv", path, sql)).out,
              HasSubstr("operation,n\r\nall_reduce,"));
  EXPECT_THAT(run(fmt::format("query {} {} --engine sqlite", path, sql)).out,
              HasSubstr("all_reduce"));
  const Ran bad = run(fmt::format("query {} 'SELECT rnk FROM ops'", path));
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.err, HasSubstr("no such column: rnk; did you mean rank?"));
}

TEST_F(TraceContract, BadInputIsOneSentenceAndStatusTwo) {
  std::ofstream(file("rubbish.pscope")) << std::string(1000, 'x');
  const std::pair<std::string, std::string> cases[] = {
      {"info " + file("none.pscope"), "No such file"},
      {"info " + file("rubbish.pscope"), "is no peerscope trace"},
      {"info", "which file?"},
      {"report " + file("none.pscope"), "No such file"},
      {"export " + file("rubbish.pscope") + " --to nonsense", "there is no format 'nonsense'"},
      {"export " + file("rubbish.pscope"), "write: peerscope export FILE --to FORMAT"},
      {"import " + file("none"), "No such file"},
      {"import " + file("rubbish.pscope"), "in no format that is known"},
      {"merge " + file("rubbish.pscope"), "write: peerscope merge"},
      {"query " + file("rubbish.pscope") + " 'SELECT 1'", "is no peerscope trace"},
      {"demo --duration 1 -q -o /nonexistent/dir/x.pscope",
       "cannot make /nonexistent/dir/x.pscope"},
      {"record none-such", "no session"},
  };
  for (const auto& [arguments, sentence] : cases) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_THAT(ran.err, HasSubstr(sentence)) << arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

// A process group of its own, so that all of it can be killed.
pid_t start(const std::string& line) {
  const pid_t child = fork();
  if (child != 0) return child;
  setpgid(0, 0);
  execl("/bin/sh", "sh", "-c", ("exec " + line).c_str(), nullptr);
  _exit(127);
}

TEST_F(TraceContract, ARecorderThatIsKilledLeavesAFileThatOpens) {
  const pid_t work = start(fmt::format("{} demo --duration 6 -q >/dev/null 2>&1", PSCOPE_BINARY));
  usleep(700'000);
  int with_operations = 0;
  for (int round = 0; round < 8; ++round) {
    const std::string path = file(fmt::format("k{}.pscope", round));
    const pid_t recorder = start(fmt::format(
        "{} record -o {} --set trace.flush_interval=50ms >/dev/null 2>&1", PSCOPE_BINARY, path));
    usleep(static_cast<useconds_t>(150'000 + 60'000 * round));
    kill(recorder, SIGKILL);
    waitpid(recorder, nullptr, 0);
    const Ran info = run(fmt::format("info {} --json", path));
    ASSERT_EQ(info.status, 0) << info.err;
    EXPECT_THAT(info.err, HasSubstr(path));  // says that it was not closed, or cut
    with_operations += json::parse(info.out)["operations"] > 0 ? 1 : 0;
    EXPECT_EQ(run(fmt::format("report {} -q", path)).status, 0);
  }
  EXPECT_GE(with_operations, 4);
  kill(-work, SIGKILL);
  kill(work, SIGKILL);
  waitpid(work, nullptr, 0);
}

TEST_F(TraceContract, AFullDiskIsSaidAndWritingResumes) {
  const std::string disk = file("disk");
  fs::create_directories(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0)
    GTEST_SKIP() << "cannot mount a small disk here";
  std::ofstream(disk + "/ballast") << std::string(40'000, 'x');
  const pid_t work = start(fmt::format("{} demo --duration 7 -q >/dev/null 2>&1", PSCOPE_BINARY));
  usleep(700'000);
  const pid_t recorder = start(fmt::format(
      "{} record --seconds 5 -o {}/x.pscope --json --set trace.flush_interval=100ms >{} 2>&1",
      PSCOPE_BINARY, disk, file("rec")));
  usleep(2'500'000);
  EXPECT_EQ(run("top --once -q").status == 127, false);  // live views go on
  fs::remove(disk + "/ballast");
  EXPECT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
  int status = 0;
  waitpid(recorder, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0) << slurp(file("rec"));
  const json said = json::parse(slurp(file("rec")));
  EXPECT_GT(said["not_written"], 0);
  const json info = json::parse(run(fmt::format("info {}/x.pscope --json", disk)).out);
  EXPECT_EQ(info["operations"], said["operations"]);
  EXPECT_EQ(info["not_written"], said["not_written"]);
  const json report = json::parse(run(fmt::format("report {}/x.pscope --json", disk)).out);
  bool found = false;
  for (const json& finding : report["findings"])
    found = found || finding["kind"] == "trace_incomplete";
  EXPECT_TRUE(found);
  kill(-work, SIGKILL);
  kill(work, SIGKILL);
  waitpid(work, nullptr, 0);
  umount(disk.c_str());
}

TEST_F(TraceContract, MergeBringsHostsTogether) {
  const std::string path = demo();
  fs::copy_file(path, file("e.pscope"));
  const Ran ran =
      run(fmt::format("merge {} {} -o {} --json", path, file("e.pscope"), file("m.pscope")));
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json info = json::parse(run(fmt::format("info {} --json", path)).out);
  const json merged = json::parse(run(fmt::format("info {} --json", file("m.pscope"))).out);
  EXPECT_EQ(merged["operations"].get<std::uint64_t>(), 2 * info["operations"].get<std::uint64_t>());
  EXPECT_EQ(run(fmt::format("merge {0} {0} -o {0}", path)).status, 2);
}

TEST_F(TraceContract, BenchTraceGivesItsFigures) {
  const Ran ran = run("bench trace -n 1 --rounds 1 --json --dir " + file(""));
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json figures = json::parse(ran.out);
  for (const char* key :
       {"write_mops", "scan_mops", "filter_mops", "bytes_per_op", "bytes_per_op_random"})
    EXPECT_GT(figures[key], 0) << key;
  EXPECT_LE(figures["bytes_per_op"], 4.0);
  EXPECT_LE(figures["bytes_per_op_random"], 8.5);
}

}  // namespace
}  // namespace peerscope
