// What the P2P backend needs of the CUDA driver beyond cuda_driver.hpp: memory that other processes map, and kernels.
#pragma once

#include "comm/cuda/cuda_device.hpp"

namespace peerscope {

using CudaModule = struct CudaModuleTag*;
using CudaFunction = struct CudaFunctionTag*;
using CudaAllocation = unsigned long long;  // CUmemGenericAllocationHandle

// As in cuda.h, of CUDA 11.8 and later; the driver's ABI does not change.
struct CudaLocation {
  int type = 1;  // a device
  int id = 0;
};
struct CudaAllocationProperties {
  int type = 1;          // pinned
  int handle_types = 1;  // a file descriptor
  CudaLocation location;
  void* unused = nullptr;
  unsigned char flags[8] = {};
};
struct CudaAccess {
  CudaLocation location;
  int flags = 3;  // read and write
};
struct CudaLaunchAttribute {
  int id = 0;
  char pad[4] = {};
  union {
    char bytes[64];
    int value;
  };
};
struct CudaLaunchConfig {
  unsigned grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
  unsigned shared_bytes = 0;
  CudaStreamHandle stream = nullptr;
  CudaLaunchAttribute* attributes = nullptr;
  unsigned attribute_count = 0;
};
inline constexpr int kCudaLaunchEarly = 6;  // CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
inline constexpr int kCudaComputeMajor = 75;        // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
inline constexpr int kCudaMultiprocessors = 16;     // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
inline constexpr unsigned kCudaHostMapped = 2 | 1;  // CU_MEMHOSTALLOC_DEVICEMAP | PORTABLE
inline constexpr int kCudaCaptureRelaxed = 2;
inline constexpr CudaResult kCudaOutOfMemory = 2;

struct PeerFunctions {
  CudaResult (*cuDeviceGetAttribute)(int* value, int attribute, CudaDeviceHandle device) = nullptr;
  CudaResult (*cuMemGetAllocationGranularity)(std::size_t* bytes,
                                              const CudaAllocationProperties* of,
                                              int flags) = nullptr;
  CudaResult (*cuMemCreate)(CudaAllocation* made, std::size_t bytes,
                            const CudaAllocationProperties* of, unsigned long long flags) = nullptr;
  CudaResult (*cuMemRelease)(CudaAllocation allocation) = nullptr;
  CudaResult (*cuMemExportToShareableHandle)(void* handle, CudaAllocation allocation, int type,
                                             unsigned long long flags) = nullptr;
  CudaResult (*cuMemImportFromShareableHandle)(CudaAllocation* made, void* handle,
                                               int type) = nullptr;
  CudaResult (*cuMemAddressReserve)(CudaPointer* at, std::size_t bytes, std::size_t alignment,
                                    CudaPointer wish, unsigned long long flags) = nullptr;
  CudaResult (*cuMemAddressFree)(CudaPointer at, std::size_t bytes) = nullptr;
  CudaResult (*cuMemMap)(CudaPointer at, std::size_t bytes, std::size_t offset,
                         CudaAllocation allocation, unsigned long long flags) = nullptr;
  CudaResult (*cuMemUnmap)(CudaPointer at, std::size_t bytes) = nullptr;
  CudaResult (*cuMemSetAccess)(CudaPointer at, std::size_t bytes, const CudaAccess* access,
                               std::size_t count) = nullptr;
  CudaResult (*cuModuleLoadData)(CudaModule* module, const void* image) = nullptr;
  CudaResult (*cuModuleUnload)(CudaModule module) = nullptr;
  CudaResult (*cuModuleGetFunction)(CudaFunction* function, CudaModule module,
                                    const char* name) = nullptr;
  CudaResult (*cuLaunchKernelEx)(const CudaLaunchConfig* config, CudaFunction function,
                                 void** parameters, void** extra) = nullptr;
  CudaResult (*cuMemHostAlloc)(void** memory, std::size_t bytes, unsigned flags) = nullptr;
  CudaResult (*cuMemFreeHost)(void* memory) = nullptr;
  CudaResult (*cuMemHostGetDevicePointer)(CudaPointer* at, void* memory, unsigned flags) = nullptr;
  CudaResult (*cuMemcpyAsync)(CudaPointer to, CudaPointer from, std::size_t bytes,
                              CudaStreamHandle stream) = nullptr;
  CudaResult (*cuMemcpyDtoHAsync)(void* to, CudaPointer from, std::size_t bytes,
                                  CudaStreamHandle stream) = nullptr;
  CudaResult (*cuMemcpyHtoDAsync)(CudaPointer to, const void* from, std::size_t bytes,
                                  CudaStreamHandle stream) = nullptr;
  CudaResult (*cuStreamSynchronize)(CudaStreamHandle stream) = nullptr;
  CudaResult (*cuGraphUpload)(CudaGraphExecHandle exec, CudaStreamHandle stream) = nullptr;
  CudaResult (*cuThreadExchangeStreamCaptureMode)(int* mode) = nullptr;
  CudaResult (*cuStreamIsCapturing)(CudaStreamHandle stream, int* status) = nullptr;
};

// The functions, once for the process. `unsupported` names what an old driver lacks.
Result<const PeerFunctions*> peer_functions();

// A piece of a device's memory that other processes can map, or such a piece of another process, mapped here.
class PeerMemory {
 public:
  static Result<PeerMemory> create(const CudaDevice& device, std::size_t bytes);
  // `fd` is closed. `bytes` as the owner's bytes().
  static Result<PeerMemory> import(const CudaDevice& device, int fd, std::size_t bytes);
  PeerMemory(PeerMemory&& other) noexcept;
  PeerMemory& operator=(PeerMemory&& other) noexcept;
  ~PeerMemory();

  [[nodiscard]] Result<int> export_fd(const CudaDevice& device) const;  // the caller closes it
  [[nodiscard]] CudaPointer at() const { return at_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }  // rounded up

 private:
  PeerMemory() = default;
  static Result<PeerMemory> map(const CudaDevice& device, CudaAllocation allocation,
                                std::size_t bytes);

  const PeerFunctions* f_ = nullptr;
  CudaAllocation allocation_ = 0;
  CudaPointer at_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace peerscope
