#include "source/cuda/windows.hpp"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "source/cuda/activity.hpp"
#include "source/cuda/copies.hpp"
#include "source/cuda/cupti.hpp"
#include "source/cuda/session.hpp"
#include "source/cuda/window_plan.hpp"

namespace peerscope::cuda {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kLookNs = 100 * kMillisecond;   // a new level or budget is noticed by then
constexpr std::uint64_t kSettleNs = 20 * kMillisecond;  // what began in a window has ended by then
constexpr std::uint64_t kTieNs = 1000 * kMillisecond;
constexpr unsigned kIdleBits = 3;  // eight times as rarely where nothing is found
constexpr std::uint32_t kIdleWindows = 32;
constexpr std::uint64_t kNever = UINT64_MAX;

constinit bool g_kernels = true, g_log = false;  // written before the thread is started
constinit pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t g_wake;  // by the monotonic clock: made in start_windows
constinit bool g_started = false, g_context = false, g_stop = false,
               g_done = false;  // under the mutex
constinit std::atomic<bool> g_abandoned{false};
constinit SetCallbacks g_set_callbacks = nullptr;

std::uint64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }

timespec time_of(std::uint64_t ns) {
  return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

// False: the process ends.
bool sleep_until(std::uint64_t until_ns) {
  const timespec until = time_of(until_ns);
  pthread_mutex_lock(&g_mutex);
  while (!g_stop && pthread_cond_timedwait(&g_wake, &g_mutex, &until) != ETIMEDOUT) continue;
  const bool stop = g_stop;
  pthread_mutex_unlock(&g_mutex);
  return !stop;
}

bool wait_for_context() {
  pthread_mutex_lock(&g_mutex);
  while (!g_stop && !g_context) pthread_cond_wait(&g_wake, &g_mutex);
  const bool stop = g_stop;
  pthread_mutex_unlock(&g_mutex);
  return !stop;
}

// What the thread knows; nobody else touches it.
struct Windows {
  bool off = false;  // for good: somebody else's, or refused
  bool open = false;
  bool kernels = true;  // PEERSCOPE_CUDA_KERNELS=0
  bool log = false;     // PEERSCOPE_CUDA_LOG=1
  bool probe_works = false, probed = false;
  std::uint32_t level = UINT32_MAX;
  std::uint64_t calls_ns = 0;  // what opening, closing and flushing took, smoothed
  std::uint64_t next_tie_ns = 0, flush_ns = kNever;
  std::uint64_t opening_ns = 0;
  std::uint64_t found = 0, calls = 0,
                signs = 0;  // when the window opened; then, of calls: within it
  std::uint32_t silent =
      0;  // windows in a row in which calls were made, and nobody asked us for memory
  std::uint32_t idle = 0;  // windows in a row that found nothing
};

bool is_on(const char* name, bool otherwise) {
  const char* value = getenv(name);
  return value == nullptr || value[0] == '\0' ? otherwise : value[0] != '0';
}

void give_up(Windows& w, const char* call, int result) {
  w.off = true;
  keep_calls(false);
  say("%s: %s (%d)%s: copies are counted, without device times", call, result_text(result), result,
      result == kErrorInsufficientPrivileges ? " (NVreg_RestrictProfilingToAdminUsers=0 allows it)"
                                             : "");
}

// CUPTI has one client for its records, and does not say who: so it is asked for one that it has at hand, of the devices. It
// asks us for memory then, or brings us what it had; or it does so with somebody else. Forced at last: a buffer in which a
// kernel has not ended comes by no other way.
bool brings_us_records() {
  const std::uint64_t before = signs_of_life();
  const int dumped = cupti().enable_and_dump(kKindDevice);
  cupti().disable(kKindDevice);
  if (dumped != kSuccess) return false;
  const bool asked = signs_of_life() != before;
  cupti().flush_all(0);  // leaves nothing of ours there: the next answer is as clear
  if (asked || signs_of_life() != before) return true;
  cupti().flush_all(kFlushForced);
  return signs_of_life() != before;
}

void step_aside(Windows& w) {
  w.off = true;
  keep_calls(false);
  say("another client has taken CUPTI's records (PyTorch's profiler?): copies are counted, without "
      "device times from here on");
}

void smooth(Windows& w, std::uint64_t took_ns) {
  w.calls_ns = w.calls_ns == 0 ? took_ns : (w.calls_ns * 7 + took_ns) / 8;
}

// Copies were made in windows, and nobody asked us for memory to tell of them in.
bool is_silent(Windows& w) {
  constexpr std::uint64_t kEnoughCalls = 2;  // one may have begun before the window
  constexpr std::uint32_t kEnoughWindows = 3;
  const bool silent = w.calls >= kEnoughCalls && signs_of_life() == w.signs;
  if (w.calls >= kEnoughCalls) w.silent = silent ? w.silent + 1 : 0;
  return w.silent >= kEnoughWindows;
}

void flush(Windows& w) {
  const bool window = w.flush_ns != kNever;  // else one that stays open
  w.flush_ns = kNever;
  const std::uint64_t begin = now_ns();
  const int result = cupti().flush_all(0);
  if (result != kSuccess) return give_up(w, "cuptiActivityFlushAll", result);
  if (!window) return;
  w.calls_ns += (now_ns() - begin) / 8;
  if (!w.probe_works && is_silent(w)) return step_aside(w);
  const std::uint64_t found = operations_found();
  w.idle = found != w.found ? 0 : w.idle + 1;
  w.found = found;
}

// The first time there is nobody else: that tells whether the question is understood. Where it is not, see flush.
bool is_still_ours(Windows& w) {
  if (w.probed && !w.probe_works) return true;
  const bool ours = brings_us_records();
  if (!w.probed) {
    w.probed = true;
    w.probe_works = ours;
    if (w.log) say("whose CUPTI's records are can%s be asked", ours ? "" : "not");
    return true;
  }
  if (!ours) step_aside(w);
  return ours;
}

bool enable(Windows& w, int kind) {
  const int result = cupti().enable(kind);
  if (result != kSuccess) give_up(w, "cuptiActivityEnable", result);
  return result == kSuccess;
}

void open_window(Windows& w) {
  const std::uint64_t begin = now_ns();
  if (!is_still_ours(w)) return;
  w.calls = calls_kept();
  w.signs = signs_of_life();
  if (!enable(w, kKindPeerCopy)) return;
  if (w.kernels && !enable(w, kKindConcurrentKernel)) {
    cupti().disable(kKindPeerCopy);
    return;
  }
  w.open = true;
  count(Counter::windows);
  w.opening_ns = now_ns() - begin;
}

void close_window(Windows& w) {
  const std::uint64_t begin = now_ns();
  if (!is_still_ours(w)) {
    w.open = false;
    return;
  }
  cupti().disable(kKindPeerCopy);
  if (w.kernels) cupti().disable(kKindConcurrentKernel);
  w.open = false;
  w.calls = calls_kept() - w.calls;
  w.flush_ns = now_ns() + kSettleNs;
  smooth(w, w.opening_ns + now_ns() - begin);
  if (w.log)
    say("a window's calls of CUPTI take %llu us",
        static_cast<unsigned long long>(w.calls_ns / 1000));
}

void follow_level(Windows& w) {
  const std::uint32_t level = level_now();
  if (level == w.level) return;
  const bool was_off = w.level == PSCOPE_LEVEL_OFF, is_off = level == PSCOPE_LEVEL_OFF;
  const bool first = w.level == UINT32_MAX;
  w.level = level;
  keep_calls(!w.off && level >= PSCOPE_LEVEL_DETAILED);
  if (g_set_callbacks != nullptr && was_off != is_off && !(first && !is_off)) {
    if (!is_off) forget_where_threads_are();
    g_set_callbacks(!is_off);
  }
}

struct Plan {
  bool open;
  std::uint64_t until_ns;
};

Plan plan(const Windows& w, std::uint64_t now) {
  unsigned bits = period_bits(budget_ppm(), w.level, w.calls_ns);
  if (w.off || w.level < PSCOPE_LEVEL_DETAILED || bits == 64) return {false, now + kLookNs};
  if (bits == 0) return {true, now + kLookNs};
  if (w.idle >= kIdleWindows && bits + kIdleBits <= kMostBits) bits += kIdleBits;
  std::uint64_t begin = window_begin(now >> bits, bits);
  if (now >= begin + kWindowNs) begin = window_begin((now >> bits) + 1, bits);
  if (now < begin) return {false, begin};
  return {true, begin + kWindowNs};
}

std::uint64_t least(std::uint64_t a, std::uint64_t b) { return a < b ? a : b; }

void tie_when_due(Windows& w, std::uint64_t now) {
  if (now < w.next_tie_ns || w.off) return;
  w.next_tie_ns = now + kTieNs;
  if (!tie_clock()) give_up(w, "cuptiGetTimestamp", 999);
}

void* run(void*) {
  Windows w;
  w.kernels = g_kernels;
  w.log = g_log;
  bool going = wait_for_context();
  while (going) {
    follow_level(w);
    const std::uint64_t now = now_ns();
    if (w.level >= PSCOPE_LEVEL_DETAILED) tie_when_due(w, now);
    const Plan next = plan(w, now);
    if (next.open && !w.open) open_window(w);
    if (!next.open && w.open) close_window(w);
    const bool stays_open =
        w.open && next.until_ns - now > kWindowNs;  // exact: bring what there is
    if (!w.off && (now >= w.flush_ns || stays_open)) flush(w);
    if (stays_open && !w.off) w.open = is_still_ours(w);
    going = sleep_until(least(least(next.until_ns, w.flush_ns), now_ns() + kLookNs));
  }
  if (w.open && !w.off) close_window(w);
  if (!w.off && w.flush_ns != kNever && !g_abandoned.load(kRelaxed))
    cupti().flush_all(kFlushForced);
  pthread_mutex_lock(&g_mutex);
  g_done = true;
  pthread_cond_broadcast(&g_wake);
  pthread_mutex_unlock(&g_mutex);
  return nullptr;
}

// With all signals blocked: they are the application's. The environment is read on the caller's thread: the application may
// change it at any time.
int start_thread() {
  g_kernels = is_on("PEERSCOPE_CUDA_KERNELS", true);
  g_log = is_logging();
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pthread_t thread;
  const int failure = pthread_create(&thread, &attributes, run, nullptr);
  if (failure == 0) pthread_setname_np(thread, "peerscope-cuda");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return failure;
}

}  // namespace

void on_level(SetCallbacks set) { g_set_callbacks = set; }

bool start_windows() {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&g_wake, &attributes);
  pthread_condattr_destroy(&attributes);
  const int failure = start_thread();
  g_started = failure == 0;
  if (failure != 0)
    say("no thread for device times (error %d): copies are counted, without them", failure);
  return g_started;
}

void on_context() {
  if (!g_started || g_abandoned.load(kRelaxed)) return;
  pthread_mutex_lock(&g_mutex);
  g_context = true;
  pthread_cond_broadcast(&g_wake);
  pthread_mutex_unlock(&g_mutex);
}

void stop_windows() {
  if (!g_started || g_abandoned.load(kRelaxed)) return;
  const timespec until = time_of(now_ns() + 300 * kMillisecond);  // a call of CUPTI's may hang
  pthread_mutex_lock(&g_mutex);
  g_stop = true;
  pthread_cond_broadcast(&g_wake);
  while (!g_done && pthread_cond_timedwait(&g_wake, &g_mutex, &until) != ETIMEDOUT) continue;
  pthread_mutex_unlock(&g_mutex);
}

void abandon_windows() { g_abandoned.store(true, kRelaxed); }

}  // namespace peerscope::cuda
