// `bench ... --backend nccl` from end to end, over a libcuda and a libnccl of host memory
// (comm/nccl/fake): they compute, so values are checked for real.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
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

class BenchNccl : public testing::Test {
 protected:
  BenchNccl() : dir_(fs::temp_directory_path() / fmt::format("pscope-bench-nccl-{}", getpid())) {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    for (const char* name : {"NCCL_NVLS_ENABLE", "NCCL_PROFILER_PLUGIN"}) unsetenv(name);
  }
  ~BenchNccl() override { fs::remove_all(dir_); }

  // `variables`: "NAME=VALUE ..." in front of the command.
  Ran run(const std::string& arguments, const std::string& variables = {}) const {
    const std::string line = fmt::format(
        "PEERSCOPE_RUNTIME_DIR={0}/run LD_LIBRARY_PATH={1} {2} {3} bench {4} >{0}/out 2>{0}/err",
        dir_.string(), library_dir_, variables, PSCOPE_BINARY, arguments);
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            read_file(dir_ / "out"), read_file(dir_ / "err")};
  }

  fs::path dir_;
  std::string library_dir_ = PSCOPE_FAKE_GPU_DIR;
};

constexpr const char* kSmall = "--backend nccl -b 8 -e 64K -f 8 -n 3 -w 1 --rounds 2 --json";

TEST_F(BenchNccl, EveryOperationIsRightFromOneProcessFromSeveralAndAsAGraph) {
  for (const char* kind : {"all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce",
                           "all_to_all", "sendrecv"}) {
    for (const char* how : {"", "--processes", "-G 2", "--processes -G 2"}) {
      SCOPED_TRACE(fmt::format("{} {}", kind, how));
      const Ran ran = run(fmt::format("{} {} -r 1 {}", kind, kSmall, how), "FAKE_CUDA_DEVICES=3");
      ASSERT_EQ(ran.status, 0) << ran.err;
      EXPECT_EQ(ran.err, "");
      const json rows = ran.parsed()["rows"];
      ASSERT_EQ(rows.size(), 5u);
      const bool alone =
          std::string_view(kind) == "sendrecv" || std::string_view(kind) == "all_to_all";
      for (const json& row : rows) {
        EXPECT_EQ(row["wrong"], 0);
        EXPECT_GE(row["checked"].get<int>(), 3);
        EXPECT_GT(row["time_us"].get<double>(), 0);
        EXPECT_LE(row["min_us"], row["time_us"]);
        EXPECT_GE(row["max_us"], row["time_us"]);
        EXPECT_GT(row["device_us"].get<double>(), 0);
        EXPECT_EQ(row["ranks"], 3);
        EXPECT_EQ(row["in_place"].is_null(), alone);
        if (!alone) {
          EXPECT_EQ(row["in_place"]["wrong"], 0);
        }
      }
    }
  }
}

TEST_F(BenchNccl, AllToAllIsNcclsOwnWhereItHasOne) {
  const std::string newer = fmt::format("--nccl {}/new/libnccl.so.2", PSCOPE_FAKE_GPU_DIR);
  const Ran ran =
      run(fmt::format("all_to_all {} {}", kSmall, newer), "FAKE_NCCL_FAIL=ncclAlltoAll");
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("ncclAlltoAll failed on rank 0"));
  EXPECT_EQ(run(fmt::format("all_to_all {} {}", kSmall, newer)).status, 0);
}

TEST_F(BenchNccl, EachTypeAndReductionIsRight) {
  for (const char* dtype :
       {"i8", "u8", "i32", "u32", "i64", "u64", "f16", "bf16", "float", "double"}) {
    for (const char* op : {"sum", "prod", "min", "max", "avg"}) {
      SCOPED_TRACE(fmt::format("{} {}", dtype, op));
      const Ran ran = run(
          fmt::format(
              "reduce_scatter --backend nccl -b 64 -e 4K -f 64 -n 1 -w 0 --rounds 1 -d {} -o {}",
              dtype, op),
          "FAKE_CUDA_DEVICES=3");
      EXPECT_EQ(ran.status, 0) << ran.out << ran.err;
      EXPECT_THAT(ran.out, HasSubstr("# Out of bounds values : 0 OK"));
    }
  }
}

TEST_F(BenchNccl, OneElementThatIsWrongIsCountedOnceInEachPlace) {
  for (const char* how : {"", "--processes", "-G 2"}) {
    const Ran ran = run(fmt::format("all_reduce {} {}", kSmall, how), "FAKE_NCCL_CORRUPT=9");
    EXPECT_EQ(ran.status, 1) << ran.err;
    const json rows = ran.parsed()["rows"];
    ASSERT_EQ(rows.size(), 5u);
    EXPECT_EQ(rows[0]["wrong"], 0) << "8 bytes have no ninth element";
    for (std::size_t i = 1; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i]["wrong"], 1);
      EXPECT_EQ(rows[i]["in_place"]["wrong"], 1);
    }
  }
}

TEST_F(BenchNccl, UncheckedIsNullNotZero) {
  const Ran ran = run(fmt::format("all_reduce {} -c 0", kSmall), "FAKE_NCCL_CORRUPT=0");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(ran.parsed()["rows"][0]["wrong"].is_null());
  EXPECT_TRUE(ran.parsed()["rows"][0]["checked"].is_null());
}

TEST_F(BenchNccl, AFailureNamesTheCallItsCodeTheRankAndTheSize) {
  for (const char* how : {"", "--processes"}) {
    const Ran nccl =
        run(fmt::format("all_gather {} {}", kSmall, how), "FAKE_NCCL_FAIL=ncclAllGather");
    EXPECT_EQ(nccl.status, 1);
    EXPECT_THAT(nccl.err,
                testing::MatchesRegex(
                    "peerscope bench: all_gather of 8 bytes: ncclAllGather failed on rank [01]: "
                    "5 \\(invalid usage\\); NCCL says: ncclAllGather was told to fail\n"));
    const Ran cuda =
        run(fmt::format("all_gather {} {}", kSmall, how), "FAKE_CUDA_FAIL=cuStreamQuery");
    EXPECT_EQ(cuda.status, 1);
    EXPECT_THAT(cuda.err, HasSubstr("719 (CUDA_ERROR_LAUNCH_FAILED): told to fail"));
    EXPECT_THAT(cuda.err, HasSubstr("on device"));
  }
}

TEST_F(BenchNccl, WhatIsMissingIsOneSentenceAndStatusTwo) {
  const auto expect = [&](const Ran& ran, const char* words) {
    EXPECT_EQ(ran.status, 2) << words;
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, StartsWith("peerscope bench: "));
    EXPECT_THAT(ran.err, HasSubstr(words));
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1);
  };
  const std::string sweep = fmt::format("all_reduce {}", kSmall);
  expect(run(sweep, "FAKE_CUDA_DEVICES=0"), "sees no GPU");
  expect(run(sweep + " --nccl /nowhere/libnccl.so.2"),
         "NCCL cannot be loaded (/nowhere/libnccl.so.2");
  expect(run(sweep + " -g 3"), "-g 3, but there are 2 devices");
  expect(run(sweep + " -r 2"), "ranks are 0 to 1");
  expect(run(sweep + " -d f8"), "-d: write f32");
  expect(run("all_reduce --backend nccl -f 1.01"), "more than 64 sizes");
  expect(run(fmt::format("gather {}", kSmall)), "gather is not measured with NCCL");
  expect(run(sweep + " -G 1 --event-times " + (dir_ / "x").string()), "exclude each other");
  expect(run(sweep + " --event-times /nowhere/x"), "/nowhere/x cannot be written");
  expect(run("all_reduce --processes"), "add --backend nccl");
  library_dir_ = (dir_ / "empty").string();
  const Ran none = run(sweep);
  if (none.status != 0) expect(none, "there is no CUDA driver here");  // this machine may have one
}

TEST_F(BenchNccl, TheWheelOfPathsPythonIsTakenWhereTheLoaderKnowsNoNccl) {
  const fs::path wheel = dir_ / "venv/lib/python3.11/site-packages/nvidia/nccl/lib";
  fs::create_directories(wheel);
  fs::create_directories(dir_ / "venv/bin");
  fs::create_directories(dir_ / "cuda");
  fs::create_symlink("/bin/true", dir_ / "venv/bin/python3");
  fs::create_symlink(fs::path(PSCOPE_FAKE_GPU_DIR) / "libnccl.so.2", wheel / "libnccl.so.2");
  fs::create_symlink(fs::path(PSCOPE_FAKE_GPU_DIR) / "libcuda.so.1", dir_ / "cuda/libcuda.so.1");
  library_dir_ = (dir_ / "cuda").string();
  const Ran ran = run(fmt::format("all_reduce {}", kSmall),
                      fmt::format("PATH={}/venv/bin:$PATH", dir_.string()));
  const std::string path = ran.parsed()["nccl_path"];
  if (path.find("venv") == std::string::npos) GTEST_SKIP() << "the loader knows an NCCL: " << path;
  EXPECT_EQ(ran.status, 0) << ran.err;
}

TEST_F(BenchNccl, ARankThatDiesIsNamedAndTheOthersGoWithIt) {
  const Ran ran = run(fmt::format("all_reduce {} --processes", kSmall), "FAKE_NCCL_DIE=1");
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("rank 1 was ended by signal 9"));
}

TEST_F(BenchNccl, ASweepThatStandsStillIsGivenUpAndSaysWhere) {
  const Ran ran = run(fmt::format("all_reduce {} -T 1", kSmall), "FAKE_CUDA_HANG=1");
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("nothing has moved for 1 s (-T), at all_reduce of 8 bytes"));
}

TEST_F(BenchNccl, MulticastIsOffUnlessTheUserHasSaidOtherwise) {
  const std::string sweep = fmt::format("all_reduce {}", kSmall);
  EXPECT_EQ(run(sweep).parsed()["nccl_nvls_enable"], "0");
  EXPECT_EQ(run(sweep, "NCCL_NVLS_ENABLE=1").parsed()["nccl_nvls_enable"], "1");
  EXPECT_TRUE(run(sweep + " --nvls").parsed()["nccl_nvls_enable"].is_null());
  EXPECT_THAT(run("all_reduce --backend nccl -b 8 -e 8").out,
              HasSubstr("NVLink multicast off (NCCL_NVLS_ENABLE=0)"));
}

TEST_F(BenchNccl, EachOperationsDeviceTimeHasItsPlaceInTheCommunicatorsOwnCount) {
  for (const char* how : {"", "--processes"}) {
    const fs::path file = dir_ / "events.jsonl";
    const Ran ran =
        run(fmt::format("all_reduce --backend nccl -b 8 -e 64 -f 8 -n 4 -w 2 --rounds 1 -c 0 {} "
                        "--event-times {}",
                        how, file.string()));
    ASSERT_EQ(ran.status, 0) << ran.err;
    std::ifstream lines(file);
    std::map<std::pair<int, int>, std::vector<int>> sequences;  // by rank and bytes
    for (std::string line; std::getline(lines, line);) {
      const json event = json::parse(line);
      EXPECT_EQ(event["operation"], "all_reduce");
      EXPECT_GE(event["ns"].get<double>(), 0);
      sequences[{event["rank"], event["bytes"]}].push_back(event["sequence"]);
    }
    ASSERT_EQ(sequences.size(), 4u);
    for (int rank = 0; rank < 2; ++rank) {
      // 2 of warm-up, 4 measured; then, of 64 bytes, all before it (6 + 4 + 6 in place) and its own 6.
      EXPECT_THAT((sequences[{rank, 8}]), testing::ElementsAre(6, 7, 8, 9));
      EXPECT_THAT((sequences[{rank, 64}]), testing::ElementsAre(22, 23, 24, 25));
    }
  }
}

TEST_F(BenchNccl, TheTableIsReadByOurImporterOfNcclTests) {
  const Ran ran = run("all_gather --backend nccl -b 8 -e 4K -f 8 -n 3");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("# every element is checked"));
  const std::string import =
      fmt::format("{} import {}/out -o {}/t.pscope --json >{}/imported", PSCOPE_BINARY,
                  dir_.string(), dir_.string(), dir_.string());
  ASSERT_EQ(std::system(import.c_str()), 0);
  const json imported = json::parse(read_file(dir_ / "imported"));
  EXPECT_EQ(imported["records"], 4);
  EXPECT_EQ(imported["operations"], 8) << "out of place and in place";
  EXPECT_EQ(imported["bad"], 0);
}

TEST_F(BenchNccl, WhatNcclSaysOnStandardOutputStaysOutOfTheResult) {
  const Ran ran = run(fmt::format("all_reduce {} --processes", kSmall), "NCCL_DEBUG=INFO");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.parsed()["rows"].size(), 5u);
  EXPECT_THAT(ran.err, HasSubstr("NCCL INFO rank 1 of 2"));
}

TEST_F(BenchNccl, RanksArePinnedUnlessAskedNotTo) {
  const std::string sweep = fmt::format("all_reduce {} --processes", kSmall);
  const json devices = run(sweep).parsed()["devices"];
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_NE(devices[0]["pid"], devices[1]["pid"]);
  EXPECT_FALSE(devices[0]["cpus"].get<std::string>().empty());
  EXPECT_EQ(devices[0]["name"], "Fake GPU 0");
  EXPECT_TRUE(run(sweep + " --no-pin").parsed()["devices"][0]["cpus"].is_null());
}

}  // namespace
}  // namespace peerscope
