#include "comm/host/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace peerscope {
namespace {

struct ProcStat {
  char state = '?';
  std::uint64_t start_ticks = 0;
};

// /proc/<pid>/stat: "pid (any name) S ...", the start time is the 22nd field. False if it cannot be
// read.
bool read_stat(std::uint32_t pid, ProcStat& out) {
  char text[1024];
  const int fd = open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = 0;
  const char* at = std::strrchr(text, ')');
  if (!at || at[1] == 0) return false;
  at += 2;
  out.state = *at;
  for (int field = 3; field < 22 && at; ++field)
    at = (at = std::strchr(at, ' ')) ? at + 1 : nullptr;
  out.start_ticks = at ? std::strtoull(at, nullptr, 10) : 0;
  return true;
}

}  // namespace

ProcessId this_process() {
  ProcessId self{.pid = static_cast<std::uint32_t>(getpid()), .start_ticks = 0, .pid_namespace = 0};
  if (ProcStat stat; read_stat(self.pid, stat)) self.start_ticks = stat.start_ticks;
  if (struct stat file{}; ::stat("/proc/self/ns/pid", &file) == 0) self.pid_namespace = file.st_ino;
  return self;
}

bool is_gone(const ProcessId& process) {
  if (process.pid == 0 || process.pid == static_cast<std::uint32_t>(getpid())) return false;
  ProcStat stat;
  if (!read_stat(process.pid, stat))
    return kill(static_cast<pid_t>(process.pid), 0) != 0 && errno == ESRCH;
  if (stat.state == 'Z' || stat.state == 'X') return true;
  return process.start_ticks != 0 && stat.start_ticks != 0 &&
         stat.start_ticks != process.start_ticks;
}

}  // namespace peerscope
