// A second plugin behind ours. In children, before this process loads the plugin: a process has one chain.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "source/nccl/nccl_for_test.hpp"

namespace peerscope {
namespace {

class Chain : public NcclTest {};

TEST_F(Chain, TakesASecondPluginAlong) {
  const auto work = [] {
    setenv("PEERSCOPE_NCCL_CHAIN", PSCOPE_SECOND_PLUGIN, 1);
    Result<FakeNccl> nccl = FakeNccl::load(PSCOPE_NCCL_PLUGIN, 6);
    if (!nccl) return 1;
    FakeNccl::Comm comm = nccl->init(0x9200, 2, 0);
    if ((nccl->mask() & nccl::kKernelCh) == 0) return 2;  // the union of both
    for (int i = 0; i < 100; ++i) {
      FakeNccl::Collective what;
      what.channels = channels(0, 3, device_now(), 0, 500);
      nccl->collective(comm, what);
    }
    nccl->finalize(comm);
    using Counts = void (*)(int*);
    void* second = dlopen(PSCOPE_SECOND_PLUGIN, RTLD_NOW);
    const auto counts = reinterpret_cast<Counts>(dlsym(second, "second_plugin_counts"));
    int n[9] = {};
    counts(n);
    if (n[0] != 1 || n[1] != 1) return 3;
    if (n[2] != 100 || n[3] != 100 || n[4] != 100 || n[5] != 300) return 4;
    if (n[6] != 600 || n[7] < 300) return 5;
    return n[8] == 0 ? 0 : 6;
  };
  const pid_t child = fork();
  if (child == 0) _exit(work());
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(recorded(0x9200).operations.size(), 100u);
}

TEST_F(Chain, ThatCannotBeLoadedIsOneLineAndNoMore) {
  const auto work = [] {
    setenv("PEERSCOPE_NCCL_CHAIN", "no-such-plugin", 1);
    Result<FakeNccl> nccl = FakeNccl::load(PSCOPE_NCCL_PLUGIN, 5);
    FakeNccl::Comm comm = nccl->init(0x9300, 2, 0);
    nccl->collective(comm, {});
    return 0;
  };
  const pid_t child = fork();
  if (child == 0) _exit(work());
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(recorded(0x9300).operations.size(), 1u);
}

}  // namespace
}  // namespace peerscope
