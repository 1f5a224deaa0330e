#include "source/cuda/session.hpp"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "record/say.hpp"
#include "source/cuda/driver.hpp"
#include "source/cuda/known_kernels.hpp"

namespace peerscope::cuda {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

constinit pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;  // opening and registering
constinit std::atomic<pscope_session*> g_session{nullptr};
constinit Series g_copies[kDevices];
constinit Series g_kernels[kLibraries][kDevices];
constinit pscope_metric g_counters[static_cast<std::uint32_t>(Counter::count)];

struct Metric {
  const char *name, *unit;
};
constexpr Metric kMetrics[] = {
    {"cuda.windows", "windows"},
    {"cuda.sampled_copies", "operations"},
    {"cuda.sampled_kernels", "operations"},
    {"cuda.captured_in_graphs", "operations"},
    {"cuda.failed_copies", "operations"},
    {"cuda.unmatched_copies", "operations"},
    {"cuda.refused_records", "records"},
    {"cuda.lost_buffers", "buffers"},
};
static_assert(sizeof kMetrics / sizeof kMetrics[0] == static_cast<std::size_t>(Counter::count));

// Another number for each process and family, with all bits in use: ids of other sources are hashes, too.
std::uint64_t id_of(std::uint32_t family) {
  std::uint64_t x = static_cast<std::uint64_t>(getpid()) << 16 | (family + 1);
  x *= 0x9E37'79B9'7F4A'7C15u;
  x ^= x >> 32;
  return x * 0xD6E8'FEB8'6659'FD93u;
}

std::uint16_t register_device(Series& series, const pscope_comm_desc& desc) {
  std::uint16_t id = series.id.load(std::memory_order_acquire);
  if (__builtin_expect(id != 0, 1)) return id;
  pthread_mutex_lock(&g_mutex);
  id = series.id.load(kRelaxed);
  if (id == 0) id = pscope_comm_register(g_session.load(kRelaxed), &desc);
  series.id.store(id, std::memory_order_release);
  pthread_mutex_unlock(&g_mutex);
  return id;
}

}  // namespace

bool open_session() {
  if (g_session.load(kRelaxed) != nullptr) return true;
  const char* why = nullptr;
  pscope_session* session = pscope_open(nullptr, &why);
  if (why != nullptr) say("not recording: %s", why);
  if (session == nullptr) return false;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(Counter::count); ++i)
    g_counters[i] = pscope_counter(session, kMetrics[i].name, kMetrics[i].unit);
  g_session.store(session, std::memory_order_release);
  return true;
}

Recorder* recorder() {
  pscope_session* session = g_session.load(std::memory_order_acquire);
  return session != nullptr ? as_recorder(session) : nullptr;
}

std::uint32_t level_now() {
  const pscope_session* session = g_session.load(std::memory_order_acquire);
  return session != nullptr ? __atomic_load_n(session->level, __ATOMIC_RELAXED) : 0;
}

std::uint64_t budget_ppm() {
  const Recorder* session = recorder();
  return session == nullptr ? 0
                            : session->segment.header().control.detail_budget_ppm.load(kRelaxed);
}

// By now and how long ago it was: needs no calibration, and what is asked for was a moment ago.
std::uint64_t host_time_of(std::uint64_t ticks) {
  const Recorder* session = recorder();
  if (session == nullptr) return 0;
  const std::uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
  const std::uint64_t ago = ticks_now(session->clock) - ticks;
  return now_ns - static_cast<std::uint64_t>(static_cast<double>(ago) * session->ns_per_tick);
}

std::uint64_t ticks_of(std::uint64_t host_ns) {
  const Recorder* session = recorder();
  if (session == nullptr) return 0;
  const std::uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
  const std::uint64_t now = ticks_now(session->clock);
  const auto ago_ns = static_cast<double>(static_cast<std::int64_t>(now_ns - host_ns));
  return now - static_cast<std::uint64_t>(static_cast<std::int64_t>(ago_ns / session->ns_per_tick));
}

Series* copies_of(std::uint32_t source_device) {
  if (source_device >= kDevices) return nullptr;
  Series& series = g_copies[source_device];
  if (__builtin_expect(series.id.load(std::memory_order_acquire) != 0, 1)) return &series;
  const pscope_comm_desc desc{id_of(0),
                              "cuda copies",
                              source_device,
                              device_count(),
                              static_cast<std::uint16_t>(source_device),
                              PSCOPE_BACKEND_CUDA,
                              0};
  return register_device(series, desc) != 0 ? &series : nullptr;
}

Series* kernels_of(std::uint32_t library, std::uint32_t device) {
  if (device >= kDevices || library >= kLibraries) return nullptr;
  Series& series = g_kernels[library][device];
  if (__builtin_expect(series.id.load(std::memory_order_acquire) != 0, 1)) return &series;
  const pscope_comm_desc desc{id_of(1 + library),
                              library_name(library),
                              device,
                              0,  // ranks: unknown
                              static_cast<std::uint16_t>(device),
                              PSCOPE_BACKEND_UNKNOWN,
                              0};
  return register_device(series, desc) != 0 ? &series : nullptr;
}

void count(Counter counter, std::uint64_t amount) {
  pscope_session* session = g_session.load(kRelaxed);
  if (session != nullptr)
    pscope_counter_add(session, g_counters[static_cast<std::uint32_t>(counter)], amount);
}

bool is_logging() {
  const char* value = getenv("PEERSCOPE_CUDA_LOG");
  return value != nullptr && value[0] == '1';
}

void say(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_line("cuda", format, arguments);
  va_end(arguments);
}

}  // namespace peerscope::cuda
