// What we use of the CUDA driver's C interface: opaque handles, a few numbers. Stable since CUDA 11.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peerscope {

using CudaResult = int;
using CudaDeviceHandle = int;
using CudaPointer = std::uint64_t;  // CUdeviceptr
using CudaContext = struct CudaContextTag*;
using CudaStreamHandle = struct CudaStreamTag*;
using CudaEventHandle = struct CudaEventTag*;
using CudaGraphHandle = struct CudaGraphTag*;
using CudaGraphExecHandle = struct CudaGraphExecTag*;

inline constexpr CudaResult kCudaSuccess = 0;
inline constexpr CudaResult kCudaNoDevice = 100;
inline constexpr CudaResult kCudaNotReady = 600;
inline constexpr unsigned kCudaStreamNonBlocking = 1;
inline constexpr unsigned kCudaEventDefault = 0;  // with timing, waited for by spinning
inline constexpr int kCudaCaptureThreadLocal = 1;

}  // namespace peerscope
