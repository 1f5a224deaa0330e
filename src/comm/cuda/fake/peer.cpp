// What the P2P backend needs of the fake libcuda beyond driver.cpp: memory that other processes map (files in memory), and our
// kernels, whose code runs on threads of this process, a thread for each block. A launch returns when the kernel has ended;
// with FAKE_CUDA_IDLE=1 it does nothing: what a call costs the host.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "comm/cuda/device/low_latency.hpp"
#include "comm/cuda/device/run_plan.hpp"
#include "comm/cuda/fake/dma.hpp"
#include "comm/cuda/fake/stream.hpp"
#include "comm/cuda/peer_driver.hpp"
#include "record/ticks.hpp"

// NOLINTBEGIN(readability-identifier-naming,readability-function-size): names and arguments are theirs
namespace {

using namespace peerscope;        // NOLINT(google-build-using-namespace): exports are global
using namespace peerscope::cuda;  // NOLINT(google-build-using-namespace)

constexpr CudaResult kInvalidValue = 1;
constexpr std::size_t kGranularity = 64 << 10;
constexpr int kMultiprocessors = 4;

// Runs a block of a kernel, given its arguments.
using BlockMain = void (*)(void* const* arguments, const Block& block);

struct Function {
  std::string name;
  BlockMain main = nullptr;
  std::size_t argument_bytes[4] = {};  // of each; 0: no more
};

template <class Type, class Op>
void plan_main(void* const* arguments, const Block& block) {
  run_plan<Type, Op>(*static_cast<const PlanArguments*>(arguments[0]), block);
}
template <class Type, class Op>
void low_latency_main(void* const* arguments, const Block& block) {
  low_latency<Type, Op>(*static_cast<const Arguments*>(arguments[0]), block);
}
void clock_main(void* const* arguments, const Block& block) {
  if (block.index == 0) **static_cast<std::uint64_t**>(arguments[0]) = clock_now();
}
void busy_main(void* const* arguments, const Block& block) {
  volatile float x = 1;
  for (std::uint64_t i = 0; block.index == 0 && i < *static_cast<std::uint64_t*>(arguments[1]); ++i)
    x = x * 1.0001F + 0.5F;
}
void copy_main(void* const* arguments, const Block& block) {
  if (block.index == 0)
    std::memcpy(*static_cast<void**>(arguments[0]), *static_cast<void**>(arguments[1]),
                *static_cast<std::uint64_t*>(arguments[2]));
}

template <class Type>
void add_type(std::vector<Function>& all, const std::string& type) {
  const auto add = [&](const char* op, BlockMain plan, BlockMain low) {
    all.push_back({"peerscope_plan_" + type + "_" + op, plan, {sizeof(PlanArguments)}});
    all.push_back({"peerscope_low_latency_" + type + "_" + op, low, {sizeof(Arguments)}});
  };
  add("sum", plan_main<Type, Sum>, low_latency_main<Type, Sum>);
  add("min", plan_main<Type, Min>, low_latency_main<Type, Min>);
  add("max", plan_main<Type, Max>, low_latency_main<Type, Max>);
}

const std::vector<Function>& functions() {
  static const std::vector<Function> all = [] {
    std::vector<Function> made;
    add_type<F32>(made, "f32");
    add_type<F16>(made, "f16");
    add_type<Bf16>(made, "bf16");
    add_type<I32>(made, "i32");
    add_type<I8>(made, "i8");
    add_type<U8>(made, "u8");
    made.push_back({"peerscope_clock", clock_main, {8}});
    made.push_back({"peerscope_copy", copy_main, {8, 8, 8}});
    made.push_back({"peerscope_busy", busy_main, {8, 8}});
    made.push_back({"peerscope_chase", clock_main, {8, 8, 4, 4}});
    return made;
  }();
  return all;
}

bool is_told_to_fail(std::string_view call) {
  const char* text = std::getenv("FAKE_CUDA_FAIL");
  return text != nullptr && call == text;
}

void* at(CudaPointer pointer) {
  return reinterpret_cast<void*>(pointer);  // NOLINT(performance-no-int-to-ptr)
}

// Arguments are copied at the launch, as CUDA does.
struct Launch {
  const Function* function;
  unsigned blocks;
  std::vector<std::vector<char>> arguments;

  void operator()() const {
    std::vector<std::thread> threads;
    for (unsigned index = 0; index < blocks; ++index) {
      threads.emplace_back([this, index] {
        void* pointers[4] = {};
        for (std::size_t i = 0; i < arguments.size(); ++i)
          pointers[i] = const_cast<char*>(arguments[i].data());
        function->main(pointers, Block{index, blocks, 0, 1});
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

}  // namespace

#define FAKE extern "C" __attribute__((visibility("default"))) CudaResult

extern "C" void pscope_fake_enqueue(CudaStreamHandle stream, const std::function<void()>& work);
extern "C" void pscope_fake_add_memory(CudaPointer at, std::size_t bytes);

FAKE cuDeviceGetAttribute(int* value, int attribute, CudaDeviceHandle) {
  *value = attribute == kCudaMultiprocessors ? kMultiprocessors : 0;
  return kCudaSuccess;
}
FAKE cuMemGetAllocationGranularity(std::size_t* bytes, const CudaAllocationProperties*, int) {
  *bytes = kGranularity;
  return kCudaSuccess;
}
FAKE cuMemCreate(CudaAllocation* made, std::size_t bytes, const CudaAllocationProperties* of,
                 unsigned long long) {
  const std::string of_device = "cuMemCreate@" + std::to_string(of->location.id);
  if (is_told_to_fail("cuMemCreate") || is_told_to_fail(of_device)) return kCudaOutOfMemory;
  const int fd = memfd_create("fake gpu", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(bytes)) != 0) return kCudaOutOfMemory;
  *made = static_cast<CudaAllocation>(fd);
  return kCudaSuccess;
}
FAKE cuMemRelease(CudaAllocation allocation) {
  return close(static_cast<int>(allocation)) == 0 ? kCudaSuccess : kInvalidValue;
}
FAKE cuMemExportToShareableHandle(void* handle, CudaAllocation allocation, int,
                                  unsigned long long) {
  *static_cast<int*>(handle) = dup(static_cast<int>(allocation));
  return kCudaSuccess;
}
FAKE cuMemImportFromShareableHandle(CudaAllocation* made, void* handle, int) {
  if (is_told_to_fail("cuMemImportFromShareableHandle")) return kInvalidValue;
  *made =
      static_cast<CudaAllocation>(dup(static_cast<int>(reinterpret_cast<std::intptr_t>(handle))));
  return kCudaSuccess;
}
FAKE cuMemAddressReserve(CudaPointer* pointer, std::size_t bytes, std::size_t, CudaPointer,
                         unsigned long long) {
  void* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return kCudaOutOfMemory;
  *pointer = reinterpret_cast<CudaPointer>(memory);
  return kCudaSuccess;
}
FAKE cuMemAddressFree(CudaPointer pointer, std::size_t bytes) {
  return munmap(at(pointer), bytes) == 0 ? kCudaSuccess : kInvalidValue;
}
FAKE cuMemMap(CudaPointer pointer, std::size_t bytes, std::size_t, CudaAllocation allocation,
              unsigned long long) {
  const void* memory = mmap(at(pointer), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                            static_cast<int>(allocation), 0);
  if (memory == MAP_FAILED) return kInvalidValue;
  pscope_fake_add_memory(pointer, bytes);
  return kCudaSuccess;
}
FAKE cuMemUnmap(CudaPointer pointer, std::size_t bytes) {
  pscope_fake_add_memory(pointer, 0);
  const void* memory =
      mmap(at(pointer), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return memory != MAP_FAILED ? kCudaSuccess : kInvalidValue;
}
FAKE cuMemSetAccess(CudaPointer, std::size_t, const CudaAccess*, std::size_t) {
  return is_told_to_fail("cuMemSetAccess") ? kInvalidValue : kCudaSuccess;
}
FAKE cuModuleLoadData(CudaModule* module, const void* image) {
  *module = reinterpret_cast<CudaModule>(const_cast<void*>(image));
  return is_told_to_fail("cuModuleLoadData") ? kInvalidValue : kCudaSuccess;
}
FAKE cuModuleUnload(CudaModule) { return kCudaSuccess; }
FAKE cuModuleGetFunction(CudaFunction* function, CudaModule, const char* name) {
  for (const Function& known : functions()) {
    if (known.name != name) continue;
    *function = reinterpret_cast<CudaFunction>(const_cast<Function*>(&known));
    return kCudaSuccess;
  }
  return kInvalidValue;
}
FAKE cuLaunchKernelEx(const CudaLaunchConfig* config, CudaFunction handle, void** parameters,
                      void**) {
  if (is_told_to_fail("cuLaunchKernelEx")) return kInvalidValue;
  static const bool idle = std::getenv("FAKE_CUDA_IDLE") != nullptr;
  if (idle) return kCudaSuccess;
  const auto* function = reinterpret_cast<const Function*>(handle);
  Launch launch{function, config->grid[0], {}};
  for (std::size_t i = 0; i < 4 && function->argument_bytes[i] != 0; ++i) {
    const char* from = static_cast<const char*>(parameters[i]);
    launch.arguments.emplace_back(from, from + function->argument_bytes[i]);
  }
  pscope_fake_enqueue(config->stream, launch);
  return kCudaSuccess;
}
FAKE cuMemHostAlloc(void** memory, std::size_t bytes, unsigned) {
  *memory = std::calloc(1, bytes);
  return *memory != nullptr ? kCudaSuccess : kCudaOutOfMemory;
}
FAKE cuMemFreeHost(void* memory) {
  std::free(memory);
  return kCudaSuccess;
}
FAKE cuMemHostGetDevicePointer_v2(CudaPointer* pointer, void* memory, unsigned) {
  *pointer = reinterpret_cast<CudaPointer>(memory);
  return kCudaSuccess;
}
FAKE cuMemcpyAsync(CudaPointer to, CudaPointer from, std::size_t bytes, CudaStreamHandle stream) {
  pscope_fake_enqueue(stream, [=] { std::memcpy(at(to), at(from), bytes); });
  return kCudaSuccess;
}
FAKE cuMemcpyDtoHAsync_v2(void* to, CudaPointer from, std::size_t bytes, CudaStreamHandle) {
  copy_as_dma(to, at(from), bytes);
  return kCudaSuccess;
}
FAKE cuMemcpyHtoDAsync_v2(CudaPointer to, const void* from, std::size_t bytes, CudaStreamHandle) {
  std::memcpy(at(to), from, bytes);
  return kCudaSuccess;
}
FAKE cuStreamSynchronize(CudaStreamHandle) { return kCudaSuccess; }
FAKE cuGraphUpload(CudaGraphExecHandle, CudaStreamHandle) { return kCudaSuccess; }
FAKE cuThreadExchangeStreamCaptureMode(int*) { return kCudaSuccess; }
// NOLINTEND(readability-identifier-naming,readability-function-size)
