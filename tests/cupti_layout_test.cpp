// Our declarations of CUPTI and CUDA against the vendor's, where there are some. Nothing runs: it builds, or it does not.
#include <cstddef>

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <cupti.h>

#include "source/cuda/abi.hpp"
#include "source/cuda/functions.hpp"

namespace ours = peerscope::cuda;

#define SAME(our_type, our_member, their_type, their_member)                                  \
  static_assert(offsetof(ours::our_type, our_member) == offsetof(their_type, their_member) && \
                sizeof(ours::our_type::our_member) == sizeof(their_type::their_member))
#define EQUAL(a, b) static_assert(static_cast<long long>(a) == static_cast<long long>(b))

// ---- numbers ----------------------------------------------------------------------------------------------------------------
EQUAL(ours::kSuccess, CUPTI_SUCCESS);
EQUAL(ours::kErrorInsufficientPrivileges, CUPTI_ERROR_INSUFFICIENT_PRIVILEGES);
EQUAL(ours::kErrorMultipleSubscribers, CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED);
EQUAL(ours::Domain::driver, CUPTI_CB_DOMAIN_DRIVER_API);
EQUAL(ours::Domain::runtime, CUPTI_CB_DOMAIN_RUNTIME_API);
EQUAL(ours::Domain::resource, CUPTI_CB_DOMAIN_RESOURCE);
EQUAL(ours::Site::enter, CUPTI_API_ENTER);
EQUAL(ours::Site::exit, CUPTI_API_EXIT);
EQUAL(ours::kContextCreated, CUPTI_CBID_RESOURCE_CONTEXT_CREATED);
EQUAL(ours::kContextDestroyStarting, CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING);
EQUAL(ours::kKindDevice, CUPTI_ACTIVITY_KIND_DEVICE);
EQUAL(ours::kKindConcurrentKernel, CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
EQUAL(ours::kKindPeerCopy, CUPTI_ACTIVITY_KIND_MEMCPY2);
EQUAL(ours::kFlushForced, CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
EQUAL(ours::kMemoryHost, CU_MEMORYTYPE_HOST);
EQUAL(ours::kMemoryDevice, CU_MEMORYTYPE_DEVICE);
EQUAL(ours::kPointerMemoryType, CU_POINTER_ATTRIBUTE_MEMORY_TYPE);
EQUAL(ours::kPointerDeviceOrdinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL);
EQUAL(ours::kDeviceToDevice, cudaMemcpyDeviceToDevice);
EQUAL(ours::kInferredDirection, cudaMemcpyDefault);
static_assert(ours::knows_version(CUPTI_API_VERSION));

// ---- callbacks --------------------------------------------------------------------------------------------------------------
SAME(CallbackData, site, CUpti_CallbackData, callbackSite);
SAME(CallbackData, function_name, CUpti_CallbackData, functionName);
SAME(CallbackData, arguments, CUpti_CallbackData, functionParams);
SAME(CallbackData, result, CUpti_CallbackData, functionReturnValue);
SAME(CallbackData, context, CUpti_CallbackData, context);
SAME(CallbackData, shared, CUpti_CallbackData, correlationData);
SAME(CallbackData, correlation, CUpti_CallbackData, correlationId);
static_assert(sizeof(ours::CallbackData) == sizeof(CUpti_CallbackData));
SAME(ResourceData, context, CUpti_ResourceData, context);

// ---- records ----------------------------------------------------------------------------------------------------------------
#define SAME_COPY(version)                                        \
  SAME(PeerCopyRecord, kind, version, kind);                      \
  SAME(PeerCopyRecord, bytes, version, bytes);                    \
  SAME(PeerCopyRecord, start_ns, version, start);                 \
  SAME(PeerCopyRecord, end_ns, version, end);                     \
  SAME(PeerCopyRecord, source_device, version, srcDeviceId);      \
  SAME(PeerCopyRecord, destination_device, version, dstDeviceId); \
  SAME(PeerCopyRecord, correlation, version, correlationId);      \
  SAME(PeerCopyRecord, graph_node, version, graphNodeId)
SAME_COPY(CUpti_ActivityMemcpyPtoP2);
SAME_COPY(CUpti_ActivityMemcpyPtoP3);
SAME_COPY(CUpti_ActivityMemcpyPtoP4);
#define SAME_KERNEL(version)                               \
  SAME(KernelRecord, kind, version, kind);                 \
  SAME(KernelRecord, start_ns, version, start);            \
  SAME(KernelRecord, end_ns, version, end);                \
  SAME(KernelRecord, device, version, deviceId);           \
  SAME(KernelRecord, correlation, version, correlationId); \
  SAME(KernelRecord, name, version, name);                 \
  SAME(KernelRecord, graph_node, version, graphNodeId)
SAME_KERNEL(CUpti_ActivityKernel5);
SAME_KERNEL(CUpti_ActivityKernel6);
SAME_KERNEL(CUpti_ActivityKernel7);
SAME_KERNEL(CUpti_ActivityKernel8);
SAME_KERNEL(CUpti_ActivityKernel9);
#if CUPTI_API_VERSION >= 130000
SAME_KERNEL(CUpti_ActivityKernel10);
#endif

// ---- arguments --------------------------------------------------------------------------------------------------------------
SAME(PeerArguments, destination, cuMemcpyPeerAsync_params, dstDevice);
SAME(PeerArguments, destination_context, cuMemcpyPeerAsync_params, dstContext);
SAME(PeerArguments, source_context, cuMemcpyPeerAsync_params, srcContext);
SAME(PeerArguments, bytes, cuMemcpyPeerAsync_params, ByteCount);
SAME(PeerArguments, stream, cuMemcpyPeerAsync_params, hStream);
SAME(PeerArguments, bytes, cuMemcpyPeer_params, ByteCount);
SAME(PlainArguments, source, cuMemcpyDtoDAsync_v2_params, srcDevice);
SAME(PlainArguments, destination, cuMemcpyDtoDAsync_v2_params, dstDevice);
SAME(PlainArguments, stream, cuMemcpyDtoDAsync_v2_params, hStream);
SAME(PlainArguments, source, cuMemcpyAsync_params, src);
SAME(PlainArguments, bytes, cuMemcpyAsync_params, ByteCount);
SAME(PlainArguments, stream, cuMemcpyAsync_params, hStream);
SAME(Copy3dPeerArguments, copy, cuMemcpy3DPeerAsync_params, pCopy);
SAME(Copy3dPeerArguments, stream, cuMemcpy3DPeerAsync_params, hStream);
static_assert(sizeof(ours::Copy3dPeer) == sizeof(CUDA_MEMCPY3D_PEER));
static_assert(offsetof(ours::Copy3dPeer, source.memory_type) ==
              offsetof(CUDA_MEMCPY3D_PEER, srcMemoryType));
static_assert(offsetof(ours::Copy3dPeer, source.context) ==
              offsetof(CUDA_MEMCPY3D_PEER, srcContext));
static_assert(offsetof(ours::Copy3dPeer, destination.context) ==
              offsetof(CUDA_MEMCPY3D_PEER, dstContext));
SAME(Copy3dPeer, width_bytes, CUDA_MEMCPY3D_PEER, WidthInBytes);
SAME(Copy3dPeer, depth, CUDA_MEMCPY3D_PEER, Depth);
SAME(RuntimePeerArguments, destination_device, cudaMemcpyPeerAsync_v4000_params, dstDevice);
SAME(RuntimePeerArguments, source_device, cudaMemcpyPeerAsync_v4000_params, srcDevice);
SAME(RuntimePeerArguments, bytes, cudaMemcpyPeerAsync_v4000_params, count);
SAME(RuntimePeerArguments, stream, cudaMemcpyPeerAsync_v4000_params, stream);
SAME(RuntimePlainArguments, source, cudaMemcpyAsync_v3020_params, src);
SAME(RuntimePlainArguments, direction, cudaMemcpyAsync_v3020_params, kind);
SAME(RuntimePlainArguments, stream, cudaMemcpyAsync_v3020_params, stream);
SAME(RuntimeCopy3dPeerArguments, copy, cudaMemcpy3DPeerAsync_v4000_params, p);
static_assert(sizeof(ours::RuntimeCopy3dPeer) == sizeof(cudaMemcpy3DPeerParms));
static_assert(offsetof(ours::RuntimeCopy3dPeer, source.device) ==
              offsetof(cudaMemcpy3DPeerParms, srcDevice));
static_assert(offsetof(ours::RuntimeCopy3dPeer, destination.array) ==
              offsetof(cudaMemcpy3DPeerParms, dstArray));
static_assert(offsetof(ours::RuntimeCopy3dPeer, destination.device) ==
              offsetof(cudaMemcpy3DPeerParms, dstDevice));
SAME(RuntimeCopy3dPeer, width, cudaMemcpy3DPeerParms, extent.width);
#if CUPTI_API_VERSION >= 130000
SAME(BatchArguments, sources, cuMemcpyBatchAsync_v2_params, srcs);
SAME(BatchArguments, bytes, cuMemcpyBatchAsync_v2_params, sizes);
SAME(BatchArguments, count, cuMemcpyBatchAsync_v2_params, count);
SAME(BatchArguments, stream, cuMemcpyBatchAsync_v2_params, hStream);
SAME(BatchArguments, stream_of_first_version, cuMemcpyBatchAsync_params, hStream);
SAME(BatchArguments, stream, cudaMemcpyBatchAsync_v13000_params, stream);
#endif

// ---- the numbers of functions -------------------------------------------------------------------------------------------------
constexpr bool listens(ours::Domain domain, int id, ours::Shape shape, bool has_stream) {
  const ours::Function& f = domain == ours::Domain::driver ? ours::kFunctionIndex.driver[id]
                                                           : ours::kFunctionIndex.runtime[id];
  return f.shape == shape && f.has_stream == has_stream;
}
#define DRIVER(name, shape, has_stream)                                                           \
  static_assert(listens(ours::Domain::driver, CUPTI_DRIVER_TRACE_CBID_##name, ours::Shape::shape, \
                        has_stream))
#define RUNTIME(name, shape, has_stream)                                        \
  static_assert(listens(ours::Domain::runtime, CUPTI_RUNTIME_TRACE_CBID_##name, \
                        ours::Shape::shape, has_stream))
DRIVER(cuMemcpyDtoD_v2, plain, false);
DRIVER(cuMemcpyDtoDAsync_v2, plain, true);
DRIVER(cuMemcpyDtoD_v2_ptds, plain, false);
DRIVER(cuMemcpyDtoDAsync_v2_ptsz, plain, true);
DRIVER(cuMemcpy, plain, false);
DRIVER(cuMemcpy_ptds, plain, false);
DRIVER(cuMemcpyAsync, plain, true);
DRIVER(cuMemcpyAsync_ptsz, plain, true);
DRIVER(cuMemcpyPeer, peer, false);
DRIVER(cuMemcpyPeer_ptds, peer, false);
DRIVER(cuMemcpyPeerAsync, peer, true);
DRIVER(cuMemcpyPeerAsync_ptsz, peer, true);
DRIVER(cuMemcpy3DPeer, copy_3d, false);
DRIVER(cuMemcpy3DPeer_ptds, copy_3d, false);
DRIVER(cuMemcpy3DPeerAsync, copy_3d, true);
DRIVER(cuMemcpy3DPeerAsync_ptsz, copy_3d, true);
DRIVER(cuStreamBeginCapture, capture_begin, true);
DRIVER(cuStreamBeginCapture_ptsz, capture_begin, true);
DRIVER(cuStreamBeginCapture_v2, capture_begin, true);
DRIVER(cuStreamBeginCapture_v2_ptsz, capture_begin, true);
DRIVER(cuStreamEndCapture, capture_end, true);
DRIVER(cuStreamEndCapture_ptsz, capture_end, true);
RUNTIME(cudaMemcpy_v3020, runtime_plain, false);
RUNTIME(cudaMemcpy_ptds_v7000, runtime_plain, false);
RUNTIME(cudaMemcpyAsync_v3020, runtime_plain, true);
RUNTIME(cudaMemcpyAsync_ptsz_v7000, runtime_plain, true);
RUNTIME(cudaMemcpyPeer_v4000, runtime_peer, false);
RUNTIME(cudaMemcpyPeerAsync_v4000, runtime_peer, true);
RUNTIME(cudaMemcpy3DPeer_v4000, runtime_copy_3d, false);
RUNTIME(cudaMemcpy3DPeer_ptds_v7000, runtime_copy_3d, false);
RUNTIME(cudaMemcpy3DPeerAsync_v4000, runtime_copy_3d, true);
RUNTIME(cudaMemcpy3DPeerAsync_ptsz_v7000, runtime_copy_3d, true);
RUNTIME(cudaStreamBeginCapture_v10000, capture_begin, true);
RUNTIME(cudaStreamBeginCapture_ptsz_v10000, capture_begin, true);
RUNTIME(cudaStreamEndCapture_v10000, capture_end, true);
RUNTIME(cudaStreamEndCapture_ptsz_v10000, capture_end, true);
#if CUPTI_API_VERSION >= 130000
DRIVER(cuStreamBeginCaptureToGraph, capture_begin, true);
DRIVER(cuStreamBeginCaptureToGraph_ptsz, capture_begin, true);
DRIVER(cuMemcpyBatchAsync, batch_v1, true);
DRIVER(cuMemcpyBatchAsync_ptsz, batch_v1, true);
DRIVER(cuMemcpyBatchAsync_v2, batch, true);
DRIVER(cuMemcpyBatchAsync_v2_ptsz, batch, true);
RUNTIME(cudaStreamBeginCaptureToGraph_v12030, capture_begin, true);
RUNTIME(cudaStreamBeginCaptureToGraph_ptsz_v12030, capture_begin, true);
RUNTIME(cudaMemcpyBatchAsync_v12080, batch_v1, true);
RUNTIME(cudaMemcpyBatchAsync_ptsz_v12080, batch_v1, true);
RUNTIME(cudaMemcpyBatchAsync_v13000, batch, true);
RUNTIME(cudaMemcpyBatchAsync_ptsz_v13000, batch, true);
#endif
