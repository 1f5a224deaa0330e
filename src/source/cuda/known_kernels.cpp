// The table, and how a name is looked up in it. Each row says which file of which repository the kernel is in.
#include "source/cuda/known_kernels.hpp"

#include <string.h>

#include "peerscope/peerscope.h"

namespace peerscope::cuda {
namespace {

constexpr std::uint8_t kAllReduce = PSCOPE_KIND_ALL_REDUCE, kReduce = PSCOPE_KIND_REDUCE,
                       kAllGather = PSCOPE_KIND_ALL_GATHER, kBroadcast = PSCOPE_KIND_BROADCAST,
                       kReduceScatter = PSCOPE_KIND_REDUCE_SCATTER, kGather = PSCOPE_KIND_GATHER,
                       kAllToAll = PSCOPE_KIND_ALL_TO_ALL, kBarrier = PSCOPE_KIND_BARRIER,
                       kSend = PSCOPE_KIND_SEND, kRecv = PSCOPE_KIND_RECV,
                       kOther = PSCOPE_KIND_OTHER;
constexpr std::uint8_t kUnknown = PSCOPE_ALGORITHM_UNKNOWN, kDirect = PSCOPE_ALGORITHM_DIRECT,
                       kTwoShot = PSCOPE_ALGORITHM_TWO_SHOT, kRing = PSCOPE_ALGORITHM_RING,
                       kNvls = PSCOPE_ALGORITHM_NVLS, kStaged = PSCOPE_ALGORITHM_HOST_STAGED;

// Of two rows with one name the first that fits counts.
constexpr KnownKernel kKernels[] = {
    // vllm-project/vllm csrc/custom_all_reduce.cuh; the same in sgl-project/sglang sgl-kernel/csrc/allreduce/
    // custom_all_reduce.cuh and flashinfer-ai/flashinfer include/flashinfer/comm/vllm_custom_all_reduce.cuh
    {"cross_device_reduce_1stage", nullptr, Library::vllm, kAllReduce, kDirect},
    {"cross_device_reduce_2stage", nullptr, Library::vllm, kAllReduce, kTwoShot},
    {"cross_device_reduce_half_butterfly", nullptr, Library::vllm, kAllReduce,
     kUnknown},  // until 2024

    // sgl-project/sglang python/sglang/jit_kernel/csrc/distributed/custom_all_reduce_{pull,push}.cuh
    {"all_reduce_one_shot_kernel", nullptr, Library::sglang, kAllReduce, kDirect},
    {"all_reduce_one_shot_push_kernel", nullptr, Library::sglang, kAllReduce, kDirect},
    {"all_reduce_two_shot_kernel", nullptr, Library::sglang, kAllReduce, kTwoShot},
    // sgl-project/sglang, a Triton kernel: sglang::triton_one_shot_all_reduce
    {"one_shot_all_reduce_kernel_optimized", nullptr, Library::sglang, kAllReduce, kDirect},
    // sgl-project/sglang sgl-kernel/csrc/allreduce/mscclpp_allreduce.cuh
    {"allreduce_LL_1node", nullptr, Library::sglang, kAllReduce, kUnknown},
    {"allreduce_LL_2node", nullptr, Library::sglang, kAllReduce, kUnknown},

    // NVIDIA/TensorRT-LLM cpp/tensorrt_llm/kernels/communicationKernels/allReduceFusionKernels.cu;
    // flashinfer include/flashinfer/comm/trtllm_allreduce_fusion.cuh
    {"allreduce_fusion_kernel_oneshot_lamport", nullptr, Library::trtllm, kAllReduce, kDirect},
    {"allreduce_fusion_kernel_twoshot_sync", nullptr, Library::trtllm, kAllReduce, kTwoShot},
    // TensorRT-LLM .../moeAllReduceFusionKernels.cu; flashinfer .../trtllm_moe_allreduce_fusion.cuh
    {"moereduce_allreduce_fusion_kernel_oneshot_lamport", nullptr, Library::trtllm, kAllReduce,
     kDirect},
    {"moefinalize_allreduce_fusion_kernel_oneshot_lamport", nullptr, Library::trtllm, kAllReduce,
     kDirect},
    // TensorRT-LLM .../mnnvlAllreduceKernels.cu; flashinfer .../trtllm_mnnvl_allreduce.cuh
    {"oneshotAllreduceFusionKernel", nullptr, Library::trtllm, kAllReduce, kDirect},
    {"twoshotAllreduceKernel", nullptr, Library::trtllm, kAllReduce, kTwoShot},
    // pytorch/pytorch torch/csrc/distributed/c10d/intra_node_comm.cu, until 2.6: in no namespace of theirs, but for bfloat16 of c10
    {"oneShotAllReduceKernel", "P2pState", Library::pytorch, kAllReduce, kDirect},
    {"twoShotAllReduceKernel", "P2pState", Library::pytorch, kAllReduce, kTwoShot},
    {"hybridCubeMeshAllReduceKernel", nullptr, Library::pytorch, kAllReduce, kUnknown},
    // TensorRT-LLM cpp/tensorrt_llm/kernels/customAllReduceKernels.cu; flashinfer .../trtllm_allreduce.cuh
    {"oneShotAllReduceKernel", nullptr, Library::trtllm, kAllReduce, kDirect},
    {"twoShotAllReduceKernel", nullptr, Library::trtllm, kAllReduce, kTwoShot},
    {"lamport_style_one_shot_all_reduce_norm_kernel", nullptr, Library::trtllm, kAllReduce,
     kDirect},
    {"one_shot_all_reduce_norm_kernel", nullptr, Library::trtllm, kAllReduce, kDirect},
    {"one_shot_prenorm_all_reduce_norm_kernel", nullptr, Library::trtllm, kAllReduce, kDirect},
    // TensorRT-LLM .../customLowPrecisionAllReduceKernels.cu
    {"lowPrecisionTwoShotHierAllReduceKernel", nullptr, Library::trtllm, kAllReduce, kTwoShot},
    // TensorRT-LLM .../moeAlltoAllKernels.cu; flashinfer csrc/nv_internal/.../moeAlltoAllKernels.cu
    {"moeA2ADispatchKernel", nullptr, Library::trtllm, kAllToAll, kDirect},
    {"moeA2ACombineKernel", nullptr, Library::trtllm, kAllToAll, kDirect},
    // flashinfer csrc/nv_internal/tensorrt_llm/kernels/helixAllToAll.cu, include/flashinfer/comm/trtllm_alltoall.cuh
    {"helixAllToAllKernel", nullptr, Library::trtllm, kAllToAll, kDirect},
    {"moeAllToAllKernel", nullptr, Library::trtllm, kAllToAll, kDirect},

    // flashinfer-ai/flashinfer include/flashinfer/comm/mixed_comm.cuh
    {"allreduce_kernel", "mixed_comm", Library::flashinfer, kAllReduce, kUnknown},
    {"allgather_kernel", "mixed_comm", Library::flashinfer, kAllGather, kUnknown},
    {"reducescatter_kernel", "mixed_comm", Library::flashinfer, kReduceScatter, kUnknown},
    {"fused_allreduce_allgather_kernel", "mixed_comm", Library::flashinfer, kAllReduce, kUnknown},
    {"fused_reducescatter_allreduce_kernel", "mixed_comm", Library::flashinfer, kAllReduce,
     kUnknown},
    // flashinfer-ai/flashinfer include/flashinfer/comm/pcie_ipc_all_reduce.cuh
    {"ipc_tp2_remote_push_kernel", "pcie_ipc", Library::flashinfer, kAllReduce, kDirect},
    {"push_oneshot_param_kernel", "pcie_ipc", Library::flashinfer, kAllReduce, kDirect},
    {"ipc_rsag_push_param_kernel", "pcie_ipc", Library::flashinfer, kAllReduce, kTwoShot},
    {"ipc_rsag_ring_push_param_kernel", "pcie_ipc", Library::flashinfer, kAllReduce, kRing},
    {"ipc_topo_rsag8_push_param_kernel", "pcie_ipc", Library::flashinfer, kAllReduce, kTwoShot},
    {"ipc_topo_rsag8_block_param_kernel", "pcie_ipc", Library::flashinfer, kAllReduce, kTwoShot},
    {"ipc_topo_rsag8_ring_push_param_kernel", "pcie_ipc", Library::flashinfer, kAllReduce, kRing},

    // turboderp-org/exllamav3 exllamav3/exllamav3_ext/parallel/{all_reduce,all_reduce_cpu,broadcast,gather,barrier}.cu: through
    // memory of the host
    {"pg_all_reduce_kernel", nullptr, Library::exllama, kAllReduce, kStaged},
    {"pg_all_reduce_cpu_kernel", nullptr, Library::exllama, kAllReduce, kStaged},
    {"pg_all_reduce_cpu_send_kernel", nullptr, Library::exllama, kSend,
     kStaged},  // the two halves of one
    {"pg_all_reduce_cpu_recv_kernel", nullptr, Library::exllama, kRecv, kStaged},
    {"pg_broadcast_kernel", nullptr, Library::exllama, kBroadcast, kStaged},
    {"pg_broadcast_ll_kernel", nullptr, Library::exllama, kBroadcast, kStaged},
    {"pg_gather_kernel", nullptr, Library::exllama, kGather, kStaged},
    {"pg_gather_small_kernel", nullptr, Library::exllama, kGather, kStaged},
    {"pg_barrier_kernel", nullptr, Library::exllama, kBarrier, kStaged},

    // ggml-org/llama.cpp ggml/src/ggml-cuda/allreduce.cu: through pinned memory of the host. Its copies between devices are
    // cudaMemcpyPeerAsync, and seen as such.
    {"ggml_cuda_ar_kernel", nullptr, Library::llama_cpp, kAllReduce, kStaged},

    // pytorch/pytorch torch/csrc/distributed/c10d/symm_mem/CUDASymmetricMemoryOps.cu. The fourth template argument of
    // two_shot_all_reduce_kernel is whether it stops after the reduce-scatter.
    {"one_shot_all_reduce_kernel", nullptr, Library::pytorch, kAllReduce, kDirect},
    {"two_shot_all_reduce_kernel", "ELb1ELb", Library::pytorch, kReduceScatter, kDirect},
    {"two_shot_all_reduce_kernel", nullptr, Library::pytorch, kAllReduce, kTwoShot},
    {"two_shot_all_reduce_kernel_inplace", nullptr, Library::pytorch, kAllReduce, kTwoShot},
    {"multimem_all_reduce_kernel", nullptr, Library::pytorch, kAllReduce, kNvls},
    {"multimem_one_shot_all_reduce_kernel", nullptr, Library::pytorch, kAllReduce, kNvls},
    {"multimem_one_shot_reduce_kernel", nullptr, Library::pytorch, kReduce, kNvls},
    {"multimem_all_gather_kernel", nullptr, Library::pytorch, kAllGather, kNvls},

    // microsoft/mscclpp src/ext/collectives/{allreduce,allgather}/*.cu; what executionKernel (src/core/include/
    // execution_kernel.hpp) does is in its plan
    {"allreduceAllPairs", "mscclpp", Library::mscclpp, kAllReduce, kDirect},
    {"allreducePacket", "mscclpp", Library::mscclpp, kAllReduce, kTwoShot},
    {"allreduceFullmesh", "mscclpp", Library::mscclpp, kAllReduce, kTwoShot},
    {"allreduceRsAg", "mscclpp", Library::mscclpp, kAllReduce, kTwoShot},
    {"allreduceRsAgPipeline", "mscclpp", Library::mscclpp, kAllReduce, kTwoShot},
    {"allreduceRsAgZeroCopy", "mscclpp", Library::mscclpp, kAllReduce, kTwoShot},
    {"allreduceNvls", "mscclpp", Library::mscclpp, kAllReduce, kNvls},
    {"allreduceNvlsPacket", "mscclpp", Library::mscclpp, kAllReduce, kNvls},
    {"allreduceNvlsBlockPipeline", "mscclpp", Library::mscclpp, kAllReduce, kNvls},
    {"allreduceNvlsWarpPipeline", "mscclpp", Library::mscclpp, kAllReduce, kNvls},
    {"allgatherFullmesh", "mscclpp", Library::mscclpp, kAllGather, kDirect},
    {"allgatherFullmesh2", "mscclpp", Library::mscclpp, kAllGather, kDirect},
    {"executionKernel", "mscclpp", Library::mscclpp, kOther, kUnknown},

    // deepseek-ai/DeepEP csrc/kernels/{intranode,internode,internode_ll}.cu
    {"dispatch", "deep_ep", Library::deep_ep, kAllToAll, kUnknown},
    {"combine", "deep_ep", Library::deep_ep, kAllToAll, kUnknown},
};
constexpr std::size_t kCount = sizeof kKernels / sizeof kKernels[0];

constexpr const char* kLibraryNames[] = {"vllm all-reduce", "sglang",    "trtllm",
                                         "flashinfer",      "exllamav3", "llama.cpp",
                                         "symm_mem",        "mscclpp",   "deep_ep"};
static_assert(sizeof kLibraryNames / sizeof kLibraryNames[0] == kLibraries);

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

// _Z [L] name | _Z N [qualifiers] name... E, where a name is its length and its text: the last before template arguments or
// the end. What is more complicated (a substitution, an operator) is not in the table.
Identifier identifier_of_mangled(const char* at) {
  Identifier last{at, 0};
  if (*at == 'N') ++at;
  while (*at == 'L' || *at == 'K' || *at == 'V') ++at;  // static; const and volatile members
  while (is_digit(*at)) {
    std::size_t size = 0;
    while (is_digit(*at) && size < 4096) size = size * 10 + static_cast<std::size_t>(*at++ - '0');
    if (size == 0 || strnlen(at, size) < size) return {at, 0};
    last = {at, size};
    at += size;
    while (*at == 'L') ++at;  // static within a namespace
  }
  return last;
}

// A demangled name: "void ns::(anonymous namespace)::name<arguments>(parameters)", or plain C.
Identifier identifier_of_text(const char* name) {
  Identifier last{name, 0};
  const char* at = name;
  while (*at != '\0') {
    if (is_word(*at)) {
      const char* begin = at;
      while (is_word(*at)) ++at;
      last = {begin, static_cast<std::size_t>(at - begin)};
      continue;
    }
    if (*at == '<') break;
    if (*at == '(') {
      if (strncmp(at, "(anonymous namespace)", 21) != 0) break;
      at += 21;
      continue;
    }
    ++at;
  }
  return last;
}

std::uint32_t hash_of(const char* text, std::size_t size) {
  std::uint32_t hash = 2166136261u;
  for (std::size_t i = 0; i < size; ++i)
    hash = (hash ^ static_cast<unsigned char>(text[i])) * 16777619u;
  return hash;
}

constexpr std::uint32_t kBuckets = 256;
struct Index {
  std::uint32_t first[kBuckets] = {};  // row + 1
  std::uint32_t next[kCount] = {};
};
constexpr std::uint32_t constant_hash(const char* text) {
  std::uint32_t hash = 2166136261u;
  for (; *text != '\0'; ++text) hash = (hash ^ static_cast<unsigned char>(*text)) * 16777619u;
  return hash;
}
constexpr Index make_index() {
  Index index;
  for (std::size_t i = kCount; i-- > 0;) {
    std::uint32_t& bucket = index.first[constant_hash(kKernels[i].name) % kBuckets];
    index.next[i] = bucket;
    bucket = static_cast<std::uint32_t>(i + 1);
  }
  return index;
}
constexpr Index kIndex = make_index();

// A name's address, the begin of its text (the module may have gone, and another name be there), and the row found, + 1.
struct Remembered {
  const char* name = nullptr;
  std::uint32_t hash = 0;
  std::uint32_t row = 0;  // 0: none of ours
};
constexpr std::uint32_t kPlaces = 1024;
constinit Remembered g_remembered[kPlaces];

std::uint32_t begin_of(const char* name) { return hash_of(name, strnlen(name, 32)); }

}  // namespace

const char* library_name(std::uint32_t library) { return kLibraryNames[library % kLibraries]; }
std::size_t known_kernel_count() { return kCount; }
const KnownKernel& known_kernel(std::size_t index) { return kKernels[index % kCount]; }

Identifier identifier_of(const char* name) {
  if (name[0] == '_' && name[1] == 'Z') return identifier_of_mangled(name + 2);
  return identifier_of_text(name);
}

const KnownKernel* find_kernel(const char* name) {
  if (name == nullptr) return nullptr;
  const Identifier id = identifier_of(name);
  if (id.size == 0) return nullptr;
  std::uint32_t row = kIndex.first[hash_of(id.text, id.size) % kBuckets];
  for (; row != 0; row = kIndex.next[row - 1]) {
    const KnownKernel& kernel = kKernels[row - 1];
    if (strncmp(kernel.name, id.text, id.size) != 0 || kernel.name[id.size] != '\0') continue;
    if (kernel.within == nullptr || strstr(name, kernel.within) != nullptr) return &kernel;
  }
  return nullptr;
}

const KnownKernel* recall_kernel(const char* name) {
  if (name == nullptr) return nullptr;
  const auto number = reinterpret_cast<std::uintptr_t>(name) * 0x9E37'79B9'7F4A'7C15u >> 54;
  Remembered& place = g_remembered[number % kPlaces];
  const std::uint32_t hash = begin_of(name);
  if (place.name != name || place.hash != hash) {
    const KnownKernel* found = find_kernel(name);
    place = {name, hash, found == nullptr ? 0 : static_cast<std::uint32_t>(found - kKernels) + 1};
  }
  return place.row == 0 ? nullptr : &kKernels[place.row - 1];
}

}  // namespace peerscope::cuda
