// Small servers on loopback, each on a thread: one that answers HTTP as it is told, one that takes mail.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace peerscope {

class Connection {
 public:
  Connection(int fd, const std::atomic<bool>& stopping) : fd_(fd), stopping_(stopping) {}
  void say(const std::string& text) const {
    (void)!send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  // Up to and with `end`; shorter if the other side has gone.
  std::string until(const std::string& end) {
    std::size_t at;
    while ((at = buffer_.find(end)) == std::string::npos && more()) {
    }
    return take(at == std::string::npos ? buffer_.size() : at + end.size());
  }
  std::string bytes(std::size_t count) {
    while (buffer_.size() < count && more()) {
    }
    return take(std::min(count, buffer_.size()));
  }
  void hang() {
    while (more()) {
    }
  }

 private:
  std::string take(std::size_t count) {
    std::string out = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return out;
  }
  bool more() {
    while (!stopping_) {
      pollfd waits{fd_, POLLIN, 0};
      if (poll(&waits, 1, 20) <= 0) continue;
      char chunk[4096];
      const ssize_t got = read(fd_, chunk, sizeof chunk);
      if (got <= 0) return false;
      buffer_.append(chunk, static_cast<std::size_t>(got));
      return true;
    }
    return false;
  }
  int fd_;
  const std::atomic<bool>& stopping_;
  std::string buffer_;
};

class Server {
 public:
  explicit Server(std::function<void(Connection&)> serve) : serve_(std::move(serve)) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    (void)!bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    (void)!listen(fd_, 16);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Server() {
    stopping_ = true;
    thread_.join();
    close(fd_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] int port() const { return port_; }

 private:
  void run() {
    while (!stopping_) {
      pollfd waits{fd_, POLLIN, 0};
      if (poll(&waits, 1, 20) <= 0) continue;
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      Connection connection(fd, stopping_);
      serve_(connection);
      close(fd);
    }
  }
  std::function<void(Connection&)> serve_;
  int fd_ = -1, port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Keeps what it is sent, and answers with one reply after the other, then with 200. "hang": not at all.
class HttpSink {
 public:
  struct Request {
    std::string head, body;
    [[nodiscard]] std::string header(const std::string& name) const {
      const std::size_t at = head.find("\r\n" + name + ": ");
      if (at == std::string::npos) return "";
      const std::size_t begin = at + name.size() + 4;
      return head.substr(begin, head.find("\r\n", begin) - begin);
    }
  };
  explicit HttpSink(std::vector<std::string> replies = {})
      : replies_(std::move(replies)), server_([this](Connection& c) { serve(c); }) {}
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(server_.port());
  }
  [[nodiscard]] std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve(Connection& connection) {
    Request request;
    request.head = connection.until("\r\n\r\n");
    request.body =
        connection.bytes(std::strtoul(request.header("Content-Length").c_str(), nullptr, 10));
    std::string reply = "200 OK\r\n";
    {
      const std::lock_guard lock(mutex_);
      if (requests_.size() < replies_.size()) reply = replies_[requests_.size()];
      requests_.push_back(request);
    }
    if (reply == "hang") return connection.hang();
    connection.say("HTTP/1.1 " + reply + "Content-Length: 0\r\nConnection: close\r\n\r\n");
  }
  mutable std::mutex mutex_;
  std::vector<std::string> replies_;
  std::vector<Request> requests_;
  Server server_;
};

class MailSink {
 public:
  explicit MailSink(std::string reply_to_rcpt = "250 ok")
      : reply_(std::move(reply_to_rcpt)), server_([this](Connection& c) { serve(c); }) {}
  [[nodiscard]] std::string url() const {
    return "smtp://127.0.0.1:" + std::to_string(server_.port());
  }
  [[nodiscard]] std::string envelope() const {
    const std::lock_guard lock(mutex_);
    return envelope_;
  }
  [[nodiscard]] std::string mail() const {
    const std::lock_guard lock(mutex_);
    return mail_;
  }

 private:
  void serve(Connection& connection) {
    connection.say("220 test\r\n");
    for (;;) {
      const std::string line = connection.until("\r\n");
      const std::lock_guard lock(mutex_);
      if (line.empty()) return;
      if (line.starts_with("MAIL") || line.starts_with("RCPT")) envelope_ += line;
      if (line.starts_with("RCPT"))
        connection.say(reply_ + "\r\n");
      else if (line.starts_with("DATA")) {
        connection.say("354 go on\r\n");
        mail_ = connection.until("\r\n.\r\n");
        connection.say("250 taken\r\n");
      } else {
        connection.say(line.starts_with("QUIT") ? "221 bye\r\n" : "250 ok\r\n");
      }
    }
  }
  mutable std::mutex mutex_;
  std::string reply_, envelope_, mail_;
  Server server_;
};

// The whole answer to a GET; empty: nobody is there.
inline std::string http_get(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  std::string out;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n";
    (void)!send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char chunk[4096];
    for (ssize_t got; (got = read(fd, chunk, sizeof chunk)) > 0;)
      out.append(chunk, static_cast<std::size_t>(got));
  }
  close(fd);
  return out;
}

}  // namespace peerscope
