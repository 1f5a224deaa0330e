#include "comm/cuda/cuda_driver.hpp"

#include <fmt/format.h>

#include "comm/cuda/shared_object.hpp"

namespace peerscope {
namespace {

void bind_all(SharedObject& library, CudaFunctions& f) {
  library.bind("cuInit", f.cuInit);
  library.bind("cuDriverGetVersion", f.cuDriverGetVersion);
  library.bind("cuGetErrorName", f.cuGetErrorName);
  library.bind("cuGetErrorString", f.cuGetErrorString);
  library.bind("cuDeviceGetCount", f.cuDeviceGetCount);
  library.bind("cuDeviceGet", f.cuDeviceGet);
  library.bind("cuDeviceGetName", f.cuDeviceGetName);
  library.bind("cuDeviceGetPCIBusId", f.cuDeviceGetPCIBusId);
  library.bind("cuDevicePrimaryCtxRetain", f.cuDevicePrimaryCtxRetain);
  library.bind("cuDevicePrimaryCtxRelease_v2", f.cuDevicePrimaryCtxRelease);
  library.bind("cuCtxSetCurrent", f.cuCtxSetCurrent);
  library.bind("cuCtxSynchronize", f.cuCtxSynchronize);
  library.bind("cuMemAlloc_v2", f.cuMemAlloc);
  library.bind("cuMemFree_v2", f.cuMemFree);
  library.bind("cuMemcpyHtoD_v2", f.cuMemcpyHtoD);
  library.bind("cuMemcpyDtoH_v2", f.cuMemcpyDtoH);
  library.bind("cuMemcpyDtoD_v2", f.cuMemcpyDtoD);
  library.bind("cuMemsetD8_v2", f.cuMemsetD8);
  library.bind("cuStreamCreate", f.cuStreamCreate);
  library.bind("cuStreamDestroy_v2", f.cuStreamDestroy);
  library.bind("cuStreamQuery", f.cuStreamQuery);
  library.bind("cuStreamBeginCapture_v2", f.cuStreamBeginCapture);
  library.bind("cuStreamEndCapture", f.cuStreamEndCapture);
  library.bind("cuGraphInstantiateWithFlags", f.cuGraphInstantiateWithFlags);
  library.bind("cuGraphLaunch", f.cuGraphLaunch);
  library.bind("cuGraphDestroy", f.cuGraphDestroy);
  library.bind("cuGraphExecDestroy", f.cuGraphExecDestroy);
  library.bind("cuEventCreate", f.cuEventCreate);
  library.bind("cuEventDestroy_v2", f.cuEventDestroy);
  library.bind("cuEventRecord", f.cuEventRecord);
  library.bind("cuEventElapsedTime", f.cuEventElapsedTime);
}

}  // namespace

Result<CudaDriver> CudaDriver::open() {
  Result<SharedObject> library = SharedObject::open("libcuda.so.1");
  if (!library) {
    return Error{ErrorCode::unsupported,
                 fmt::format("there is no CUDA driver here ({}); install NVIDIA's driver, or give "
                             "the container its GPUs",
                             library.error().message)};
  }
  CudaDriver driver;
  bind_all(*library, driver.functions_);
  if (!library->missing().empty()) {
    return Error{
        ErrorCode::unsupported,
        fmt::format("the CUDA driver {} is too old: it lacks {}; from CUDA 11.4 on it will "
                    "do",
                    library->path(), library->missing())};
  }
  const CudaResult started = driver->cuInit(0);
  if (started == kCudaNoDevice)
    return Error{ErrorCode::unsupported,
                 "the CUDA driver sees no GPU (cuInit: no device); see CUDA_VISIBLE_DEVICES"};
  if (Status ok = driver.check(started, "cuInit", -1); !ok)
    return Error{ErrorCode::unsupported, ok.error().message};
  Status counted =
      driver.check(driver->cuDeviceGetCount(&driver.device_count_), "cuDeviceGetCount", -1);
  if (!counted) return counted.error();
  if (driver.device_count_ == 0) {
    return Error{ErrorCode::unsupported,
                 "the CUDA driver shows no GPU to this process; see CUDA_VISIBLE_DEVICES"};
  }
  if (driver->cuDriverGetVersion(&driver.version_) != kCudaSuccess) driver.version_ = 0;
  return driver;
}

Status CudaDriver::check(CudaResult code, const char* call, int device) const {
  if (code == kCudaSuccess) return Done{};
  const char* name = nullptr;
  const char* text = nullptr;
  if (functions_.cuGetErrorName(code, &name) != kCudaSuccess) name = nullptr;
  if (functions_.cuGetErrorString(code, &text) != kCudaSuccess) text = nullptr;
  return Error{ErrorCode::io, fmt::format("{} failed{}: {} ({}): {}", call,
                                          device < 0 ? "" : fmt::format(" on device {}", device),
                                          code, name != nullptr ? name : "unknown code",
                                          text != nullptr ? text : "no text")};
}

std::string cuda_version_text(int version) {
  return version <= 0 ? "unknown" : fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

}  // namespace peerscope
