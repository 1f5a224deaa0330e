#include "cli/event_command.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/ticks.hpp"

namespace peerscope {
namespace {

std::int64_t event_now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

// A file in memory: unlike a pipe it takes all of it, whether the command reads or not.
int file_of(const std::string& text) {
  const int file = memfd_create("peerscope-event", MFD_CLOEXEC);
  if (file < 0) return -1;
  const std::string line = text + "\n";
  if (::write(file, line.data(), line.size()) < 0) return file;
  lseek(file, 0, SEEK_SET);
  return file;
}

}  // namespace

void EventCommand::add(Variables variables, std::string json) {
  if (waiting_.size() >= kMostWaiting) {
    ++skipped_;
    return;
  }
  waiting_.push_back({std::move(variables), std::move(json)});
  poll();
}

void EventCommand::start(const Waiting& event) {
  const int input = file_of(event.json);
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);  // what it starts ends with it
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    if (input >= 0) dup2(input, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);  // our standard output is for events
    for (const auto& [name, value] : event.variables) setenv(name.c_str(), value.c_str(), 1);
    execl("/bin/sh", "sh", "-c", command_.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  if (input >= 0) close(input);
  ++ran_;
  if (pid < 0) {
    ++failed_;
    return;
  }
  setpgid(pid, pid);  // whoever of us comes first
  running_.push_back({pid, event_now_ns() + static_cast<std::int64_t>(kLongestS * 1e9), false});
}

void EventCommand::reap() {
  const std::int64_t now_ns = event_now_ns();
  std::erase_if(running_, [&](Running& child) {
    int status = 0;
    const pid_t got = waitpid(child.pid, &status, WNOHANG);
    if (got == 0) {
      if (now_ns >= child.until_ns && !child.ended) {
        kill(-child.pid, SIGKILL);
        child.ended = true;
      }
      return false;
    }
    if (got < 0 && errno == EINTR) return false;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) ++failed_;
    return true;
  });
}

void EventCommand::poll() {
  reap();
  while (!waiting_.empty() && running_.size() < kAtOnce) {
    start(waiting_.front());
    waiting_.pop_front();
  }
}

void EventCommand::wait(double seconds) {
  const std::int64_t until_ns = event_now_ns() + static_cast<std::int64_t>(seconds * 1e9);
  for (;;) {
    poll();
    if ((running_.empty() && waiting_.empty()) || event_now_ns() >= until_ns) break;
    usleep(5'000);
  }
  skipped_ += waiting_.size();
  waiting_.clear();
  for (Running& child : running_) child.until_ns = 0;
  while (!running_.empty()) {
    reap();
    usleep(1'000);
  }
}

}  // namespace peerscope
