#include "source/nccl/communicator.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "record/say.hpp"

namespace peerscope::nccl {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint32_t kCommunicators = 512;

constinit Communicator g_communicators[kCommunicators];
constinit pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;  // opening and closing
constinit std::atomic<pscope_session*> g_session{nullptr};
constinit bool g_refused = false;
constinit pscope_metric g_lost, g_bad, g_captured, g_sampled;

// The communicator's device is the calling thread's: NCCL has set it before it initialises a profiler. -1: unknown.
int current_device() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOLOAD | RTLD_LAZY);
  if (driver == nullptr) return -1;
  using GetDevice = int (*)(int*);
  const auto get = reinterpret_cast<GetDevice>(dlsym(driver, "cuCtxGetDevice"));
  int device = -1;
  if (get == nullptr || get(&device) != 0) device = -1;
  dlclose(driver);
  return device;
}

bool open_session() {
  if (g_session.load(kRelaxed) != nullptr) return true;
  if (g_refused) return false;
  const char* why = nullptr;
  pscope_session* session = pscope_open(nullptr, &why);
  if (why != nullptr) say("not recording: %s", why);
  g_refused = session == nullptr;
  if (session == nullptr) return false;
  g_sampled = pscope_counter(session, "nccl.sampled", "operations");
  g_captured = pscope_counter(session, "nccl.captured_in_graphs", "operations");
  g_lost = pscope_counter(session, "nccl.lost_events", "events");
  g_bad = pscope_counter(session, "nccl.refused_device_times", "operations");
  g_session.store(session, std::memory_order_release);
  return true;
}

// One that is free, or was given back. The caller holds the mutex.
Communicator* free_slot() {
  for (const std::uint32_t wanted : {0u, 2u}) {
    for (Communicator& comm : g_communicators) {
      if (comm.state.load(kRelaxed) == wanted) return &comm;
    }
  }
  return nullptr;
}

Communicator* start(std::uint64_t hash, const char* name, std::uint32_t ranks, std::uint32_t rank) {
  Communicator* comm = free_slot();
  if (comm == nullptr || !open_session()) return nullptr;
  const int device = current_device();
  comm->hash = hash;
  comm->rank = rank;
  comm->ranks = ranks;
  comm->device = device >= 0 ? static_cast<std::uint16_t>(device) : std::uint16_t{PSCOPE_NO_DEVICE};
  comm->device_clock = device >= 0 ? static_cast<std::uint16_t>(device % kMaxDeviceClocks)
                                   : static_cast<std::uint16_t>(rank % kMaxDeviceClocks);
  const pscope_comm_desc desc{hash, name, rank, ranks, comm->device, PSCOPE_BACKEND_NCCL, 0};
  comm->id = pscope_comm_register(g_session.load(kRelaxed), &desc);
  for (auto& calls : comm->calls) calls.store(0, kRelaxed);
  for (Choice& choice : comm->choices) choice.what.store(0, kRelaxed);
  comm->missed.store(0, kRelaxed);
  comm->next_p2p.store(0, kRelaxed);
  for (auto& stop : comm->channel_stop_ns) stop.store(0, kRelaxed);
  for (auto& start : comm->channel_start_ns) start.store(0, kRelaxed);
  comm->bracket = {};
  comm->pending.begin_ticks.store(0, kRelaxed);
  comm->p2p_begin_ticks.store(0, kRelaxed);
  comm->p2p_told.store(false, kRelaxed);
  comm->lacks_tasks.store(false, kRelaxed);
  comm->is_single.store(false, kRelaxed);
  comm->chained = nullptr;
  comm->state.store(1, std::memory_order_release);
  return comm;
}

void add(pscope_metric metric) { pscope_counter_add(g_session.load(kRelaxed), metric, 1); }

}  // namespace

Communicator* open_communicator(std::uint64_t hash, const char* name, int ranks, int rank) {
  pthread_mutex_lock(&g_mutex);
  Communicator* comm =
      start(hash, name, static_cast<std::uint32_t>(ranks), static_cast<std::uint32_t>(rank));
  pthread_mutex_unlock(&g_mutex);
  return comm;
}

bool open_communicator_later() {
  pthread_mutex_lock(&g_mutex);
  const bool opened = open_session();
  pthread_mutex_unlock(&g_mutex);
  return opened;
}

Communicator* find_communicator(std::uint64_t hash, const char* name, int rank) {
  const auto is_it = [&](const Communicator& comm) {
    return comm.state.load(std::memory_order_acquire) == 1 && comm.hash == hash &&
           comm.rank == static_cast<std::uint32_t>(rank);
  };
  for (Communicator& comm : g_communicators) {
    if (is_it(comm)) return &comm;
    if (comm.state.load(kRelaxed) == 0) break;  // the rest was never used
  }
  return open_communicator(hash, name, 0, rank);
}

void close_communicator(Communicator& comm) { comm.state.store(2, std::memory_order_release); }

Recorder* recorder() {
  pscope_session* session = g_session.load(std::memory_order_acquire);
  return session != nullptr ? as_recorder(session) : nullptr;
}

std::uint32_t level_now() {
  const pscope_session* session = g_session.load(std::memory_order_acquire);
  return session != nullptr ? __atomic_load_n(session->level, __ATOMIC_RELAXED) : 0;
}

void count_lost() { add(g_lost); }
void count_bad_times() { add(g_bad); }
void count_captured() { add(g_captured); }
void count_sampled() { add(g_sampled); }

void say(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_line("nccl", format, arguments);
  va_end(arguments);
}

}  // namespace peerscope::nccl
