#include "source/nvml/api.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

namespace peerscope::nvml {
namespace {

const char* words(Code code) {
  switch (code) {
    case 1:
      return "not initialised";
    case 2:
      return "invalid argument";
    case kNotSupported:
      return "not supported by this device";
    case kNoPermission:
      return "not permitted for this user";
    case 6:
      return "not found";
    case 7:
      return "buffer too small";
    case kDriverNotLoaded:
      return "the NVIDIA driver is not loaded";
    case kTimeout:
      return "timed out";
    case 11:
      return "an interrupt problem of the GPU";
    case 12:
      return "a library of the driver is missing";
    case kFunctionNotFound:
      return "this driver's library lacks the function";
    case kGpuIsLost:
      return "the GPU is lost: it has fallen off the bus";
    case 16:
      return "the GPU needs a reset";
    case kOperatingSystem:
      return "the operating system blocks the GPU's device file";
    case kVersionMismatch:
      return "driver and library are of different versions";
    case 20:
      return "out of memory";
    case kNoData:
      return "no data";
    case 25:
      return "this driver's library wants another version of the call";
    case 27:
      return "not ready";
    default:
      return "failed";
  }
}

template <class F>
void find(void* library, const char* symbol, F*& out) {
  out = reinterpret_cast<F*>(dlsym(library, symbol));
}

}  // namespace

std::string reason(Code code) { return fmt::format("{} (NVML {})", words(code), code); }

Error init_error(Code code) {
  const auto say = [&](std::string_view what) {
    return Error{ErrorCode::unsupported, fmt::format("{} (nvmlInit_v2: NVML {})", what, code)};
  };
  if (code == kDriverNotLoaded)
    return say("the NVIDIA driver is not loaded; check with: nvidia-smi, modprobe nvidia");
  if (code == kVersionMismatch)
    return say(
        "the NVIDIA kernel driver and libnvidia-ml.so.1 are of different versions; reboot, or "
        "reload the kernel module, after a driver update");
  if (code == kNoPermission || code == kOperatingSystem)
    return say("this user or container may not open /dev/nvidiactl; pass the GPUs into it");
  return say(fmt::format("NVML cannot be used: {}", words(code)));
}

Result<Api> load_api(const std::string& path) {
  const std::string name = path.empty() ? "libnvidia-ml.so.1" : path;
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);  // it stays: drivers dislike leaving
  if (library == nullptr) {
    const char* why = dlerror();
    return Error{ErrorCode::not_found,
                 fmt::format("no NVIDIA driver here: {} cannot be loaded ({}); in a container, "
                             "pass the GPUs into it",
                             name, why == nullptr ? "no reason given" : why)};
  }
  Api api;
#define PSCOPE_NVML_FIND(member, symbol, arguments) find(library, #symbol, api.member);
  PSCOPE_NVML_FUNCTIONS(PSCOPE_NVML_FIND)
#undef PSCOPE_NVML_FIND
  if (api.init == nullptr || api.device_count == nullptr || api.device_handle == nullptr)
    return Error{ErrorCode::unsupported,
                 fmt::format("{} is no NVML that peerscope knows: it lacks nvmlInit_v2, "
                             "nvmlDeviceGetCount_v2 or nvmlDeviceGetHandleByIndex_v2",
                             name)};
  return api;
}

}  // namespace peerscope::nvml
