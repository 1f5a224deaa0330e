// A program that reads the alert on its standard input.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
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
  [[nodiscard]] std::string beginning() const {
    std::string text(200, '\0');
    const ssize_t got = pread(fd_, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
  }

 private:
  int fd_;
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
          const MemoryFile& in, const MemoryFile& complaints) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in.fd(), STDIN_FILENO);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, complaints.fd(), STDERR_FILENO);
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

// Its status as waitpid has it; empty: it had to be killed.
std::optional<int> wait_for(pid_t pid, std::int64_t timeout_ns, const std::atomic<bool>& stopping) {
  const auto end_ns = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) + timeout_ns;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) > end_ns || stopping) {
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
      return std::nullopt;
    }
    const timespec nap{0, 5'000'000};
    nanosleep(&nap, nullptr);
  }
  return status;
}

Outcome run(const std::vector<std::string>& words, const Notice& notice, std::int64_t timeout_ns,
            const std::atomic<bool>& stopping) {
  const MemoryFile in(notice_body(notice) + "\n");
  const MemoryFile complaints("");
  if (in.fd() < 0 || complaints.fd() < 0) return {Sent::later, "no memory for what it reads", 0};
  pid_t pid = 0;
  if (const int error = spawn(pid, words, environment_of(notice), in, complaints); error != 0)
    return {error == EAGAIN ? Sent::later : Sent::refused,
            fmt::format("'{}' cannot be started: {}", words.front(), std::strerror(error)), 0};
  const std::optional<int> status = wait_for(pid, timeout_ns, stopping);
  if (!status) return {Sent::refused, "it took too long and was killed", 0};
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
  std::string detail = WIFEXITED(*status) ? fmt::format("exit status {}", WEXITSTATUS(*status))
                                          : fmt::format("ended by signal {}", WTERMSIG(*status));
  if (const std::string said = complaints.beginning(); !said.empty()) detail += ": " + said;
  const bool again = WIFEXITED(*status) && WEXITSTATUS(*status) == kTryAgain;
  return {again ? Sent::later : Sent::refused, detail, 0};
}

}  // namespace

Send command_receiver(const std::vector<std::string>& words, std::int64_t timeout_ns) {
  return [words, timeout_ns](const Notice& notice, const std::atomic<bool>& stopping) {
    return run(words, notice, timeout_ns, stopping);
  };
}

}  // namespace peerscope
