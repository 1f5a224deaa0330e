// Names as CUPTI gives them (mangled), as tools print them (demangled), and of C.
#include "source/cuda/known_kernels.hpp"

#include <string>

#include <gtest/gtest.h>

#include "peerscope/peerscope.h"

namespace peerscope::cuda {
namespace {

struct Named {
  const char* name;
  int kind, algorithm;
  Library library;
};

// Made with nvcc's mangling (the Itanium C++ ABI's) from the declarations in the repositories that the table names.
constexpr Named kNamed[] = {
    {"_ZN4vllm26cross_device_reduce_1stageI13__nv_bfloat16Li2EEEvPNS_8RankDataENS_"
     "11RankSignalsEPNS_6SignalEPT_ii",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_DIRECT, Library::vllm},
    {"_ZN4vllm26cross_device_reduce_2stageI6__halfLi8EEEvPNS_8RankDataENS_11RankSignalsEPNS_"
     "6SignalEPT_ii",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_TWO_SHOT, Library::vllm},
    {"void vllm::cross_device_reduce_1stage<__nv_bfloat16, 2>(vllm::RankData*, vllm::RankSignals, "
     "vllm::Signal*, __nv_bfloat16*, "
     "int, int)",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_DIRECT, Library::vllm},
    {"void (anonymous namespace)::all_reduce_one_shot_push_kernel<__nv_bfloat16, 4u, "
     "true>((anonymous "
     "namespace)::AllReducePushData, device::distributed::PushController)",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_DIRECT, Library::sglang},
    {"_ZN12_GLOBAL__N_126all_reduce_two_shot_kernelI13__nv_"
     "bfloat16Lj8ELb1EEEvPKN4host11distributed13AllReduceDataE",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_TWO_SHOT, Library::sglang},
    {"one_shot_all_reduce_kernel_optimized", PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_DIRECT,
     Library::sglang},
    {"void "
     "flashinfer::trtllm_allreduce_fusion::allreduce_fusion_kernel_oneshot_lamport<(flashinfer::"
     "trtllm_allreduce_fusion::"
     "AllReduceFusionPattern)1, __nv_bfloat16, 8, false, "
     "false>(flashinfer::trtllm_allreduce_fusion::AllReduceFusionParams<"
     "__nv_bfloat16>)",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_DIRECT, Library::trtllm},
    {"_ZN12tensorrt_llm7kernels16ar_fusion39allreduce_fusion_kernel_oneshot_lamportILNS1_"
     "22AllReduceFusionPatternE1E6__halfLi4E"
     "Lb0ELb1EEEvNS1_21AllReduceFusionParamsE",
     -1, -1, Library::trtllm},  // a wrong length: not a mangled name
    {"_ZN12tensorrt_llm7kernels9ar_fusion39allreduce_fusion_kernel_oneshot_lamportILNS1_"
     "22AllReduceFusionPatternE1E6__halfLi4E"
     "Lb0ELb1EEEvNS1_21AllReduceFusionParamsE",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_DIRECT, Library::trtllm},
    {"_ZN12tensorrt_llm7kernelsL22twoShotAllReduceKernelI6__halfLi8EEEvNS0_15AllReduceParamsE",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_TWO_SHOT, Library::trtllm},
    {"_ZN4c10d16intra_node_commL22oneShotAllReduceKernelILj8ELb1EEEvPN3c108BFloat16EmmPPNS0_"
     "8P2pStateEPS4_m",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_DIRECT, Library::pytorch},
    {"_ZN10flashinfer10mixed_comm16allreduce_kernelILi1EEEvv", PSCOPE_KIND_ALL_REDUCE,
     PSCOPE_ALGORITHM_UNKNOWN, Library::flashinfer},
    {"_Z20pg_all_reduce_kernelP9PGContextjiiPhS1_mmPj", PSCOPE_KIND_ALL_REDUCE,
     PSCOPE_ALGORITHM_HOST_STAGED, Library::exllama},
    {"_Z17pg_barrier_kernelP9PGContextjiiPj", PSCOPE_KIND_BARRIER, PSCOPE_ALGORITHM_HOST_STAGED,
     Library::exllama},
    {"_Z19pg_broadcast_kernelP9PGContextjiiPhS1_mmPj", PSCOPE_KIND_BROADCAST,
     PSCOPE_ALGORITHM_HOST_STAGED, Library::exllama},
    {"_ZL19ggml_cuda_ar_kernelIf6__halfEvPKT_PS1_PT0_PKS4_iPiS7_", PSCOPE_KIND_ALL_REDUCE,
     PSCOPE_ALGORITHM_HOST_STAGED, Library::llama_cpp},
    {"_ZN12_GLOBAL__N_126one_shot_all_reduce_kernelIN3c108BFloat16ELi16ELi2EEEvPPT_S4_S4_mmPPjmm",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_DIRECT, Library::pytorch},
    {"_ZN54_GLOBAL__N__b52a9e9d_25_CUDASymmetricMemoryOps_cu_0L35two_shot_all_reduce_kernel_"
     "inplaceI"
     "N3c108BFloat16ELi16ELi2EEEvPPT_mmPPjmm",
     -1, -1, Library::pytorch},  // a wrong length again
    {"_ZN44_GLOBAL__N__b52a9e9d_CUDASymmetricMemoryOps_34two_shot_all_reduce_kernel_inplaceI"
     "N3c108BFloat16ELi16ELi2EEEvPPT_mmPPjmm",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_TWO_SHOT, Library::pytorch},
    {"_ZN12_GLOBAL__N_126two_shot_all_reduce_kernelIfLi16ELi8ELb1ELb0EEEvPPT_S1_mmPPjmmm",
     PSCOPE_KIND_REDUCE_SCATTER, PSCOPE_ALGORITHM_DIRECT, Library::pytorch},
    {"_ZN12_GLOBAL__N_126two_shot_all_reduce_kernelIfLi16ELi8ELb0ELb0EEEvPPT_S1_mmPPjmmm",
     PSCOPE_KIND_ALL_REDUCE, PSCOPE_ALGORITHM_TWO_SHOT, Library::pytorch},
    {"_ZN12_GLOBAL__N_126multimem_all_reduce_kernelIfLi16EEEvPT_mPPjmm", PSCOPE_KIND_ALL_REDUCE,
     PSCOPE_ALGORITHM_NVLS, Library::pytorch},
    {"_ZN7mscclpp10collective13allreduceRsAgIfEEvPT_", PSCOPE_KIND_ALL_REDUCE,
     PSCOPE_ALGORITHM_TWO_SHOT, Library::mscclpp},
    {"_ZN7deep_ep9intranode8dispatchILi8ELi768ELi8192EEEvP4int4", PSCOPE_KIND_ALL_TO_ALL,
     PSCOPE_ALGORITHM_UNKNOWN, Library::deep_ep},
};

TEST(KnownKernels, AreFoundByNamesAsTheyAre) {
  for (const Named& named : kNamed) {
    const KnownKernel* found = find_kernel(named.name);
    if (named.kind < 0) {
      EXPECT_EQ(found, nullptr) << named.name;
      continue;
    }
    ASSERT_NE(found, nullptr) << named.name;
    EXPECT_EQ(found->kind, named.kind) << named.name;
    EXPECT_EQ(found->algorithm, named.algorithm) << named.name;
    EXPECT_EQ(found->library, named.library) << named.name;
  }
}

TEST(KnownKernels, AreFoundEachByItsNameAlone) {
  for (std::size_t i = 0; i < known_kernel_count(); ++i) {
    const KnownKernel& kernel = known_kernel(i);
    const std::string space = kernel.within != nullptr ? kernel.within : "other";
    // Where what must be within is no namespace, a template argument or a parameter has it.
    const bool argument = space == "ELb1ELb" || space == "P2pState";
    const std::string mangled = argument ? "_Z" + std::to_string(std::string(kernel.name).size()) +
                                               kernel.name + "ILi8" + space + "0EEv"
                                         : "_ZN" + std::to_string(space.size()) + space +
                                               std::to_string(std::string(kernel.name).size()) +
                                               kernel.name + "IfEEvPT_";
    const KnownKernel* found = find_kernel(mangled.c_str());
    ASSERT_NE(found, nullptr) << mangled;
    EXPECT_STREQ(found->name, kernel.name);
    EXPECT_EQ(found->kind, kernel.kind) << mangled;
    EXPECT_EQ(found->library, kernel.library) << mangled;
  }
}

TEST(KnownKernels, AreNeitherNcclsNorOrdinaryOnes) {
  for (const char* name : {
           "_Z40ncclDevKernel_AllReduce_Sum_bf16_RING_LL24ncclDevKernelArgsStorageILm4096EE",
           "ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
           "_Z32ncclSymkDevKernel_AllReduce_RSxLD24ncclSymDevArgs",
           "_ZN7cutlass13device_kernelINS_4gemm6kernel13GemmUniversalIN4cute5tupleIJiiiiEEEEEEvT_",
           "_ZN2at6native29vectorized_elementwise_kernelILi4ENS0_15CUDAFunctor_addIfEEEEviT0_T1_",
           "nvjet_sm90_tst_128x64_64x8_1x2_h_bz_TNT",
           "_Z8dispatchILi8EEvPf",               // somebody's own
           "_ZN3foo16allreduce_kernelIfEEvPT_",  // not FlashInfer's
           "_ZN7flash_attn26cross_device_reduce_1stagfEvv",
           "triton_poi_fused_add_0",
           "_ZN2at6native13reduce_kernelILi512ELi1ENS0_8ReduceOpIfEEEEvT1_",
           "",
           "_Z",
           "_ZN",
           "_Z99x",
           "_Z99999999999999999999cross_device_reduce_1stage",
           "(anonymous namespace)",
       })
    EXPECT_EQ(find_kernel(name), nullptr) << name;
  EXPECT_EQ(find_kernel(nullptr), nullptr);
}

TEST(KnownKernels, AreRememberedByAddressUntilAnotherNameIsThere) {
  char name[64] = "_Z20pg_all_reduce_kernelP9PGContextjiiPhS1_mmPj";
  for (int i = 0; i < 3; ++i) {
    const KnownKernel* found = recall_kernel(name);
    ASSERT_NE(found, nullptr);
    EXPECT_STREQ(found->name, "pg_all_reduce_kernel");
  }
  std::snprintf(name, sizeof name, "_Z14another_kernelv");
  EXPECT_EQ(recall_kernel(name), nullptr);
  EXPECT_EQ(recall_kernel(name), nullptr);
  EXPECT_EQ(recall_kernel(nullptr), nullptr);
}

}  // namespace
}  // namespace peerscope::cuda
