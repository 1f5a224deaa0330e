// What only the process as a whole has: fork, and the end of a thread.
//
// pthread_atfork takes no argument and a thread's end is announced by a key, so the two lists here are the only globals of
// the recorder. They are touched at open, close, fork, and a thread's first and last operation.
#include <pthread.h>

#include "record/recorder.hpp"

namespace peerscope {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

pthread_mutex_t g_mutex =
    PTHREAD_MUTEX_INITIALIZER;    // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
Recorder* g_recorders = nullptr;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
pthread_once_t g_once =
    PTHREAD_ONCE_INIT;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
pthread_key_t g_key;    // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
bool g_hooked = false;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

constinit thread_local Writer* t_writers = nullptr;

// The ring goes to the next thread that begins; what is in it stays readable.
void on_thread_exit(void* list) {
  t_writer = nullptr;
  t_writers = nullptr;
  for (auto* writer = static_cast<Writer*>(list); writer != nullptr;) {
    Writer* next = writer->next_of_thread;
    writer->next_of_thread = nullptr;
    if (Recorder* recorder = writer->recorder.load(kRelaxed);
        recorder != nullptr && lock(*recorder)) {
      if (writer->ring != nullptr) writer->ring->tid.store(0, std::memory_order_relaxed);
      writer->recorder.store(nullptr, kRelaxed);
      unlock(*recorder);
    }
    writer = next;
  }
}

// The child shares its parent's segment. It must not write there: two writers in one ring lose records silently.
void on_fork_in_child() {
  t_writer = nullptr;
  t_writers = nullptr;
  pthread_setspecific(g_key, nullptr);
  pthread_mutex_init(&g_mutex, nullptr);
  for (Recorder* recorder = g_recorders; recorder != nullptr; recorder = recorder->next) {
    pthread_mutex_init(&recorder->mutex, nullptr);  // whoever held it is not in this process
    recorder->private_level.store(*recorder->pub.level, std::memory_order_relaxed);
    recorder->pub.level = reinterpret_cast<const std::uint32_t*>(&recorder->private_level);
    recorder->stale.store(1, std::memory_order_relaxed);
  }
}

// A program that exits without closing has ended all the same; only one that is killed, crashes or calls _exit has not.
[[gnu::destructor]] void on_exit() {
  for (Recorder* recorder = g_recorders; recorder != nullptr; recorder = recorder->next) {
    if (recorder->segment.base == nullptr || recorder->stale.load(kRelaxed) != 0) continue;
    SegmentHeader& header = recorder->segment.header();
    header.ended_mono_ns.store(clock_ns(CLOCK_MONOTONIC), kRelaxed);
    header.state.store(static_cast<std::uint32_t>(SegmentState::ended), std::memory_order_release);
  }
}

void hook_process() {
  g_hooked = pthread_key_create(&g_key, on_thread_exit) == 0 &&
             pthread_atfork(nullptr, nullptr, on_fork_in_child) == 0;
}

}  // namespace

bool watch_fork(Recorder& recorder) {
  pthread_once(&g_once, hook_process);
  if (!g_hooked) return false;
  pthread_mutex_lock(&g_mutex);
  recorder.next = g_recorders;
  g_recorders = &recorder;
  pthread_mutex_unlock(&g_mutex);
  return true;
}

void unwatch_fork(Recorder& recorder) {
  pthread_mutex_lock(&g_mutex);
  for (Recorder** link = &g_recorders; *link != nullptr; link = &(*link)->next) {
    if (*link != &recorder) continue;
    *link = recorder.next;
    break;
  }
  pthread_mutex_unlock(&g_mutex);
}

Writer* writers_of_thread() { return t_writers; }

void watch_thread_exit(Writer& writer) {
  writer.next_of_thread = t_writers;
  t_writers = &writer;
  pthread_setspecific(g_key, t_writers);
}

void forget_writers_of(const Recorder& recorder) {
  if (t_writer != nullptr && t_writer->recorder.load(kRelaxed) == &recorder) t_writer = nullptr;
  for (Writer** link = &t_writers; *link != nullptr;) {
    if ((*link)->recorder.load(kRelaxed) == &recorder) {
      (*link)->recorder.store(nullptr, kRelaxed);
      *link = (*link)->next_of_thread;
    } else {
      link = &(*link)->next_of_thread;
    }
  }
  pthread_setspecific(g_key, t_writers);
}

}  // namespace peerscope
