// A libcuda.so.1 for tests: memory of the host, streams that work at once. It is strict where the real
// one is: bounds of memory, a current context, waiting for a stream that is being captured.
//
//   FAKE_CUDA_DEVICES=N     how many there are (2)
//   FAKE_CUDA_FAIL=cuName   this call fails with code 719; cuMemCreate@1: for device 1 only
//   FAKE_CUDA_HANG=1        streams never become empty
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "comm/cuda/fake/dma.hpp"
#include "comm/cuda/fake/stream.hpp"
#include "record/ticks.hpp"

// NOLINTBEGIN(readability-identifier-naming,readability-function-size): names and arguments are theirs
namespace {

using namespace peerscope;  // NOLINT(google-build-using-namespace): exports are global
using Work = std::vector<std::function<void()>>;

struct Stream {
  bool capturing = false, hangs = false;
  Work captured;
};

constexpr CudaResult kInvalidValue = 1, kOutOfMemory = 2, kInvalidContext = 201, kCapturing = 900,
                     kLaunchFailure = 719;

struct Driver {
  char contexts[64] = {};  // their addresses are the contexts
  std::mutex mutex;
  std::map<CudaPointer, std::size_t> memory;
};
thread_local CudaContext t_current = nullptr;

Driver& driver() {
  static Driver all;
  return all;
}

int devices() {
  const char* text = std::getenv("FAKE_CUDA_DEVICES");
  return text != nullptr ? std::atoi(text) : 2;
}

CudaResult code_of(const char* call) {
  const char* text = std::getenv("FAKE_CUDA_FAIL");
  return text != nullptr && std::string_view(text) == call ? kLaunchFailure : kCudaSuccess;
}

void set_memory(CudaPointer at, std::size_t bytes) {  // 0: no more
  const std::lock_guard lock(driver().mutex);
  if (bytes > 0) driver().memory[at] = bytes;
  if (bytes == 0) driver().memory.erase(at);
}

bool inside(CudaPointer at, std::size_t bytes) {
  const std::lock_guard lock(driver().mutex);
  auto after = driver().memory.upper_bound(at);
  if (after == driver().memory.begin()) return false;
  --after;
  return at + bytes <= after->first + after->second;
}

void* host(CudaPointer at) {
  return reinterpret_cast<void*>(at);  // NOLINT(performance-no-int-to-ptr)
}

template <class T, class Handle>
T& as(Handle handle) {
  return *reinterpret_cast<T*>(handle);
}

}  // namespace

#define FAKE extern "C" __attribute__((visibility("default"))) CudaResult
#define FAIL_IF_ASKED(call) \
  if (code_of(call) != kCudaSuccess) return code_of(call)

extern "C" __attribute__((visibility("default"))) void pscope_fake_enqueue(
    CudaStreamHandle stream, const std::function<void()>& work) {
  Stream& to = as<Stream>(stream);
  if (to.capturing) {
    to.captured.push_back(work);
  } else {
    work();
  }
}

extern "C" __attribute__((visibility("default"))) void pscope_fake_hang(CudaStreamHandle stream,
                                                                        bool hangs) {
  as<Stream>(stream).hangs = hangs;
}

extern "C" void pscope_fake_add_memory(CudaPointer at, std::size_t bytes) { set_memory(at, bytes); }

FAKE cuInit(unsigned) { return devices() == 0 ? kCudaNoDevice : code_of("cuInit"); }
FAKE cuDriverGetVersion(int* version) {
  *version = 13000;
  return kCudaSuccess;
}
FAKE cuGetErrorName(CudaResult code, const char** text) {
  *text = code == kLaunchFailure ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR";
  return kCudaSuccess;
}
FAKE cuGetErrorString(CudaResult code, const char** text) {
  *text = code == kLaunchFailure ? "told to fail" : "wrong use of the fake";
  return kCudaSuccess;
}
FAKE cuDeviceGetCount(int* count) {
  *count = devices();
  return code_of("cuDeviceGetCount");
}
FAKE cuDeviceGet(CudaDeviceHandle* device, int ordinal) {
  *device = ordinal;
  return ordinal < devices() ? kCudaSuccess : kInvalidValue;
}
FAKE cuDeviceGetName(char* name, int length, CudaDeviceHandle device) {
  std::snprintf(name, static_cast<std::size_t>(length), "Fake GPU %d", device);
  return kCudaSuccess;
}
FAKE cuDeviceGetPCIBusId(char* id, int length, CudaDeviceHandle device) {
  std::snprintf(id, static_cast<std::size_t>(length), "0000:%02X:00.0", 0xA0 + device);
  return kCudaSuccess;
}
FAKE cuDevicePrimaryCtxRetain(CudaContext* context, CudaDeviceHandle device) {
  *context = reinterpret_cast<CudaContext>(&driver().contexts[device]);
  return code_of("cuDevicePrimaryCtxRetain");
}
FAKE cuDevicePrimaryCtxRelease_v2(CudaDeviceHandle) { return kCudaSuccess; }
FAKE cuCtxSetCurrent(CudaContext context) {
  t_current = context;
  return kCudaSuccess;
}
FAKE cuCtxGetDevice(CudaDeviceHandle* device) {  // as NCCL asks it
  if (t_current == nullptr) return kInvalidContext;
  *device = static_cast<int>(reinterpret_cast<char*>(t_current) - driver().contexts);
  return kCudaSuccess;
}
FAKE cuCtxSynchronize() { return t_current != nullptr ? kCudaSuccess : kInvalidContext; }
FAKE cuMemAlloc_v2(CudaPointer* memory, std::size_t bytes) {
  FAIL_IF_ASKED("cuMemAlloc");
  if (t_current == nullptr) return kInvalidContext;
  void* got = bytes > 0 ? std::malloc(bytes) : nullptr;
  if (got == nullptr) return kOutOfMemory;
  *memory = reinterpret_cast<CudaPointer>(got);
  set_memory(*memory, bytes);
  return kCudaSuccess;
}
FAKE cuMemFree_v2(CudaPointer memory) {
  if (!inside(memory, 1)) return kInvalidValue;
  set_memory(memory, 0);
  std::free(host(memory));
  return kCudaSuccess;
}
FAKE cuMemcpyHtoD_v2(CudaPointer to, const void* from, std::size_t bytes) {
  FAIL_IF_ASKED("cuMemcpyHtoD");
  if (!inside(to, bytes)) return kInvalidValue;
  std::memcpy(host(to), from, bytes);
  return kCudaSuccess;
}
FAKE cuMemcpyDtoH_v2(void* to, CudaPointer from, std::size_t bytes) {
  FAIL_IF_ASKED("cuMemcpyDtoH");
  if (!inside(from, bytes)) return kInvalidValue;
  copy_as_dma(to, host(from), bytes);
  return kCudaSuccess;
}
FAKE cuMemcpyDtoD_v2(CudaPointer to, CudaPointer from, std::size_t bytes) {
  if (!inside(to, bytes) || !inside(from, bytes)) return kInvalidValue;
  std::memmove(host(to), host(from), bytes);
  return kCudaSuccess;
}
FAKE cuMemsetD8_v2(CudaPointer to, unsigned char byte, std::size_t count) {
  if (!inside(to, count)) return kInvalidValue;
  std::memset(host(to), byte, count);
  return kCudaSuccess;
}
FAKE cuStreamCreate(CudaStreamHandle* stream, unsigned) {
  FAIL_IF_ASKED("cuStreamCreate");
  *stream = reinterpret_cast<CudaStreamHandle>(new Stream);
  return kCudaSuccess;
}
FAKE cuStreamDestroy_v2(CudaStreamHandle stream) {
  delete &as<Stream>(stream);
  return kCudaSuccess;
}
FAKE cuStreamQuery(CudaStreamHandle stream) {
  FAIL_IF_ASKED("cuStreamQuery");
  if (as<Stream>(stream).capturing) return kCapturing;
  const bool hangs = as<Stream>(stream).hangs || std::getenv("FAKE_CUDA_HANG") != nullptr;
  return hangs ? kCudaNotReady : kCudaSuccess;
}
FAKE cuStreamBeginCapture_v2(CudaStreamHandle stream, int) {
  as<Stream>(stream).capturing = true;
  return code_of("cuStreamBeginCapture");
}
FAKE cuStreamIsCapturing(CudaStreamHandle stream, int* status) {
  *status = as<Stream>(stream).capturing ? 1 : 0;
  return kCudaSuccess;
}
FAKE cuStreamEndCapture(CudaStreamHandle stream, CudaGraphHandle* graph) {
  Stream& from = as<Stream>(stream);
  if (!from.capturing) return kCapturing;
  from.capturing = false;
  *graph = reinterpret_cast<CudaGraphHandle>(new Work(std::move(from.captured)));
  from.captured.clear();
  return kCudaSuccess;
}
FAKE cuGraphInstantiateWithFlags(CudaGraphExecHandle* exec, CudaGraphHandle graph,
                                 unsigned long long) {
  *exec = reinterpret_cast<CudaGraphExecHandle>(new Work(as<Work>(graph)));
  return code_of("cuGraphInstantiate");
}
FAKE cuGraphLaunch(CudaGraphExecHandle exec, CudaStreamHandle) {
  for (const auto& work : as<Work>(exec)) work();
  return code_of("cuGraphLaunch");
}
FAKE cuGraphDestroy(CudaGraphHandle graph) {
  delete &as<Work>(graph);
  return kCudaSuccess;
}
FAKE cuGraphExecDestroy(CudaGraphExecHandle exec) {
  delete &as<Work>(exec);
  return kCudaSuccess;
}
FAKE cuEventCreate(CudaEventHandle* event, unsigned) {
  *event = reinterpret_cast<CudaEventHandle>(new std::uint64_t(0));
  return code_of("cuEventCreate");
}
FAKE cuEventDestroy_v2(CudaEventHandle event) {
  delete &as<std::uint64_t>(event);
  return kCudaSuccess;
}
FAKE cuEventRecord(CudaEventHandle event, CudaStreamHandle) {
  as<std::uint64_t>(event) = clock_ns(CLOCK_MONOTONIC);
  return code_of("cuEventRecord");
}
FAKE cuEventElapsedTime(float* ms, CudaEventHandle begin, CudaEventHandle end) {
  const std::uint64_t from = as<std::uint64_t>(begin), to = as<std::uint64_t>(end);
  if (from == 0 || to < from) return kInvalidValue;
  *ms = static_cast<float>(to - from) / 1e6F;
  return kCudaSuccess;
}
// NOLINTEND(readability-identifier-naming,readability-function-size)
