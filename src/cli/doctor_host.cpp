#include "cli/doctor_host.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace peerscope {
namespace {

namespace fs = std::filesystem;

constexpr int kConnectMs = 300, kAnswerMs = 700;

std::vector<std::string> lines_of(const char* command) {
  std::vector<std::string> lines;
  FILE* pipe = popen(command, "r");
  if (pipe == nullptr) return lines;
  char* line = nullptr;
  std::size_t room = 0;
  while (getline(&line, &room, pipe) > 0) {
    std::string text(line);
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    lines.push_back(std::move(text));
  }
  free(line);
  pclose(pipe);
  return lines;
}

bool ready(int file, short events, int ms) {
  pollfd one{file, events, 0};
  return poll(&one, 1, ms) == 1;
}

Answer talk(int file) {
  const std::string hello = "CLIENT PROTOCOL 2\n";
  if (send(file, hello.data(), hello.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(hello.size()))
    return Answer::other;
  if (!ready(file, POLLIN, kAnswerMs)) return Answer::silent;
  std::array<char, 64> answer{};
  const ssize_t got = recv(file, answer.data(), answer.size() - 1, 0);
  const std::string_view text(answer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  return text.substr(0, 15) == "SERVER PROTOCOL" ? Answer::ras : Answer::other;
}

// Says hello as NCCL's client does, and nothing else.
Answer ask_port(const std::string& name, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* all = nullptr;
  if (getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &all) != 0)
    return Answer::refused;
  Answer answer = Answer::refused;
  for (const addrinfo* at = all; at != nullptr && answer == Answer::refused; at = at->ai_next) {
    const int file = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (file < 0) continue;
    int error = 0;
    socklen_t size = sizeof error;
    const bool begun = connect(file, at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS;
    if (begun && ready(file, POLLOUT, kConnectMs) &&
        getsockopt(file, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
      answer = talk(file);
    close(file);
  }
  freeaddrinfo(all);
  return answer;
}

void add(const DoctorHost& host, const std::string& dir, const std::string& name, const char* how,
         std::vector<FoundLibrary>& out) {
  const std::string path = dir + "/" + name;
  if (dir.empty() || !exists(host, path)) return;
  for (const FoundLibrary& known : out) {
    if (known.path == path) return;
  }
  out.push_back({path, how});
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(at, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string number_at(std::string_view text) {  // "2.28.9+cuda" -> "2.28.9"
  std::size_t end = 0;
  while (end < text.size() &&
         (std::isdigit(static_cast<unsigned char>(text[end])) != 0 || text[end] == '.'))
    ++end;
  while (end > 0 && text[end - 1] == '.') --end;
  return std::string(text.substr(0, end));
}

}  // namespace

DoctorHost this_host_for_doctor() {
  DoctorHost host;
  std::error_code failure;
  host.lib_dir =
      (fs::read_symlink("/proc/self/exe", failure).parent_path().parent_path() / "lib").string();
  host.uid = geteuid();
  host.environment = [](const char* name) {
    const char* value = getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  host.linker_cache = [] { return lines_of("PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null"); };
  host.python_path = [] {
    return lines_of(
        "python3 -c 'import sys; print(\"\\n\".join(p for p in sys.path if p))' 2>/dev/null");
  };
  host.space =
      [](const std::string& path) -> std::optional<std::pair<std::uint64_t, std::uint64_t>> {
    struct statvfs status{};
    if (statvfs(path.c_str(), &status) != 0) return std::nullopt;
    return std::pair(std::uint64_t{status.f_blocks} * status.f_frsize,
                     std::uint64_t{status.f_bavail} * status.f_frsize);
  };
  host.ask_ras = ask_port;
  return host;
}

bool exists(const DoctorHost& host, const std::string& path) {
  struct stat status{};
  return stat((host.root + path).c_str(), &status) == 0;
}
bool readable(const DoctorHost& host, const std::string& path) {
  return access((host.root + path).c_str(), R_OK) == 0;
}
bool writable(const DoctorHost& host, const std::string& path) {
  return access((host.root + path).c_str(), W_OK) == 0;
}

std::string text_of(const DoctorHost& host, const std::string& path) {
  std::ifstream file(host.root + path, std::ios::binary);
  std::string text(65536, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::vector<std::string> names_in(const DoctorHost& host, const std::string& dir) {
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator at(host.root + dir, failure), end; !failure && at != end;
       at.increment(failure))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<FoundLibrary> find_library(const DoctorHost& host, const std::string& name,
                                       const std::vector<std::string>& further) {
  std::vector<FoundLibrary> found;
  for (const std::string& dir : split(host.environment("LD_LIBRARY_PATH"), ':'))
    add(host, dir, name, "LD_LIBRARY_PATH", found);
  for (const std::string& line : host.linker_cache()) {  // "	NAME (libc6,x86-64) => PATH"
    const std::size_t arrow = line.find(" => ");
    const std::size_t begin = line.find_first_not_of(" \t");
    if (arrow == std::string::npos || begin == std::string::npos) continue;
    if (line.compare(begin, name.size(), name) != 0 || line[begin + name.size()] != ' ') continue;
    const fs::path path = line.substr(arrow + 4);
    add(host, path.parent_path().string(), path.filename().string(), "ldconfig", found);
  }
  for (const char* dir : {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
                          "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"})
    add(host, dir, name, "the default directories", found);
  for (const std::string& dir : further) add(host, dir, name, dir.c_str(), found);
  return found;
}

std::vector<FoundLibrary> find_in_python(const DoctorHost& host,
                                         const std::vector<std::string>& places) {
  std::vector<FoundLibrary> found;
  for (const std::string& dir : host.python_path()) {
    for (const std::string& place : places) add(host, dir, place, "pip", found);
  }
  return found;
}

std::string nccl_version_in(const DoctorHost& host, const std::string& path) {
  const int file = open((host.root + path).c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status{};
  std::string version;
  if (file >= 0 && fstat(file, &status) == 0 && status.st_size > 0) {
    const auto bytes = static_cast<std::size_t>(status.st_size);
    void* memory = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    const std::string_view text(memory == MAP_FAILED ? "" : static_cast<const char*>(memory),
                                memory == MAP_FAILED ? 0 : bytes);
    constexpr std::string_view kMark = "NCCL version ";
    for (std::size_t at = 0; version.empty(); at += kMark.size()) {
      const void* hit = at < text.size()
                            ? memmem(text.data() + at, text.size() - at, kMark.data(), kMark.size())
                            : nullptr;
      if (hit == nullptr) break;
      at = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
      version = number_at(text.substr(at + kMark.size(), 16));
    }
    if (memory != MAP_FAILED) munmap(memory, bytes);
  }
  if (file >= 0) close(file);
  return version;
}

int profiler_interface_of(const std::string& version) {
  struct Since {
    int major, minor, patch, interface;
  };
  constexpr Since kTable[] = {{2, 31, 0, 7}, {2, 29, 2, 6}, {2, 28, 3, 5}, {2, 27, 3, 4},
                              {2, 26, 2, 3}, {2, 24, 3, 2}, {2, 23, 4, 1}};
  int major = 0, minor = 0, patch = 0;
  if (std::sscanf(version.c_str(), "%d.%d.%d", &major, &minor, &patch) < 2) return -1;
  for (const Since& since : kTable) {
    if (std::array{major, minor, patch} >= std::array{since.major, since.minor, since.patch})
      return since.interface;
  }
  return 0;
}

std::string driver_version_of(const std::string& text) {
  for (const std::string& word : split(text.substr(0, text.find('\n')), ' ')) {
    const std::string number = number_at(word);
    if (number == word && number.find('.') != std::string::npos) return number;
  }
  return {};
}

}  // namespace peerscope
