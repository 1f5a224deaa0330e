#include "source/cuda/activity.hpp"

#include <pthread.h>

#include "record/finished.hpp"
#include "source/cuda/copies.hpp"
#include "source/cuda/cupti.hpp"
#include "source/cuda/known_kernels.hpp"
#include "source/cuda/session.hpp"

namespace peerscope::cuda {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// A window of 2 ms of kernels of 5 µs each, on eight devices, is some 700 KiB. Pages that were never asked for are none.
constexpr std::size_t kBufferBytes = std::size_t{128} << 10;
constexpr std::uint32_t kBuffers = 32;
alignas(64) constinit std::uint8_t g_memory[kBuffers][kBufferBytes] = {};
constinit std::atomic<bool> g_taken[kBuffers] = {};

constinit std::atomic<std::uint64_t> g_signs{0}, g_found{0};
constinit std::atomic<bool> g_stopped{false};
constinit pthread_mutex_t g_reading = PTHREAD_MUTEX_INITIALIZER;

// From CUPTI's time to CLOCK_MONOTONIC, at the last tie; one word, so that nobody reads half of two. 0: none yet.
constinit std::atomic<std::uint64_t> g_to_host_ns{0};

std::uint64_t host_time(std::uint64_t device_ns) {
  const std::uint64_t to_host_ns = g_to_host_ns.load(kRelaxed);
  return to_host_ns == 0 ? 0 : device_ns + to_host_ns;
}

void on_request(std::uint8_t** buffer, std::size_t* size, std::size_t* max_records) {
  *buffer = nullptr;
  *size = 0;
  *max_records = 0;
  g_signs.fetch_add(1, kRelaxed);
  if (g_stopped.load(kRelaxed)) return;
  for (std::uint32_t i = 0; i < kBuffers; ++i) {
    if (g_taken[i].exchange(true, std::memory_order_acquire)) continue;
    *buffer = g_memory[i];
    *size = kBufferBytes;
    return;
  }
  count(Counter::lost_buffers);
}

// Recorded as it is: by one device, without a size. Neither its communicator's other ranks nor its bytes are in the record.
void on_kernel(const KernelRecord& record) {
  const KnownKernel* kernel = recall_kernel(record.name);
  if (kernel == nullptr) return;
  if (record.end_ns <= record.start_ns || record.device >= kDevices)
    return count(Counter::refused_records);
  Recorder* session = recorder();
  Series* series = kernels_of(static_cast<std::uint32_t>(kernel->library), record.device);
  const std::uint64_t host_ns = host_time(record.start_ns);
  if (session == nullptr || series == nullptr || host_ns == 0) return;
  pscope_op op{};
  op.sequence = series->next.fetch_add(1, kRelaxed);
  op.comm = series->id.load(kRelaxed);
  op.peer = PSCOPE_NO_PEER;
  op.kind = kernel->kind;
  op.algorithm = kernel->algorithm;
  record_observed(*session, op, ticks_of(host_ns));
  const pscope_device_times times{op.sequence, record.start_ns, record.end_ns, 0, op.comm,
                                  kClock,      op.kind,         op.algorithm,  0};
  pscope_op_device_times(&session->pub, &times);
  g_found.fetch_add(1, kRelaxed);
  count(Counter::sampled_kernels);
}

void read(std::uint8_t* buffer, std::size_t valid) {
  ActivityHead* record = nullptr;
  while (cupti().next_record(buffer, valid, &record) == kSuccess && record != nullptr) {
    if (record->kind == kKindPeerCopy) {
      const auto& copy = *reinterpret_cast<const PeerCopyRecord*>(record);
      g_found.fetch_add(1, kRelaxed);
      on_peer_copy(copy, host_time(copy.start_ns));
    } else if (record->kind == kKindConcurrentKernel) {
      on_kernel(*reinterpret_cast<const KernelRecord*>(record));
    }
  }
}

// On a thread of CUPTI's, or on ours that flushes.
void on_complete(void*, std::uint32_t, std::uint8_t* buffer, std::size_t, std::size_t valid) {
  g_signs.fetch_add(1, kRelaxed);
  if (g_stopped.load(kRelaxed)) return;
  const auto offset =
      reinterpret_cast<std::uintptr_t>(buffer) - reinterpret_cast<std::uintptr_t>(&g_memory[0][0]);
  if (offset >= sizeof g_memory) return;  // another client's
  if (valid != 0 && valid <= kBufferBytes && level_now() >= PSCOPE_LEVEL_DETAILED) {
    pthread_mutex_lock(&g_reading);
    read(buffer, valid);
    pthread_mutex_unlock(&g_reading);
  }
  g_taken[offset / kBufferBytes].store(false, std::memory_order_release);
}

}  // namespace

bool register_buffers() {
  const int result = cupti().register_buffers(on_request, on_complete);
  if (result == kSuccess) return true;
  say("cuptiActivityRegisterCallbacks: %s (%d): copies are counted, without device times",
      result_text(result), result);
  return false;
}

bool tie_clock() {
  Recorder* session = recorder();
  if (session == nullptr) return false;
  std::uint64_t best_width = UINT64_MAX, best_before = 0, best_device = 0;
  for (int i = 0; i < 5; ++i) {
    std::uint64_t device_ns = 0;
    const std::uint64_t before = clock_ns(CLOCK_MONOTONIC);
    if (cupti().get_timestamp(&device_ns) != kSuccess) return false;
    const std::uint64_t width = clock_ns(CLOCK_MONOTONIC) - before;
    if (width >= best_width) continue;
    best_width = width;
    best_before = before;
    best_device = device_ns;
  }
  pscope_device_clock(&session->pub, kClock, best_device, best_before, best_before + best_width);
  g_to_host_ns.store(best_before + best_width / 2 - best_device, kRelaxed);
  return true;
}

std::uint64_t signs_of_life() { return g_signs.load(kRelaxed); }
std::uint64_t operations_found() { return g_found.load(kRelaxed); }
void stop_reading() { g_stopped.store(true, kRelaxed); }

}  // namespace peerscope::cuda
