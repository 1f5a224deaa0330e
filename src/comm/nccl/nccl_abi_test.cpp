// Our declarations against NVIDIA's headers, where the build finds them.
#include "comm/nccl/nccl_abi.hpp"

#include <gtest/gtest.h>

#include "comm/cuda/cuda_abi.hpp"
#include "comm/nccl/nccl_library.hpp"

#if __has_include(<nccl.h>) && __has_include(<cuda_runtime.h>)
#include <nccl.h>

namespace peerscope {

static_assert(sizeof(NcclUniqueId) == sizeof(ncclUniqueId));
static_assert(sizeof(NcclOp) == sizeof(ncclRedOp_t) && sizeof(NcclType) == sizeof(ncclDataType_t));
static_assert(sizeof(NcclResult) == sizeof(ncclResult_t));
static_assert(kNcclSuccess == ncclSuccess && kNcclInProgress == ncclInProgress);
static_assert(int(NcclOp::sum) == ncclSum && int(NcclOp::prod) == ncclProd);
static_assert(int(NcclOp::max) == ncclMax && int(NcclOp::min) == ncclMin);
static_assert(int(NcclOp::avg) == ncclAvg);
static_assert(int(NcclType::i8) == ncclInt8 && int(NcclType::u8) == ncclUint8);
static_assert(int(NcclType::i32) == ncclInt32 && int(NcclType::u32) == ncclUint32);
static_assert(int(NcclType::i64) == ncclInt64 && int(NcclType::u64) == ncclUint64);
static_assert(int(NcclType::f16) == ncclFloat16 && int(NcclType::bf16) == ncclBfloat16);
static_assert(int(NcclType::f32) == ncclFloat32 && int(NcclType::f64) == ncclFloat64);
// The driver's numbers are the runtime's.
static_assert(kCudaSuccess == cudaSuccess && kCudaNoDevice == cudaErrorNoDevice);
static_assert(kCudaNotReady == cudaErrorNotReady);
static_assert(kCudaStreamNonBlocking == cudaStreamNonBlocking);
static_assert(kCudaEventDefault == cudaEventDefault);
static_assert(kCudaCaptureThreadLocal == cudaStreamCaptureModeThreadLocal);

// Each function of ours takes as many arguments as NVIDIA's, each of the same size.
template <class... A, class... B>
constexpr bool alike(ncclResult_t (*)(A...), NcclResult (*)(B...)) {
  if constexpr (sizeof...(A) == sizeof...(B)) return ((sizeof(A) == sizeof(B)) && ...);
  return false;
}

#define PSCOPE_ALIKE(f) static_assert(alike(decltype(&::f){}, decltype(NcclFunctions::f){}), #f)

TEST(NcclAbi, OurDeclarationsAreThoseOfTheHeader) {
  PSCOPE_ALIKE(ncclGetVersion);
  PSCOPE_ALIKE(ncclGetUniqueId);
  PSCOPE_ALIKE(ncclCommInitRank);
  PSCOPE_ALIKE(ncclCommDestroy);
  PSCOPE_ALIKE(ncclCommAbort);
  PSCOPE_ALIKE(ncclCommGetAsyncError);
  PSCOPE_ALIKE(ncclGroupStart);
  PSCOPE_ALIKE(ncclGroupEnd);
  PSCOPE_ALIKE(ncclAllReduce);
  PSCOPE_ALIKE(ncclReduce);
  PSCOPE_ALIKE(ncclReduceScatter);
  PSCOPE_ALIKE(ncclAllGather);
  PSCOPE_ALIKE(ncclBroadcast);
  PSCOPE_ALIKE(ncclSend);
  PSCOPE_ALIKE(ncclRecv);
#if NCCL_VERSION_CODE >= 22800
  PSCOPE_ALIKE(ncclAlltoAll);
#endif
  EXPECT_EQ(nccl_version_text(NCCL_VERSION_CODE), std::to_string(NCCL_MAJOR) + "." +
                                                      std::to_string(NCCL_MINOR) + "." +
                                                      std::to_string(NCCL_PATCH));
}

}  // namespace peerscope
#endif
