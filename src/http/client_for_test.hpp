// Sockets of a client, with bytes as they are: what a test sends may be no HTTP at all.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/fields.hpp"

namespace peerscope::http {

class TestSocket {
 public:
  explicit TestSocket(std::uint16_t port, int receive_buffer = 0)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer != 0)
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~TestSocket() { shut(); }
  TestSocket(const TestSocket&) = delete;
  TestSocket& operator=(const TestSocket&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int fd() const { return fd_; }
  void shut() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  bool put(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // What comes next; "": nothing more will come, or nothing came for so long (`timed_out`).
  std::string more(std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    pollfd entry{fd_, POLLIN, 0};
    timed_out_ = poll(&entry, 1, static_cast<int>(patience.count())) == 0;
    if (timed_out_) return "";
    std::string buffer(64 << 10, '\0');
    const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
    buffer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return buffer;
  }
  [[nodiscard]] bool timed_out() const { return timed_out_; }

  // All until the server closes.
  std::string rest() {
    std::string all;
    for (std::string piece = more(); !piece.empty(); piece = more()) all += piece;
    return all;
  }

  // Everything so far, until `text` is in it; what came before is kept for the next call.
  bool wait_for(std::string_view text,
                std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    while (seen_.find(text) == std::string::npos) {
      const std::string piece = more(patience);
      if (piece.empty()) return false;
      seen_ += piece;
    }
    return true;
  }
  std::string& seen() { return seen_; }

 private:
  int fd_;
  bool connected_ = false, timed_out_ = false;
  std::string seen_;
};

struct Got {
  int status = 0;  // 0: no answer
  std::map<std::string, std::string> fields;
  std::string body;  // as it came, but without chunks' heads

  [[nodiscard]] std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  }
};

inline std::string without_chunks(std::string_view text, bool& whole) {
  std::string body;
  whole = false;
  for (;;) {
    const std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) return body;
    const std::size_t size = std::stoul("0" + std::string(text.substr(0, end)), nullptr, 16);
    text.remove_prefix(end + 2);
    if (size == 0) whole = true;
    if (size == 0 || text.size() < size + 2) return body;
    body += text.substr(0, size);
    text.remove_prefix(size + 2);
  }
}

inline Got parsed(std::string_view text) {
  Got got;
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || !text.starts_with("HTTP/1.1 ")) return got;
  got.status = std::stoi(std::string(text.substr(9, 3)));
  std::string_view head = text.substr(0, end);
  head.remove_prefix(std::min(head.find("\r\n"), head.size()));
  while (head.size() > 2) {
    head.remove_prefix(2);
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos)
      got.fields[lower(line.substr(0, colon))] = line.substr(colon + 2);
    head.remove_prefix(line.size());
  }
  got.body = text.substr(end + 4);
  bool whole = false;
  if (got.field("transfer-encoding") == "chunked") got.body = without_chunks(got.body, whole);
  return got;
}

// One request on a connection of its own. `more` are header lines, each with its end.
struct Call {
  std::string method = "GET", target = "/", more, body;
};

inline std::string text_of(const Call& call) {
  std::string text = call.method + " " + call.target + " HTTP/1.1\r\nConnection: close\r\n";
  if (call.more.find("Host:") == std::string::npos) text += "Host: localhost\r\n";
  if (!call.body.empty()) text += "Content-Length: " + std::to_string(call.body.size()) + "\r\n";
  return text + call.more + "\r\n" + call.body;
}

inline Got ask(std::uint16_t port, const Call& call) {
  TestSocket socket(port);
  (void)socket.put(text_of(call));
  return parsed(socket.rest());
}

inline Got ask(std::uint16_t port, const std::string& target, const std::string& more = "") {
  return ask(port, Call{.method = "GET", .target = target, .more = more, .body = ""});
}

}  // namespace peerscope::http
