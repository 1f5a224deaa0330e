#include "source/ras/client.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace peerscope::ras {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;

std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

std::string text_of(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address.host, v6 ? "]" : "", address.port);
}

// False at the deadline.
bool wait_for(int fd, short events, std::int64_t deadline_ms) {
  for (;;) {
    const std::int64_t left_ms = deadline_ms - now_ms();
    if (left_ms <= 0) return false;
    pollfd entry{fd, events, 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // the call that follows says what is wrong
  }
}

// 0, or errno.
int connect_one(const addrinfo& where, int fd, std::int64_t deadline_ms) {
  if (connect(fd, where.ai_addr, where.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_for(fd, POLLOUT, deadline_ms)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Error nothing_there(const Address& address, const std::string& why) {
  return Error{ErrorCode::not_found,
               fmt::format("no NCCL RAS at {}: {}; is a job with NCCL 2.24 or later running here "
                           "(NCCL_RAS_ENABLE not 0)? Another address: NCCL_RAS_ADDR, or --host "
                           "and --port",
                           text_of(address), why)};
}

// "localhost" is ::1 and 127.0.0.1: one of them listens.
Result<Socket> connect_to(const Address& address, std::int64_t deadline_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (code != 0) return nothing_there(address, gai_strerror(code));
  int error = ECONNREFUSED;
  for (const addrinfo* where = found; where != nullptr; where = where->ai_next) {
    Socket socket(::socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    error = socket.fd() < 0 ? errno : connect_one(*where, socket.fd(), deadline_ms);
    if (error == 0) {
      freeaddrinfo(found);
      return socket;
    }
  }
  freeaddrinfo(found);
  return nothing_there(address, std::strerror(error));
}

Error silent(const ClientOptions& options, std::size_t bytes) {
  return Error{ErrorCode::timeout,
               fmt::format("{} took the connection, and its report was not whole after {:g} s ({} "
                           "bytes came); a process that is stopped does not answer; wait longer "
                           "with --timeout",
                           text_of(options.address), options.timeout_s, bytes)};
}

Status send_all(const ClientOptions& options, int fd, std::string_view text,
                std::int64_t deadline_ms) {
  while (!text.empty()) {
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(fd, POLLOUT, deadline_ms)) return silent(options, 0);
    } else if (errno != EINTR) {
      return nothing_there(options.address, std::strerror(errno));
    }
  }
  return Done{};
}

Result<std::string> read_all(const ClientOptions& options, int fd, std::int64_t deadline_ms) {
  std::string text;
  for (;;) {
    if (text.size() > options.max_bytes)
      return Error{ErrorCode::corrupt,
                   fmt::format("{} does not stop talking: more than {} bytes came, and that is no "
                               "report of NCCL",
                               text_of(options.address), options.max_bytes)};
    if (!wait_for(fd, POLLIN, deadline_ms)) return silent(options, text.size());
    const std::size_t before = text.size();
    text.resize(before + kReadBytes);
    const ssize_t got = recv(fd, text.data() + before, kReadBytes, 0);
    const int error = errno;
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return text;
    if (got < 0 && error == ECONNRESET) return text;  // what came may be whole: the parser judges
    if (got < 0 && error != EAGAIN && error != EINTR)
      return Error{ErrorCode::io, fmt::format("reading from {}: {}", text_of(options.address),
                                              std::strerror(error))};
  }
}

}  // namespace

Result<Address> parse_address(const std::string& text) {
  Address address;
  std::string host = text;
  std::string port;
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  const bool many = text.find(':') != colon;  // a bare IPv6 address
  if (colon != std::string::npos && (bracket == std::string::npos ? !many : colon > bracket)) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  if (!host.empty() && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (!host.empty()) address.host = host;
  if (!port.empty()) {
    char* end = nullptr;
    const long number = std::strtol(port.c_str(), &end, 10);
    if (*end != '\0' || number < 1 || number > 65535)
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("'{}' is no address: write host:port, the port between 1 and 65535", text)};
    address.port = static_cast<int>(number);
  }
  return address;
}

Result<std::string> ask(const ClientOptions& options) {
  const std::int64_t deadline_ms = now_ms() + static_cast<std::int64_t>(options.timeout_s * 1000);
  const auto socket = connect_to(options.address, deadline_ms);
  if (!socket) return socket.error();
  // NCCL collects in legs, and each may wait as long: a quarter leaves time for what follows.
  const int leg_s = std::clamp(static_cast<int>(options.timeout_s / 4), 1, 5);
  const std::string commands =
      fmt::format("CLIENT PROTOCOL 2\nTIMEOUT {}\nSET FORMAT json\nVERBOSE STATUS\n", leg_s);
  if (const auto sent = send_all(options, socket->fd(), commands, deadline_ms); !sent)
    return sent.error();
  return read_all(options, socket->fd(), deadline_ms);
}

Result<Report> fetch_report(const ClientOptions& options) {
  const auto text = ask(options);
  if (!text) return text.error();
  auto report = parse_report(*text);
  if (report) return report;
  return Error{report.error().code,
               fmt::format("{}: {}", text_of(options.address), report.error().message)};
}

}  // namespace peerscope::ras
