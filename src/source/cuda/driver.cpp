#include "source/cuda/driver.hpp"

#include <atomic>

#include <dlfcn.h>

#include "source/cuda/cupti.hpp"
#include "source/cuda/session.hpp"

namespace peerscope::cuda {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

using GetCount = int (*)(int*);
using GetAttributes = int (*)(unsigned, int*, void**, DevicePointer);
using IsCapturing = int (*)(void*, int*);
constinit std::atomic<GetCount> g_get_count{nullptr};
constinit std::atomic<GetAttributes> g_get_attributes{nullptr};
constinit std::atomic<IsCapturing> g_is_capturing{nullptr};

// Device memory is mapped in pages of 2 MiB, each on one device. A place is two words that are written and read without a
// lock: the second one holds enough of the first to tell that they belong together.
constexpr unsigned kPageBits = 21;
constexpr std::uint64_t kRemembered = std::uint64_t{1} << 27;  // ticks: some 50 ms
struct Page {
  std::atomic<std::uint64_t> word{0};  // page number 36 | device 8 | time 20
};
constexpr std::uint32_t kPages = 1024;
constinit Page g_pages[kPages];

constexpr std::uint64_t kTimeMask = (std::uint64_t{1} << 20) - 1;
constexpr unsigned kTimeShift = 22;  // of ticks: steps of some 2 ms
constexpr std::uint64_t kNotDevice = 0xFF;

std::uint64_t pack(std::uint64_t page, std::uint64_t device, std::uint64_t now) {
  return page << 28 | device << 20 | (now >> kTimeShift & kTimeMask);
}

struct Context {
  std::atomic<void*> context{nullptr};
  std::atomic<std::uint32_t> device{kNoDevice};
};
constexpr std::uint32_t kContexts = 64;
constinit Context g_contexts[kContexts];

std::uint32_t ask_pointer(DevicePointer pointer) {
  const GetAttributes get = g_get_attributes.load(kRelaxed);
  if (get == nullptr) return kNoDevice;
  int attributes[] = {kPointerMemoryType, kPointerDeviceOrdinal};
  int type = 0, ordinal = -1;
  void* values[] = {&type, &ordinal};
  if (get(2, attributes, values, pointer) != 0) return kNoDevice;
  return type == kMemoryDevice && ordinal >= 0 ? static_cast<std::uint32_t>(ordinal) : kNoDevice;
}

}  // namespace

bool find_driver() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOLOAD | RTLD_LAZY);
  if (driver == nullptr) return false;
  g_get_count.store(reinterpret_cast<GetCount>(dlsym(driver, "cuDeviceGetCount")), kRelaxed);
  g_get_attributes.store(reinterpret_cast<GetAttributes>(dlsym(driver, "cuPointerGetAttributes")),
                         kRelaxed);
  g_is_capturing.store(reinterpret_cast<IsCapturing>(dlsym(driver, "cuStreamIsCapturing")),
                       kRelaxed);
  dlclose(driver);  // it stays: it is calling us
  return true;
}

std::uint32_t device_count() {
  const GetCount get = g_get_count.load(kRelaxed);
  int count = 0;
  return get != nullptr && get(&count) == 0 && count > 0 ? static_cast<std::uint32_t>(count) : 0;
}

std::uint32_t device_of_pointer(DevicePointer pointer, std::uint64_t now_ticks) {
  const std::uint64_t number = pointer >> kPageBits;
  if (number == 0) return kNoDevice;
  Page& page = g_pages[(number ^ number >> 10) % kPages];
  const std::uint64_t word = page.word.load(kRelaxed);
  const std::uint64_t age = ((now_ticks >> kTimeShift) - word) & kTimeMask;
  if (word >> 28 == number && age < kRemembered >> kTimeShift) {
    const std::uint64_t device = word >> 20 & 0xFF;
    return device == kNotDevice ? kNoDevice : static_cast<std::uint32_t>(device);
  }
  const std::uint32_t device = ask_pointer(pointer);
  const std::uint64_t kept = device < kDevices ? device : kNotDevice;
  // Host memory has smaller pages, and may be anything next door: only devices' is remembered.
  if (kept != kNotDevice && number >> 36 == 0)
    page.word.store(pack(number, kept, now_ticks), kRelaxed);
  return device;
}

std::uint32_t device_of_context(void* context) {
  if (context == nullptr) return kNoDevice;
  const auto hash = reinterpret_cast<std::uintptr_t>(context) * 0x9E37'79B9'7F4A'7C15u >> 58;
  for (std::uint32_t i = 0; i < 4; ++i) {
    Context& known = g_contexts[(hash + i) % kContexts];
    void* seen = known.context.load(std::memory_order_acquire);
    std::uint32_t device = seen == context ? known.device.load(kRelaxed) : kNoDevice;
    if (device != kNoDevice) return device;
    if (seen != nullptr && seen != context) continue;
    if (cupti().get_device_id(context, &device) != kSuccess || device >= kDevices) return kNoDevice;
    // Taken by the device first: who sees the context sees it with its device, or asks again.
    std::uint32_t none = kNoDevice;
    if (known.device.compare_exchange_strong(none, device, kRelaxed))
      known.context.store(context, std::memory_order_release);
    return device;
  }
  std::uint32_t device = kNoDevice;
  return cupti().get_device_id(context, &device) == kSuccess ? device : kNoDevice;
}

void forget_contexts() {
  for (Context& known : g_contexts) {
    known.context.store(nullptr, kRelaxed);
    known.device.store(kNoDevice, std::memory_order_release);
  }
}

bool is_capturing(void* stream) {
  const IsCapturing is = g_is_capturing.load(kRelaxed);
  int status = 0;
  return is != nullptr && is(stream, &status) == 0 && status != 0;
}

}  // namespace peerscope::cuda
