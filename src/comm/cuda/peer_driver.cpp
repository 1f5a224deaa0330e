#include "comm/cuda/peer_driver.hpp"

#include <cstdint>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "comm/cuda/shared_object.hpp"

namespace peerscope {
namespace {

constexpr int kFileDescriptor = 1;  // CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR

Result<PeerFunctions> bind_all() {
  Result<SharedObject> library = SharedObject::open("libcuda.so.1");
  if (!library)
    return Error{ErrorCode::unsupported,
                 fmt::format("there is no CUDA driver here ({})", library.error().message)};
  PeerFunctions f;
  library->bind("cuDeviceGetAttribute", f.cuDeviceGetAttribute);
  library->bind("cuMemGetAllocationGranularity", f.cuMemGetAllocationGranularity);
  library->bind("cuMemCreate", f.cuMemCreate);
  library->bind("cuMemRelease", f.cuMemRelease);
  library->bind("cuMemExportToShareableHandle", f.cuMemExportToShareableHandle);
  library->bind("cuMemImportFromShareableHandle", f.cuMemImportFromShareableHandle);
  library->bind("cuMemAddressReserve", f.cuMemAddressReserve);
  library->bind("cuMemAddressFree", f.cuMemAddressFree);
  library->bind("cuMemMap", f.cuMemMap);
  library->bind("cuMemUnmap", f.cuMemUnmap);
  library->bind("cuMemSetAccess", f.cuMemSetAccess);
  library->bind("cuModuleLoadData", f.cuModuleLoadData);
  library->bind("cuModuleUnload", f.cuModuleUnload);
  library->bind("cuModuleGetFunction", f.cuModuleGetFunction);
  library->bind("cuLaunchKernelEx", f.cuLaunchKernelEx);
  library->bind("cuMemHostAlloc", f.cuMemHostAlloc);
  library->bind("cuMemFreeHost", f.cuMemFreeHost);
  library->bind("cuMemHostGetDevicePointer_v2", f.cuMemHostGetDevicePointer);
  library->bind("cuMemcpyAsync", f.cuMemcpyAsync);
  library->bind("cuMemcpyHtoDAsync_v2", f.cuMemcpyHtoDAsync);
  library->bind("cuMemcpyDtoHAsync_v2", f.cuMemcpyDtoHAsync);
  library->bind("cuGraphUpload", f.cuGraphUpload);
  library->bind("cuStreamSynchronize", f.cuStreamSynchronize);
  library->bind("cuThreadExchangeStreamCaptureMode", f.cuThreadExchangeStreamCaptureMode);
  library->bind("cuStreamIsCapturing", f.cuStreamIsCapturing);
  if (!library->missing().empty())
    return Error{
        ErrorCode::unsupported,
        fmt::format("the CUDA driver {} is too old: it lacks {}; from CUDA 11.8 on it will do",
                    library->path(), library->missing())};
  return f;
}

std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

Result<const PeerFunctions*> peer_functions() {
  static const Result<PeerFunctions> functions = bind_all();
  if (!functions) return functions.error();
  return &*functions;
}

Result<PeerMemory> PeerMemory::create(const CudaDevice& device, std::size_t bytes) {
  const Result<const PeerFunctions*> f = peer_functions();
  if (!f) return f.error();
  CudaAllocationProperties properties;
  properties.location.id = device.ordinal();
  std::size_t granularity = 0;
  if (Status ok = device.check((*f)->cuMemGetAllocationGranularity(&granularity, &properties, 1),
                               "cuMemGetAllocationGranularity");
      !ok)
    return ok.error();
  const std::size_t rounded = round_up(bytes, granularity);
  CudaAllocation allocation = 0;
  const CudaResult made = (*f)->cuMemCreate(&allocation, rounded, &properties, 0);
  if (made == kCudaOutOfMemory)
    return Error{ErrorCode::no_memory,
                 fmt::format("device {} has no {} B of memory left", device.ordinal(), rounded)};
  if (Status ok = device.check(made, "cuMemCreate"); !ok) return ok.error();
  return map(device, allocation, rounded);
}

Result<PeerMemory> PeerMemory::import(const CudaDevice& device, int fd, std::size_t bytes) {
  const Result<const PeerFunctions*> f = peer_functions();
  if (!f) return f.error();
  CudaAllocation allocation = 0;
  const CudaResult made = (*f)->cuMemImportFromShareableHandle(
      &allocation, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)), kFileDescriptor);
  close(fd);
  if (Status ok = device.check(made, "cuMemImportFromShareableHandle"); !ok) return ok.error();
  return map(device, allocation, bytes);
}

Result<PeerMemory> PeerMemory::map(const CudaDevice& device, CudaAllocation allocation,
                                   std::size_t bytes) {
  PeerMemory memory;  // gives back what there is by then
  memory.f_ = *peer_functions();
  memory.allocation_ = allocation;
  CudaPointer at = 0;
  if (Status ok =
          device.check(memory.f_->cuMemAddressReserve(&at, bytes, 0, 0, 0), "cuMemAddressReserve");
      !ok)
    return ok.error();
  if (Status ok = device.check(memory.f_->cuMemMap(at, bytes, 0, allocation, 0), "cuMemMap"); !ok) {
    memory.f_->cuMemAddressFree(at, bytes);
    return ok.error();
  }
  memory.at_ = at;
  memory.bytes_ = bytes;
  CudaAccess access;
  access.location.id = device.ordinal();
  if (Status ok = device.check(memory.f_->cuMemSetAccess(at, bytes, &access, 1), "cuMemSetAccess");
      !ok)
    return ok.error();
  return memory;
}

PeerMemory::PeerMemory(PeerMemory&& other) noexcept { *this = std::move(other); }
PeerMemory& PeerMemory::operator=(PeerMemory&& other) noexcept {
  std::swap(f_, other.f_);
  std::swap(allocation_, other.allocation_);
  std::swap(at_, other.at_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

PeerMemory::~PeerMemory() {
  if (f_ == nullptr) return;
  if (at_ != 0) {
    f_->cuMemUnmap(at_, bytes_);
    f_->cuMemAddressFree(at_, bytes_);
  }
  if (allocation_ != 0) f_->cuMemRelease(allocation_);
}

Result<int> PeerMemory::export_fd(const CudaDevice& device) const {
  int fd = -1;
  if (Status ok =
          device.check(f_->cuMemExportToShareableHandle(&fd, allocation_, kFileDescriptor, 0),
                       "cuMemExportToShareableHandle");
      !ok)
    return ok.error();
  return fd;
}

}  // namespace peerscope
