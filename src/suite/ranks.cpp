#include "suite/ranks.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace peerscope {
namespace {

// The first word of a rank that failed, in memory that processes share.
struct Said {
  std::atomic<int> taken{0};
  std::atomic<int> written{0};
  ErrorCode code = ErrorCode::io;
  char text[512] = {};

  void say(const Error& error) {
    if (taken.exchange(1) != 0) return;
    code = error.code;
    std::snprintf(text, sizeof text, "%s", error.message.c_str());
    written.store(1, std::memory_order_release);  // publishes code and text
  }
};

void pause_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

void rank_main(const std::function<Status(int)>& body, int rank, Said& said) {
  if (const Status done = body(rank); !done) said.say(done.error());
}

void run_threads(int ranks, const std::function<Status(int)>& body,
                 const std::function<bool()>& watch, Said& said) {
  std::atomic<int> left{ranks};
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      rank_main(body, rank, said);
      --left;
    });
  }
  while (left > 0) {
    watch();
    pause_a_little();
  }
  for (std::thread& thread : threads) thread.join();
}

pid_t start_process(const std::function<Status(int)>& body, int rank, Said& said) {
  std::fflush(nullptr);
  const pid_t parent = getpid(), child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  rank_main(body, rank, said);
  _exit(said.written.load() != 0 ? 1 : 0);
}

Status run_processes(int ranks, const std::function<Status(int)>& body,
                     const std::function<bool()>& watch, Said& said) {
  std::vector<pid_t> left;
  for (int rank = 0; rank < ranks; ++rank) {
    const pid_t pid = start_process(body, rank, said);
    if (pid < 0) said.say({ErrorCode::no_memory, "the system has no room for another process"});
    if (pid > 0) left.push_back(pid);
  }
  bool go_on = said.written.load() == 0;
  std::string died;
  while (!left.empty()) {
    go_on = go_on && watch();
    for (const pid_t pid : left) {
      if (!go_on) kill(pid, SIGKILL);
    }
    std::erase_if(left, [&](pid_t pid) {
      int status = 0;
      if (waitpid(pid, &status, WNOHANG) != pid) return false;
      if (go_on && WIFSIGNALED(status))
        died = fmt::format("a rank was ended by signal {}", WTERMSIG(status));
      return true;
    });
    if (!died.empty()) go_on = false;
    if (!left.empty()) pause_a_little();
  }
  if (!died.empty()) return Error{ErrorCode::peer_lost, died};
  return Done{};
}

}  // namespace

Status run_ranks(int ranks, bool threads, const std::function<Status(int rank)>& body,
                 const std::function<bool()>& watch) {
  void* memory =
      mmap(nullptr, sizeof(Said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{ErrorCode::no_memory, "no memory to share"};
  Said& said = *::new (memory) Said;
  Status done = Done{};
  if (threads) {
    run_threads(ranks, body, watch, said);
  } else {
    done = run_processes(ranks, body, watch, said);
  }
  if (said.written.load(std::memory_order_acquire) != 0) done = Error{said.code, said.text};
  munmap(memory, sizeof(Said));
  return done;
}

}  // namespace peerscope
