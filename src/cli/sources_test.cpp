// Which variables `run` sets, and which of the user's it leaves alone.
#include "cli/sources.hpp"

#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const char* g_nccl = nullptr;  // what the environment says
const char* g_cuda = nullptr;

const char* current(const char* name) {
  return std::string_view(name) == "NCCL_PROFILER_PLUGIN" ? g_nccl : g_cuda;
}

SourceEnvironment environment(const char* nccl, const char* cuda, const SourceLibraries& libraries,
                              const std::vector<Override>& overrides = {}) {
  g_nccl = nccl;
  g_cuda = cuda;
  Sources sources;
  sources.etc = sources.cwd = "/nowhere";
  sources.overrides = {{"source.cuda", "true", "--set"}};  // off unless asked for
  sources.overrides.insert(sources.overrides.end(), overrides.begin(), overrides.end());
  return source_environment(*load(sources), libraries, current);
}

const SourceLibraries kBoth{"/p/lib/nccl.so", "/p/lib/cuda.so"};

TEST(SourceEnvironment, NamesOurLibrariesWhereTheyWereBuilt) {
  EXPECT_THAT(environment(nullptr, nullptr, kBoth).variables,
              ElementsAre(Pair("NCCL_PROFILER_PLUGIN", "/p/lib/nccl.so"),
                          Pair("CUDA_INJECTION64_PATH", "/p/lib/cuda.so")));
  const SourceEnvironment none = environment("other", "other", {});
  EXPECT_THAT(none.variables, IsEmpty());
  EXPECT_THAT(none.notes, IsEmpty());
}

TEST(SourceEnvironment, TakesTheUsersPluginAlong) {
  EXPECT_THAT(environment("inspector", nullptr, {"/p/lib/nccl.so", ""}).variables,
              ElementsAre(Pair("PEERSCOPE_NCCL_CHAIN", "inspector"),
                          Pair("NCCL_PROFILER_PLUGIN", "/p/lib/nccl.so")));
  EXPECT_THAT(environment("/p/lib/nccl.so", "", kBoth).variables,
              ElementsAre(Pair("NCCL_PROFILER_PLUGIN", "/p/lib/nccl.so"),
                          Pair("CUDA_INJECTION64_PATH", "/p/lib/cuda.so")));
}

TEST(SourceEnvironment, LeavesWhatIsTakenOrForbiddenAndSaysSo) {
  const SourceEnvironment got = environment("none", "/opt/nsight.so", kBoth);
  EXPECT_THAT(got.variables, IsEmpty());
  EXPECT_THAT(got.notes, ElementsAre(HasSubstr("NCCL_PROFILER_PLUGIN is none"),
                                     HasSubstr("CUDA_INJECTION64_PATH is /opt/nsight.so")));
}

TEST(SourceEnvironment, CudaIsLeftAloneUnlessAskedFor) {
  g_nccl = g_cuda = nullptr;
  Sources sources;
  sources.etc = sources.cwd = "/nowhere";
  EXPECT_THAT(source_environment(*load(sources), kBoth, current).variables,
              ElementsAre(Pair("NCCL_PROFILER_PLUGIN", "/p/lib/nccl.so")));
}

TEST(SourceEnvironment, CanBeSwitchedOff) {
  const SourceEnvironment got =
      environment("none", nullptr, kBoth,
                  {{"source.nccl", "false", "--set"}, {"source.cuda", "false", "--set"}});
  EXPECT_THAT(got.variables, IsEmpty());
  EXPECT_THAT(got.notes, IsEmpty());
}

}  // namespace
}  // namespace peerscope
