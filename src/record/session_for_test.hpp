// What tests of recording share: a runtime directory and a session of their own, and children.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "peerscope/peerscope.h"

namespace peerscope {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

// A directory under /dev/shm, removed at the end: tests run side by side and never meet the user's
// own segments.
class RuntimeDir {
 public:
  RuntimeDir() {
    char path[] = "/dev/shm/peerscope-test-XXXXXX";
    if (mkdtemp(path) != nullptr) path_ = path;
  }
  ~RuntimeDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  RuntimeDir(const RuntimeDir&) = delete;
  RuntimeDir& operator=(const RuntimeDir&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::size_t segments() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      count += entry.path().extension() == ".seg" ? 1 : 0;
    }
    return count;
  }

 private:
  std::string path_;
};

class TestSession {
 public:
  explicit TestSession(const RuntimeDir& dir, int level = PSCOPE_LEVEL_DETAILED,
                       std::size_t bytes = 0)
      : TestSession(dir.path(), level, bytes) {}
  explicit TestSession(const std::string& dir, int level = PSCOPE_LEVEL_DETAILED,
                       std::size_t bytes = 0) {
    const pscope_options options{sizeof(pscope_options), "test", "job", dir.c_str(), level, bytes,
                                 PSCOPE_UNLIMITED,       0};
    session_ = pscope_open(&options, &why_);
  }
  ~TestSession() { close(); }
  TestSession(const TestSession&) = delete;
  TestSession& operator=(const TestSession&) = delete;

  operator pscope_session*() const { return session_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] const char* why() const { return why_; }
  [[nodiscard]] pscope_stats stats() const {
    pscope_stats stats{};
    pscope_get_stats(session_, &stats);
    return stats;
  }
  std::uint16_t comm(std::uint64_t id, std::uint32_t rank = 0, std::uint32_t ranks = 2,
                     std::uint16_t device = 0) const {
    const pscope_comm_desc desc{id, "tp", rank, ranks, device, PSCOPE_BACKEND_HOST, 0};
    return pscope_comm_register(session_, &desc);
  }
  void close() {
    if (!closed_) pscope_close(session_);
    closed_ = true;
  }

 private:
  pscope_session* session_ = nullptr;
  const char* why_ = nullptr;
  bool closed_ = false;
};

inline pscope_op operation(int kind, std::uint16_t comm = 0, std::uint64_t bytes = 1024) {
  pscope_op op{};
  op.kind = static_cast<std::uint8_t>(kind);
  op.comm = comm;
  op.bytes = bytes;
  op.sequence = PSCOPE_SEQUENCE_AUTO;
  op.peer = PSCOPE_NO_PEER;
  return op;
}

inline void record(pscope_session* session, const pscope_op& op, int status = PSCOPE_STATUS_OK) {
  pscope_op_end(session, pscope_op_begin(session, &op), status);
}

inline void record(pscope_session* session, const pscope_op& op, int status, int times) {
  for (int i = 0; i < times; ++i) record(session, op, status);
}

// Waits for a child: its exit status, or 128 + the signal that ended it.
inline int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Runs `work` in a forked child; it returns the exit status.
template <class Work>
pid_t start_child(Work work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  return child;
}

template <class Work>
int run_in_child(Work work) {
  return wait_for(start_child(work));
}

}  // namespace peerscope
