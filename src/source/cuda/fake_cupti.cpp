// What libcupti and libcuda export, as far as it is used. Its name is libcuda.so.1, so that the library finds the driver in it;
// PEERSCOPE_CUPTI names it for the rest.
#include "source/cuda/fake_cupti.hpp"

#include <cstring>
#include <ctime>
#include <utility>

namespace peerscope {
namespace {

using namespace cuda;

FakeCupti g_fake;

void others_request(std::uint8_t** buffer, std::size_t* size, std::size_t* most) {
  static std::uint8_t memory[65'536];
  *buffer = memory;
  *size = sizeof memory;
  *most = 0;
  ++g_fake.others_buffers;
}
void others_complete(void*, std::uint32_t, std::uint8_t*, std::size_t, std::size_t) {
  ++g_fake.others_completed;
}

}  // namespace

FakeCupti& fake_cupti() { return g_fake; }

std::uint64_t FakeCupti::now_ns() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) + clock_ahead_ns;
}

FakeCupti::Open FakeCupti::enter(Domain domain, std::uint32_t id, const void* arguments,
                                 std::uint32_t correlation) {
  Open open{domain, id, correlation != 0 ? correlation : ++next_correlation_, arguments};
  if (!listens(domain, id)) return open;
  CallbackData data{};
  data.site = Site::enter;
  data.arguments = arguments;
  data.shared = &open.shared;
  data.correlation = open.correlation;
  callback(nullptr, domain, id, &data);
  return open;
}

void FakeCupti::exit(Open& open, int result) const {
  if (!listens(open.domain, open.id)) return;
  CallbackData data{};
  data.site = Site::exit;
  data.arguments = open.arguments;
  data.result = &result;
  data.shared = &open.shared;
  data.correlation = open.correlation;
  callback(nullptr, open.domain, open.id, &data);
}

std::uint32_t FakeCupti::call(Domain domain, std::uint32_t id, const void* arguments, int result) {
  Open open = enter(domain, id, arguments);
  exit(open, result);
  return open.correlation;
}

void FakeCupti::context_created(void* context) const {
  const ResourceData data{context};
  if (listens(Domain::resource, kContextCreated))
    callback(nullptr, Domain::resource, kContextCreated, &data);
}

// As CUDA 12 and 13 have them.
std::size_t FakeCupti::size_of(int kind) const {
  if (kind == kKindConcurrentKernel) return version >= kFirstNamedVersion ? 216 : 208;
  return kind == kKindPeerCopy ? 96 : 64;
}

void* FakeCupti::record(int kind, std::size_t bytes) {
  if (!this->kind(kind) || requested == nullptr) return nullptr;
  if (buffer_ != nullptr && used_ + bytes > size_) flush_locked();
  if (buffer_ == nullptr) {
    std::size_t most = 0;
    requested(&buffer_, &size_, &most);
    used_ = 0;
    if (buffer_ == nullptr) return nullptr;
  }
  std::uint8_t* at = buffer_ + used_;
  used_ += bytes;
  std::memset(at, 0xA5, bytes);  // what we do not know of is not zero
  std::memcpy(at, &kind, sizeof kind);
  return at;
}

void FakeCupti::kernel(const char* name, const Work& work) {
  const std::lock_guard lock(mutex_);
  auto* to =
      static_cast<KernelRecord*>(record(kKindConcurrentKernel, size_of(kKindConcurrentKernel)));
  if (to == nullptr) return;
  to->start_ns = work.start_ns;
  to->end_ns = work.end_ns;
  to->device = work.device;
  to->correlation = work.correlation;
  to->name = name;
  to->graph_node = work.graph_node;
}

void FakeCupti::peer_copy(const Work& work) {
  const std::lock_guard lock(mutex_);
  auto* to = static_cast<PeerCopyRecord*>(record(kKindPeerCopy, size_of(kKindPeerCopy)));
  if (to == nullptr) return;
  to->bytes = work.bytes;
  to->start_ns = work.start_ns;
  to->end_ns = work.end_ns;
  to->device = to->source_device = work.device;
  to->destination_device = work.destination;
  to->correlation = work.correlation;
  to->graph_node = work.graph_node;
}

void FakeCupti::dump(int kind) {
  const std::lock_guard lock(mutex_);
  record(kind, size_of(kind));
}

void FakeCupti::flush_locked() {
  if (buffer_ == nullptr) return;
  std::uint8_t* buffer = std::exchange(buffer_, nullptr);
  completed(nullptr, 0, buffer, size_, used_);
}
void FakeCupti::flush() {
  const std::lock_guard lock(mutex_);
  flush_locked();
}

void FakeCupti::replace_client() {
  const std::lock_guard lock(mutex_);
  requested = others_request;
  completed = others_complete;
}

int FakeCupti::next_record(std::uint8_t* buffer, std::size_t valid, ActivityHead** record) const {
  auto* at = reinterpret_cast<std::uint8_t*>(*record);
  at = at == nullptr ? buffer : at + size_of((*record)->kind);
  if (at >= buffer + valid) return 12;  // CUPTI_ERROR_MAX_LIMIT_REACHED
  *record = reinterpret_cast<ActivityHead*>(at);
  return 0;
}

}  // namespace peerscope

using namespace peerscope;
using namespace peerscope::cuda;

#define EXPORT extern "C"

EXPORT int cuptiGetVersion(std::uint32_t* version) {
  *version = g_fake.version;
  return 0;
}
EXPORT int cuptiGetResultString(int result, const char** text) {
  *text =
      result == 39 ? "CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED" : "CUPTI_ERROR_OF_THE_FAKE";
  return 0;
}
EXPORT int cuptiGetTimestamp(std::uint64_t* ns) {
  *ns = g_fake.now_ns();
  return g_fake.timestamp_result;
}
EXPORT int cuptiGetDeviceId(void* context, std::uint32_t* device) {
  const auto found = g_fake.contexts.find(context);
  if (found == g_fake.contexts.end()) return 3;
  *device = found->second;
  return 0;
}
EXPORT int cuptiSubscribe(void** subscriber, Callback callback, void*) {
  if (g_fake.subscribe_result != 0) return g_fake.subscribe_result;
  *subscriber = &g_fake;
  g_fake.callback = callback;
  return 0;
}
EXPORT int cuptiUnsubscribe(void*) {
  g_fake.callback = nullptr;
  ++g_fake.unsubscribed;
  return 0;
}
EXPORT int cuptiEnableCallback(std::uint32_t enable, void*, Domain domain, std::uint32_t id) {
  g_fake.functions[static_cast<int>(domain)][id] = enable != 0;
  return 0;
}
EXPORT int cuptiActivityRegisterCallbacks(BufferRequested requested, BufferCompleted completed) {
  if (g_fake.register_result != 0) return g_fake.register_result;
  g_fake.requested = requested;
  g_fake.completed = completed;
  return 0;
}
EXPORT int cuptiActivityEnable(int kind) {
  if (g_fake.enable_result != 0) return g_fake.enable_result;
  g_fake.kinds[kind] = true;
  ++g_fake.enables;
  return 0;
}
EXPORT int cuptiActivityDisable(int kind) {
  g_fake.kinds[kind] = false;
  ++g_fake.disables;
  return 0;
}
EXPORT int cuptiActivityEnableAndDump(int kind) {
  g_fake.kinds[kind] = true;
  if (g_fake.dumps_devices) g_fake.dump(kind);
  return 0;
}
EXPORT int cuptiActivityFlushAll(std::uint32_t) {
  ++g_fake.flushes;
  g_fake.flush();
  return 0;
}
EXPORT int cuptiActivityGetNextRecord(std::uint8_t* buffer, std::size_t valid,
                                      ActivityHead** record) {
  return g_fake.next_record(buffer, valid, record);
}

EXPORT int cuDeviceGetCount(int* count) {
  *count = g_fake.devices;
  return 0;
}
EXPORT int cuPointerGetAttributes(unsigned count, int* attributes, void** values,
                                  std::uint64_t pointer) {
  const auto found = g_fake.memory.find(pointer >> 21);
  if (found == g_fake.memory.end()) return 1;
  for (unsigned i = 0; i < count; ++i) {
    const int value =
        attributes[i] == kPointerMemoryType ? kMemoryDevice : static_cast<int>(found->second);
    std::memcpy(values[i], &value, sizeof value);
  }
  return 0;
}
EXPORT int cuStreamIsCapturing(void* stream, int* status) {
  *status = g_fake.capturing.count(stream) != 0 ? 1 : 0;
  return 0;
}
