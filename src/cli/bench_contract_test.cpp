// What scripts rely on of `peerscope bench`: JSON, files, exit statuses, one clear sentence. Runs the
// real binary on the host device.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ran_for_test.hpp"

namespace peerscope {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class BenchContract : public testing::Test {
 protected:
  BenchContract() : dir_(fs::temp_directory_path() / fmt::format("pscope-bench-{}", getpid())) {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  ~BenchContract() override { fs::remove_all(dir_); }

  std::string file(const std::string& name) const { return (dir_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name) << text;
  }

  Ran run(const std::string& arguments) const {
    const std::string line = fmt::format(
        "PEERSCOPE_RUNTIME_DIR={0}/run PEERSCOPE_STATE_DIR={0}/state {1} bench {2} >{0}/out "
        "2>{0}/err",
        dir_.string(), PSCOPE_BINARY, arguments);
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            read_file(dir_ / "out"), read_file(dir_ / "err")};
  }
  void expect_refused(const std::string& arguments, const std::string& why) const {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.status, 2) << arguments << "\n" << ran.out << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(why)) << arguments;
    EXPECT_THAT(ran.err, StartsWith("peerscope bench")) << arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }

  fs::path dir_;
};

constexpr const char* kSmall = "-b 8 -e 64K -f 64 -n 8 -w 2";

TEST_F(BenchContract, RowsHaveWhatTheContractNames) {
  const Ran ran =
      run(fmt::format("all_reduce {} -g 3 --algo auto,ring,two_shot -d f32,i8 --json", kSmall));
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json out = ran.parsed();
  ASSERT_EQ(out["rows"].size(), 3u * 3u * 2u);
  for (const json& row : out["rows"]) {
    EXPECT_EQ(row["backend"], "host");
    EXPECT_EQ(row["wrong"], 0);
    EXPECT_GT(row["time_us"].get<double>(), 0);
    EXPECT_LE(row["min_us"], row["time_us"]);
    for (const char* name : {"bytes", "algorithm", "dtype", "algbw_gbs", "busbw_gbs", "mad_us",
                             "ci_low_us", "ci_high_us", "samples", "outliers", "in_place"})
      EXPECT_TRUE(row.contains(name)) << name;
    EXPECT_EQ(row["in_place"]["wrong"], 0);
    EXPECT_EQ(row["samples"], 8);
  }
  EXPECT_EQ(out["machine"]["fingerprint"].get<std::string>().size(), 12u);
}

TEST_F(BenchContract, EveryOperationAlgorithmTypeAndReductionIsRight) {
  for (const char* kind : {"all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce",
                           "gather", "all_to_all"}) {
    for (const char* op : {"sum", "min", "max", "avg"}) {
      const Ran ran = run(fmt::format(
          "{} -b 40 -e 40K -f 1000 -n 2 -w 1 -g 3 --algo all -d all -o {} --threads --json", kind,
          op));
      ASSERT_EQ(ran.status, 0) << kind << " " << op << "\n" << ran.err;
      for (const json& row : ran.parsed()["rows"]) EXPECT_EQ(row["wrong"], 0) << row.dump();
    }
  }
}

TEST_F(BenchContract, CsvAndTheReportAreWritten) {
  const Ran ran =
      run(fmt::format("all_reduce {} --algo all --csv --html {}", kSmall, file("r.html")));
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("operation,backend,algorithm,dtype"));
  const std::string page = read_file(dir_ / "r.html");
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, HasSubstr("memcpy by one processor"));
  EXPECT_THAT(page, Not(HasSubstr("http")));
}

TEST_F(BenchContract, AllBackendsMeansThoseThatAreHere) {
  const Ran all = run("all_reduce -b 8 -e 8 -n 3 --backend host,cuda --json");
  ASSERT_EQ(all.status, 0) << all.err;
  EXPECT_GE(all.parsed()["rows"].size(), 1u);
  const Ran none = run("all_reduce -b 8 -e 8 -n 3 --backend all --json --nccl /nowhere/libnccl.so");
  ASSERT_EQ(none.status, 0) << none.err;
  for (const json& row : none.parsed()["rows"]) EXPECT_NE(row["backend"], "nccl");
}

TEST_F(BenchContract, CompareFindsWhatBecameSlower) {
  ASSERT_EQ(run(fmt::format("all_reduce {} -n 40 -g 2 --json", "-b 8 -e 64K -f 64")).status, 0);
  json results = json::parse(read_file(dir_ / "out"));
  write("old.json", results.dump());
  EXPECT_EQ(run(fmt::format("compare {0} {0}", file("old.json"))).status, 0);
  for (json& sample : results["rows"][1]["samples_us"]) sample = sample.get<double>() * 1.5;
  write("new.json", results.dump());
  const Ran slower = run(fmt::format("compare {} {} --json", file("old.json"), file("new.json")));
  EXPECT_EQ(slower.status, 1) << slower.err;
  EXPECT_EQ(slower.parsed()["slower"], 1);
  EXPECT_NEAR(slower.parsed()["rows"][0]["ratio"].get<double>(), 1.5, 0.05);
  EXPECT_THAT(run(fmt::format("compare {} {}", file("old.json"), file("new.json"))).out,
              StartsWith("1 of 6 became slower by more than 5"));
  EXPECT_EQ(
      run(fmt::format("compare {} {} --threshold 80", file("old.json"), file("new.json"))).status,
      0);
  EXPECT_EQ(run(fmt::format("compare {1} {0}", file("old.json"), file("new.json"))).status, 0);
}

TEST_F(BenchContract, CompareRefusesWhatItCannotRead) {
  write("no.json", "{");
  write("empty.json", R"({"rows": []})");
  write("bad.json", R"({"rows": [{"bytes": "many"}]})");
  expect_refused("compare", "give two FILEs");
  expect_refused(fmt::format("compare {} /nowhere/y", file("empty.json")),
                 "/nowhere/y cannot be read");
  expect_refused(fmt::format("compare {} {}", file("empty.json"), file("no.json")),
                 "it is no JSON");
  expect_refused(fmt::format("compare {} {}", file("bad.json"), file("empty.json")),
                 "a row is not right");
  expect_refused(fmt::format("compare {0} {0}", file("empty.json")), "in common");
  expect_refused(fmt::format("compare --baseline {}", file("empty.json")),
                 "--save-baseline makes it");
}

TEST_F(BenchContract, P2pPrintsMatrices) {
  const Ran list = run("p2p -l");
  EXPECT_EQ(list.status, 0);
  EXPECT_THAT(list.out, HasSubstr("host_latency"));
  const Ran ran = run("p2p -b 1M -n 2 -g 3 --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json cases = ran.parsed()["testcases"];
  EXPECT_EQ(cases.size(), 7u);
  for (const json& test : cases) {
    ASSERT_EQ(test["matrix"][0].size(), test["name"] == "host_ring_write" ? 1u : 3u);
    EXPECT_GT(test["max"].get<double>(), 0);
  }
  EXPECT_TRUE(cases[0]["matrix"][1][1].is_null()) << "nobody writes to itself";
  EXPECT_THAT(run("p2p -b 1M -n 2 -t host_memcpy_write").out, HasSubstr("SUM host_memcpy_write"));
  expect_refused("p2p -t host_teleport", "no test case 'host_teleport'");
  expect_refused("p2p -g 1", "-g must be from 2");
  expect_refused("p2p --backend nccl", "write host or cuda");
  expect_refused("p2p -b 1", "-b must be from 4K");
}

TEST_F(BenchContract, ScaleDtypeAndOverlapMeasure) {
  const Ran scale = run(fmt::format("scale {} -g 2,3", kSmall));
  EXPECT_EQ(scale.status, 0) << scale.err;
  EXPECT_THAT(scale.out, HasSubstr("g3"));
  const Ran dtype = run("dtype --operation reduce_scatter -b 4K -e 4K -n 5 -g 3 --json");
  ASSERT_EQ(dtype.status, 0) << dtype.err;
  EXPECT_EQ(dtype.parsed()["rows"].size(), 6u);
  const Ran overlap = run("overlap -b 4K -e 64K -f 16 -n 10 --json");
  ASSERT_EQ(overlap.status, 0) << overlap.err;
  for (const json& row : overlap.parsed()["rows"]) {
    EXPECT_GT(row["comm_slowdown"].get<double>(), 0);
    EXPECT_GT(row["compute_slowdown"].get<double>(), 0);
  }
  expect_refused("scale --operation dance", "there is no 'dance'");
  expect_refused("overlap --csv", "--json only");
  expect_refused("overlap --operation sendrecv -g 3 -b 8 -e 8 --json", "takes two ranks");
}

TEST_F(BenchContract, ASuiteGoesOnWhereItWasInterrupted) {
  const std::string steps = "suite --backend host --steps broadcast,sendrecv ";
  const Ran first = run(steps + "--save-baseline -o " + file("suite.json"));
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("[ 1/2] host broadcast"));
  EXPECT_THAT(first.out, HasSubstr("all values right"));
  json state = json::parse(read_file(dir_ / "suite.json"));
  EXPECT_EQ(state["done"].size(), 2u);
  const std::string machine = state["machine"]["fingerprint"].get<std::string>();
  EXPECT_TRUE(fs::exists(dir_ / "state" / ("baseline-" + machine + ".json")));
  EXPECT_EQ(run("compare --threshold 900 --baseline " + file("suite.json")).status, 0);
  // As an interrupted run leaves it: one step done.
  state["done"] = {"host broadcast"};
  const std::string left = (dir_ / "state" / ("suite-quick-" + machine + ".json")).string();
  std::ofstream(left) << state.dump();
  const Ran second = run(steps);
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("going on after 1 steps"));
  EXPECT_THAT(second.out, Not(HasSubstr("host broadcast")));
  EXPECT_THAT(second.out, HasSubstr("[ 2/2] host sendrecv"));
  EXPECT_FALSE(fs::exists(left)) << "a suite that is complete leaves no state";
  std::ofstream(left) << "garbage";
  EXPECT_THAT(run(steps).out, HasSubstr("[ 1/2] host broadcast"))
      << "what cannot be read is no state";
  expect_refused("suite --quick --full", "exclude each other");
  expect_refused("suite --backend moon", "no backend 'moon'");
  expect_refused("suite --steps moon", "names none");
}

TEST_F(BenchContract, TuneIsUsedByTheNextStart) {
  expect_refused("all_reduce -b 8 -e 8 --tuned", "peerscope bench tune");
  const Ran tuned = run("tune --operation all_reduce -g 2 -b 8 -e 64K -f 64 -n 5 --json");
  ASSERT_EQ(tuned.status, 0) << tuned.err;
  json document = tuned.parsed();
  ASSERT_EQ(document["choices"].size(), 3u);
  EXPECT_EQ(run("all_reduce -b 8 -e 64K -n 5 --tuned --json").status, 0);
  const Ran more = run("tune --operation broadcast -g 2 -b 8 -e 8 -n 5 --json");
  EXPECT_EQ(more.parsed()["choices"].size(), 4u) << "what was known of others stays";
  std::ofstream(document["path"].get<std::string>()) << "{}";
  const Ran broken = run("all_reduce -b 8 -e 8 -n 5 --tuned");
  EXPECT_EQ(broken.status, 2);
  EXPECT_THAT(broken.err, HasSubstr("version"));
  expect_refused("tune --operation sendrecv", "no algorithms");
}

TEST_F(BenchContract, BadInputIsOneSentence) {
  expect_refused("all_reduce -b 2K -e 1K", "-b must be at least 1 and at most -e");
  expect_refused("all_reduce -f 1", "-f must be larger than 1");
  expect_refused("all_reduce -g two", "not 'two'");
  expect_refused("all_reduce -g 65", "from 0 to 64");
  expect_refused("all_reduce -g 1", "at least 2");
  expect_refused("all_reduce -d f32,f99", "not 'f99'");
  expect_refused("all_reduce -d f64", "not f64");
  expect_refused("all_reduce --algo ring,zigzag", "no algorithm 'zigzag'");
  expect_refused("all_gather --algo two_shot",
                 "has no algorithm two_shot: use one of auto, direct, ring");
  expect_refused("all_reduce --backend moon", "no backend 'moon'");
  expect_refused("all_reduce --backend cuda -b 8 -e 8 --algo zigzag", "no algorithm");
  expect_refused("all_reduce -G 3", "no graphs");
  expect_refused("all_reduce -o prod", "only NCCL has -o prod");
  expect_refused("all_reduce -r 1", "only NCCL has -r");
  expect_refused("all_reduce --json --csv", "exclude each other");
  expect_refused("all_reduce -n 1000000 --rounds 1000", "-n times --rounds");
  const Ran unwritable = run("all_reduce -b 8 -e 8 --html /nowhere/x.html");
  EXPECT_EQ(unwritable.status, 1);
  EXPECT_THAT(unwritable.err, HasSubstr("/nowhere/x.html cannot be written"));
}

TEST_F(BenchContract, MonitorComparesTheLevelsWithLevelOff) {
  const Ran ran = run("monitor -b 8 -e 8 --rounds 16 -n 5 --json");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json rows = ran.parsed()["rows"];
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["bytes"], 8);
  EXPECT_EQ(rows[0]["operation"], "all_reduce");
  for (const char* level : {"off", "basic", "detailed", "comprehensive"}) {
    EXPECT_GT(rows[0]["levels"][level]["mean_us"].get<double>(), 0) << level;
    EXPECT_GT(rows[0]["levels"][level]["ratio"].get<double>(), 0) << level;
  }
  expect_refused("monitor --operation dance", "there is no 'dance'; write all_reduce");
  expect_refused("monitor -G", "host has no CUDA graphs");
  expect_refused("monitor --operation sendrecv -g 3 -b 8 -e 8", "every rank takes part");
}

}  // namespace
}  // namespace peerscope
