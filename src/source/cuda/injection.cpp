// How we come in: the CUDA driver loads the library that CUDA_INJECTION64_PATH names within cuInit, and calls this function.
// Nothing happens before that, and whatever fails here leaves the program as it would be without us.
#include <pthread.h>
#include <stdlib.h>

#include "source/cuda/activity.hpp"
#include "source/cuda/copies.hpp"
#include "source/cuda/cupti.hpp"
#include "source/cuda/driver.hpp"
#include "source/cuda/functions.hpp"
#include "source/cuda/session.hpp"
#include "source/cuda/windows.hpp"

namespace peerscope::cuda {
namespace {

constinit pthread_once_t g_once = PTHREAD_ONCE_INIT;
constinit std::atomic<bool> g_active{false};
constinit void* g_subscriber = nullptr;

void on_callback(void*, Domain domain, std::uint32_t id, const void* data) {
  if (!g_active.load(std::memory_order_relaxed) || data == nullptr) return;
  if (domain != Domain::resource)
    return on_function(domain, id, *static_cast<const CallbackData*>(data));
  if (id == kContextCreated) on_context();
  if (id == kContextDestroyStarting) forget_contexts();
}

// Some 13.x may have functions in its count that 12.x has not: those of a later version are not asked for.
std::uint32_t counted_version() {
  return cupti().version >= kFirstNamedVersion ? 255 : cupti().version;
}

// The first failure's result; functions that a version does not know are no reason to do without the others.
int set_functions(bool on, std::uint32_t& enabled) {
  int first = kSuccess;
  enabled = 0;
  for (const Function& f : kFunctions) {
    if (f.since > counted_version()) continue;
    const int result = cupti().enable_callback(on ? 1 : 0, g_subscriber, f.domain, f.id);
    if (result == kSuccess) {
      ++enabled;
    } else if (first == kSuccess) {
      first = result;
    }
  }
  return first;
}

void set_callbacks(bool on) {
  std::uint32_t enabled = 0;
  set_functions(on, enabled);
}

bool subscribe() {
  const int result = cupti().subscribe(&g_subscriber, on_callback, nullptr);
  if (result == kSuccess) return true;
  if (result == kErrorMultipleSubscribers) {
    say("another client of CUPTI is here (a debugger or profiler): stepping aside, copies and "
        "kernels are not recorded");
  } else {
    say("cuptiSubscribe: %s (%d): copies and kernels are not recorded", result_text(result),
        result);
  }
  return false;
}

bool enable_callbacks() {
  std::uint32_t enabled = 0;
  const int failure = set_functions(true, enabled);
  for (const std::uint32_t id : {kContextCreated, kContextDestroyStarting})
    cupti().enable_callback(1, g_subscriber, Domain::resource, id);
  if (is_logging())
    say("listening to %u functions of CUDA; the first that was refused: %s (%d)", enabled,
        failure == kSuccess ? "none" : result_text(failure), failure);
  if (enabled != 0) return true;
  say("cuptiEnableCallback: %s (%d): copies and kernels are not recorded", result_text(failure),
      failure);
  return false;
}

void on_exit() {
  if (!g_active.load(std::memory_order_relaxed)) return;
  stop_windows();
  g_active.store(false, std::memory_order_relaxed);
  stop_reading();
}

void on_fork_in_child() {
  g_active.store(false, std::memory_order_relaxed);
  abandon_windows();
  stop_reading();
}

void begin() {
  if (!load_cupti() || !subscribe()) return;
  if (!open_session()) {
    cupti().unsubscribe(g_subscriber);
    return;
  }
  if (!find_driver())
    say("libcuda.so.1 is not loaded: copies by cuMemcpyDtoD and cuMemcpyAsync are not seen");
  g_active.store(true, std::memory_order_release);
  if (!enable_callbacks()) {
    g_active.store(false, std::memory_order_relaxed);
    cupti().unsubscribe(g_subscriber);
    return;
  }
  pthread_atfork(nullptr, nullptr, on_fork_in_child);
  if (!register_buffers()) return;
  on_level(set_callbacks);
  if (start_windows()) atexit(on_exit);
}

}  // namespace
}  // namespace peerscope::cuda

// Not zero: done. cuInit goes on in any case.
extern "C" __attribute__((visibility("default"))) int InitializeInjection() {
  pthread_once(&peerscope::cuda::g_once, peerscope::cuda::begin);
  return 1;
}
