// The CUDA driver (libcuda.so.1) without a toolkit: its functions, and errors that name the call.
#pragma once

#include <string>

#include "base/result.hpp"
#include "comm/cuda/cuda_abi.hpp"

namespace peerscope {

// Named as the driver names them. The symbols are those of the present ABI (cuMemAlloc_v2, ...).
struct CudaFunctions {
  CudaResult (*cuInit)(unsigned flags) = nullptr;
  CudaResult (*cuDriverGetVersion)(int* version) = nullptr;
  CudaResult (*cuGetErrorName)(CudaResult code, const char** text) = nullptr;
  CudaResult (*cuGetErrorString)(CudaResult code, const char** text) = nullptr;
  CudaResult (*cuDeviceGetCount)(int* count) = nullptr;
  CudaResult (*cuDeviceGet)(CudaDeviceHandle* device, int ordinal) = nullptr;
  CudaResult (*cuDeviceGetName)(char* name, int length, CudaDeviceHandle device) = nullptr;
  CudaResult (*cuDeviceGetPCIBusId)(char* id, int length, CudaDeviceHandle device) = nullptr;
  CudaResult (*cuDevicePrimaryCtxRetain)(CudaContext* context, CudaDeviceHandle device) = nullptr;
  CudaResult (*cuDevicePrimaryCtxRelease)(CudaDeviceHandle device) = nullptr;
  CudaResult (*cuCtxSetCurrent)(CudaContext context) = nullptr;
  CudaResult (*cuCtxSynchronize)() = nullptr;
  CudaResult (*cuMemAlloc)(CudaPointer* memory, std::size_t bytes) = nullptr;
  CudaResult (*cuMemFree)(CudaPointer memory) = nullptr;
  CudaResult (*cuMemcpyHtoD)(CudaPointer to, const void* from, std::size_t bytes) = nullptr;
  CudaResult (*cuMemcpyDtoH)(void* to, CudaPointer from, std::size_t bytes) = nullptr;
  CudaResult (*cuMemcpyDtoD)(CudaPointer to, CudaPointer from, std::size_t bytes) = nullptr;
  CudaResult (*cuMemsetD8)(CudaPointer to, unsigned char byte, std::size_t count) = nullptr;
  CudaResult (*cuStreamCreate)(CudaStreamHandle* stream, unsigned flags) = nullptr;
  CudaResult (*cuStreamDestroy)(CudaStreamHandle stream) = nullptr;
  CudaResult (*cuStreamQuery)(CudaStreamHandle stream) = nullptr;
  CudaResult (*cuStreamBeginCapture)(CudaStreamHandle stream, int mode) = nullptr;
  CudaResult (*cuStreamEndCapture)(CudaStreamHandle stream, CudaGraphHandle* graph) = nullptr;
  CudaResult (*cuGraphInstantiateWithFlags)(CudaGraphExecHandle* exec, CudaGraphHandle graph,
                                            unsigned long long flags) = nullptr;
  CudaResult (*cuGraphLaunch)(CudaGraphExecHandle exec, CudaStreamHandle stream) = nullptr;
  CudaResult (*cuGraphDestroy)(CudaGraphHandle graph) = nullptr;
  CudaResult (*cuGraphExecDestroy)(CudaGraphExecHandle exec) = nullptr;
  CudaResult (*cuEventCreate)(CudaEventHandle* event, unsigned flags) = nullptr;
  CudaResult (*cuEventDestroy)(CudaEventHandle event) = nullptr;
  CudaResult (*cuEventRecord)(CudaEventHandle event, CudaStreamHandle stream) = nullptr;
  CudaResult (*cuEventElapsedTime)(float* ms, CudaEventHandle begin, CudaEventHandle end) = nullptr;
};

class CudaDriver {
 public:
  // Loads and initialises it. Not before a fork: a child cannot go on with its parent's CUDA.
  static Result<CudaDriver> open();

  const CudaFunctions* operator->() const { return &functions_; }

  [[nodiscard]] int version() const { return version_; }  // 13000: the newest CUDA it can do
  [[nodiscard]] int device_count() const { return device_count_; }

  // Done, or what went wrong: the call, the device (-1: none), the code, its name and text.
  [[nodiscard]] Status check(CudaResult code, const char* call, int device) const;

 private:
  CudaFunctions functions_;
  int version_ = 0, device_count_ = 0;
};

std::string cuda_version_text(int version);  // "13.0"

}  // namespace peerscope
