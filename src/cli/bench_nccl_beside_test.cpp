// NCCL beside other backends: `bench ... --backend host,nccl` and the commands that sweep, over a libcuda and a libnccl of host
// memory (comm/nccl/fake).
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
using testing::Contains;
using testing::HasSubstr;

class NcclBeside : public testing::Test {
 protected:
  NcclBeside() : dir_(fs::temp_directory_path() / fmt::format("pscope-beside-{}", getpid())) {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  ~NcclBeside() override { fs::remove_all(dir_); }

  // `variables`: "NAME=VALUE ..." in front of the command.
  Ran run(const std::string& arguments, const std::string& variables = {}) const {
    const std::string line = fmt::format(
        "PEERSCOPE_RUNTIME_DIR={0}/run PEERSCOPE_STATE_DIR={0}/state LD_LIBRARY_PATH={1} "
        "FAKE_CUDA_DEVICES=3 {2} {3} {4} >{0}/out 2>{0}/err",
        dir_.string(), PSCOPE_FAKE_GPU_DIR, variables, PSCOPE_BINARY, arguments);
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            read_file(dir_ / "out"), read_file(dir_ / "err")};
  }
  fs::path dir_;
};

constexpr const char* kSmall = "-b 8 -e 64K -f 64 -n 3 -w 1 --rounds 4 --json";

TEST_F(NcclBeside, EveryOperationIsMeasuredInTheSameWay) {
  for (const char* kind : {"all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce",
                           "gather", "all_to_all", "sendrecv"}) {
    for (const char* how : {"", "--threads"}) {
      SCOPED_TRACE(fmt::format("{} {}", kind, how));
      const Ran ran =
          run(fmt::format("bench {} {} -g 3 --backend host,nccl {}", kind, kSmall, how));
      ASSERT_EQ(ran.status, 0) << ran.err;
      const json rows = ran.parsed()["rows"];
      ASSERT_EQ(rows.size(), 6u);
      for (std::size_t i = 0; i < 3; ++i) {
        const json &host = rows[i], &nccl = rows[3 + i];
        EXPECT_EQ(nccl["backend"], "nccl");
        EXPECT_EQ(nccl["algorithm"], "auto");
        for (const char* name : {"operation", "bytes", "count", "ranks", "checked", "wrong"})
          EXPECT_EQ(nccl[name], host[name]) << name;
        EXPECT_EQ(nccl["wrong"], 0);
        EXPECT_EQ(nccl["in_place"].is_null(), host["in_place"].is_null());
        EXPECT_EQ(nccl["samples_us"].size(), 4u) << "a sample is a round";
        EXPECT_GT(nccl["device_us"].get<double>(), 0);
      }
    }
  }
}

TEST_F(NcclBeside, GraphsAreMeasuredAndTheHostSaysThatItHasNone) {
  const Ran ran = run(fmt::format("bench all_reduce {} -g 2 -G 1 --backend host,nccl", kSmall));
  ASSERT_EQ(ran.status, 0) << ran.err;
  const json out = ran.parsed();
  ASSERT_EQ(out["rows"].size(), 3u);
  EXPECT_EQ(out["rows"][0]["graph"], true);
  EXPECT_EQ(out["rows"][0]["wrong"], 0);
  EXPECT_THAT(out["skipped"].dump(), HasSubstr("the host device has no graphs"));
}

TEST_F(NcclBeside, WhatIsNotHereIsSkippedWithItsReason) {
  const auto expect = [&](const std::string& arguments, const char* words) {
    const Ran ran =
        run(fmt::format("bench all_reduce {} --backend host,nccl {}", kSmall, arguments));
    ASSERT_EQ(ran.status, 0) << ran.err;
    const json out = ran.parsed();
    EXPECT_EQ(out["rows"].back()["backend"], "host") << arguments;
    EXPECT_THAT(out["skipped"].dump(), HasSubstr(words));
  };
  expect("-g 4", "-g 4, but there are 3; NCCL wants a GPU for each rank");
  expect("-g 2 --algo ring", "all_reduce on nccl has no algorithm ring: use one of auto");
  expect("-g 2 --nccl /nowhere/libnccl.so", "NCCL cannot be loaded (/nowhere/libnccl.so");
}

TEST_F(NcclBeside, TheLibraryThatIsNamedIsTheOneThatIsUsed) {
  const std::string sweep =
      fmt::format("bench all_to_all {} -g 2 --backend host,nccl --nccl {}/new/libnccl.so.2", kSmall,
                  PSCOPE_FAKE_GPU_DIR);
  EXPECT_EQ(run(sweep).status, 0);
  const Ran failed = run(sweep, "FAKE_NCCL_FAIL=ncclAlltoAll");  // only the newer one has it
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.err, HasSubstr("ncclAlltoAll failed on rank"));
}

TEST_F(NcclBeside, FlagsOfItsDriverAreForNcclAlone) {
  for (const char* flag : {"-r 1", "-o prod", "--processes", "--levels", "--event-times x"}) {
    const Ran ran = run(fmt::format("bench all_reduce {} --backend host,nccl {}", kSmall, flag));
    EXPECT_EQ(ran.status, 2) << flag;
    EXPECT_THAT(ran.err, HasSubstr("is for one operation with --backend nccl alone")) << flag;
  }
  const Ran p2p = run("bench p2p --backend nccl");
  EXPECT_EQ(p2p.status, 2);
  EXPECT_THAT(p2p.err, HasSubstr("nccl has no such test cases: write host or cuda"));
}

TEST_F(NcclBeside, WrongValuesAndDeadRanksAreNoticed) {
  const std::string sweep =
      fmt::format("bench all_reduce {} -d i32 -g 2 --backend host,nccl", kSmall);
  const Ran wrong = run(sweep, "FAKE_NCCL_CORRUPT=1");
  EXPECT_EQ(wrong.status, 1);
  EXPECT_EQ(wrong.parsed()["rows"][3]["wrong"], 1);
  const Ran dead = run(sweep, "FAKE_NCCL_DIE=1");
  EXPECT_EQ(dead.status, 1);
  EXPECT_THAT(dead.err, HasSubstr("a rank was ended by signal 9"));
}

TEST_F(NcclBeside, WhatNcclSaysOnStandardOutputStaysOutOfTheResult) {
  const Ran ran =
      run(fmt::format("bench all_reduce {} -g 2 --backend host,nccl", kSmall), "NCCL_DEBUG=INFO");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.parsed()["rows"].size(), 6u);
  EXPECT_THAT(ran.err, HasSubstr("NCCL INFO rank 1 of 2"));
}

TEST_F(NcclBeside, TheCommandsThatSweepTakeIt) {
  const Ran scale = run("bench scale -b 1K -e 1K -n 3 --rounds 2 -g 2,3 --backend nccl --json");
  ASSERT_EQ(scale.status, 0) << scale.err;
  EXPECT_EQ(scale.parsed()["rows"].size(), 2u);
  const Ran dtype = run("bench dtype -b 1K -e 1K -n 3 --rounds 2 -g 2 --backend nccl --json");
  ASSERT_EQ(dtype.status, 0) << dtype.err;
  EXPECT_EQ(dtype.parsed()["rows"].size(), 6u);
  const Ran suite = run("bench suite --backend nccl --steps broadcast,sendrecv --json");
  ASSERT_EQ(suite.status, 0) << suite.err;
  const json state = suite.parsed();
  EXPECT_EQ(state["done"], (json{"nccl broadcast", "nccl sendrecv"}));
  EXPECT_THAT(state["skipped"], testing::IsEmpty()) << suite.out;
  const Ran tune =
      run("bench tune -g 2 -b 8 -e 8 -n 3 --operation all_reduce --backend host,nccl --json");
  ASSERT_EQ(tune.status, 0) << tune.err;
  for (const json& choice : tune.parsed()["choices"]) EXPECT_EQ(choice["backend"], "host");
}

TEST_F(NcclBeside, VerifyRunsRandomOperationsAndGraphs) {
  const Ran ran = run("verify --backend nccl -g 3 -n 120 --most 64K --json");
  ASSERT_EQ(ran.status, 0) << ran.out << ran.err;
  EXPECT_EQ(ran.parsed()["cases"], 120);
  EXPECT_GT(ran.parsed()["graphs"], 0);
  const Ran wrong = run("verify --backend nccl -n 200 --most 64K --timeout 0.5",
                        "FAKE_NCCL_CORRUPT=0 FAKE_NCCL_HANG_MS=300");
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.out, HasSubstr("element 0 of"));
  const Ran few = run("verify --backend nccl -g 4");
  EXPECT_EQ(few.status, 2);
  EXPECT_THAT(few.err, HasSubstr("-g 4: NCCL wants a GPU for each rank, of which there are 3"));
  const Ran none = run("verify --backend nccl --nccl /nowhere/libnccl.so");
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("NCCL cannot be loaded (/nowhere/libnccl.so"));
}

TEST_F(NcclBeside, AKilledRankIsNamedAfterTheTimeOut) {
  const Ran ran =
      run("verify --backend nccl --kills 3 --timeout 0.2 --json", "FAKE_NCCL_HANG_MS=400");
  ASSERT_EQ(ran.status, 0) << ran.out << ran.err;
  EXPECT_EQ(ran.parsed()["unnamed"], 0);
  EXPECT_THAT(ran.parsed()["example"].get<std::string>(), HasSubstr("is gone"));
}

}  // namespace
}  // namespace peerscope
