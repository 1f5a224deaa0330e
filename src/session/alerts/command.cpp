// A program that reads the alert on its standard input.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/ticks.hpp"
#include "session/alerts/receivers.hpp"

extern "C" char** environ;

namespace peerscope {
namespace {

constexpr int kTryAgain = 75;  // EX_TEMPFAIL

// A file without a name: a program that does not read its input blocks nobody, as a pipe would.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& text) : fd_(memfd_create("peerscope-alert", MFD_CLOEXEC)) {
    std::size_t at = 0;
    while (fd_ >= 0 && at < text.size()) {
      const ssize_t written = write(fd_, text.data() + at, text.size() - at);
      if (written <= 0) break;
      at += static_cast<std::size_t>(written);
    }
    if (fd_ >= 0) lseek(fd_, 0, SEEK_SET);
  }
  ~MemoryFile() {
    if (fd_ >= 0) close(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// What it says on stderr: the first 4 KiB are kept, all else is read and forgotten, so that it never waits for us.
class Complaints {
 public:
  Complaints() {
    if (pipe2(ends_, O_CLOEXEC) == 0) fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  }
  ~Complaints() {
    close_end(0);
    close_end(1);
  }
  Complaints(const Complaints&) = delete;
  Complaints& operator=(const Complaints&) = delete;
  [[nodiscard]] bool is_open() const { return ends_[0] >= 0; }
  [[nodiscard]] int to_write() const { return ends_[1]; }
  void started() { close_end(1); }  // it has the other end now
  // Waits at most so long for more. Reads a bounded part: one that never ends to talk is killed in time.
  void hear(int wait_ms) {
    pollfd waits{ends_[0], POLLIN, 0};  // closed: it only waits
    if (poll(&waits, 1, wait_ms) <= 0) return;
    char chunk[4096];
    for (int i = 0; i < 16; ++i) {
      const ssize_t got = read(ends_[0], chunk, sizeof chunk);
      if (got == 0) close_end(0);  // nobody writes any more
      if (got <= 0) return;
      text_.append(chunk, std::min(static_cast<std::size_t>(got), kMost - text_.size()));
    }
  }
  [[nodiscard]] std::string beginning() const {
    constexpr std::size_t kShown = 200;
    return text_.substr(0, std::min(text_.find('\n'), kShown));
  }

 private:
  static constexpr std::size_t kMost = 4096;
  void close_end(int end) {
    if (ends_[end] >= 0) close(ends_[end]);
    ends_[end] = -1;
  }
  int ends_[2] = {-1, -1};
  std::string text_;
};

std::vector<std::string> environment_of(const Notice& notice) {
  std::vector<std::string> out;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) out.emplace_back(*each);
  const Alert& alert = notice.alert;
  for (const auto& [key, value] : {std::pair<const char*, std::string>{"ID", alert.id},
                                   {"RULE", alert.rule},
                                   {"STATE", name(alert.state)},
                                   {"SEVERITY", name(alert.severity)},
                                   {"SENTENCE", alert.sentence},
                                   {"ACTION", alert.action},
                                   {"REASON", name(notice.reason)}})
    out.push_back(fmt::format("PEERSCOPE_ALERT_{}={}", key, value.c_str()));  // up to a NUL
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

// In a group of its own, so that what it starts ends with it. 0, or an errno.
int spawn(pid_t& pid, std::vector<std::string> words, std::vector<std::string> environment,
          const MemoryFile& in, const Complaints& complaints) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in.fd(), STDIN_FILENO);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, complaints.to_write(), STDERR_FILENO);
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  posix_spawnattr_setflags(&how,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  sigdelset(&all, SIGKILL);
  sigdelset(&all, SIGSTOP);
  posix_spawnattr_setpgroup(&how, 0);
  posix_spawnattr_setsigmask(&how, &none);
  posix_spawnattr_setsigdefault(&how, &all);
  const int error = posix_spawnp(&pid, words.front().c_str(), &files, &how, pointers(words).data(),
                                 pointers(environment).data());
  posix_spawnattr_destroy(&how);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

struct Ending {
  bool known = true;  // not where somebody else has waited for it, as with SIGCHLD ignored
  bool killed = false;
  int status = 0;  // as waitpid has it
};

Ending wait_for(pid_t pid, Complaints& complaints, std::int64_t timeout_ns,
                const std::atomic<bool>& stopping) {
  const auto end_ns = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) + timeout_ns;
  Ending ending;
  pid_t ended = 0;
  while ((ended = waitpid(pid, &ending.status, WNOHANG)) == 0) {
    if (static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) > end_ns || stopping) {
      kill(-pid, SIGKILL);
      waitpid(pid, &ending.status, 0);
      ending.killed = true;
      return ending;
    }
    complaints.hear(5);
  }
  complaints.hear(0);
  ending.known = ended == pid;
  return ending;
}

Outcome run(const std::vector<std::string>& words, const Notice& notice, std::int64_t timeout_ns,
            const std::atomic<bool>& stopping) {
  const MemoryFile in(notice_body(notice) + "\n");
  Complaints complaints;
  if (in.fd() < 0 || !complaints.is_open()) return {Sent::later, "no memory for what it reads", 0};
  pid_t pid = 0;
  if (const int error = spawn(pid, words, environment_of(notice), in, complaints); error != 0)
    return {error == EAGAIN ? Sent::later : Sent::refused,
            fmt::format("'{}' cannot be started: {}", words.front(), std::strerror(error)), 0};
  complaints.started();
  const Ending ending = wait_for(pid, complaints, timeout_ns, stopping);
  if (ending.killed) return {Sent::refused, "it took too long and was killed", 0};
  if (!ending.known) return {Sent::later, "how it ended cannot be known", 0};
  const int status = ending.status;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::string detail = WIFEXITED(status) ? fmt::format("exit status {}", WEXITSTATUS(status))
                                         : fmt::format("ended by signal {}", WTERMSIG(status));
  if (const std::string said = complaints.beginning(); !said.empty()) detail += ": " + said;
  const bool again = WIFEXITED(status) && WEXITSTATUS(status) == kTryAgain;
  return {again ? Sent::later : Sent::refused, detail, 0};
}

}  // namespace

Send command_receiver(const std::vector<std::string>& words, std::int64_t timeout_ns) {
  return [words, timeout_ns](const Notice& notice, const std::atomic<bool>& stopping) {
    return run(words, notice, timeout_ns, stopping);
  };
}

}  // namespace peerscope
