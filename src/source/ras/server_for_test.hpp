// NCCL's RAS as a client sees it: takes one connection, hears the commands, says what it was told to.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace peerscope::ras {

class ServerForTest {
 public:
  enum class Then { close, stay_silent, talk_for_ever };

  explicit ServerForTest(std::string answer, Then then = Then::close)
      : answer_(std::move(answer)), then_(then), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ServerForTest() {
    stop_ = true;
    thread_.join();
    close(listener_);
  }
  ServerForTest(const ServerForTest&) = delete;
  ServerForTest& operator=(const ServerForTest&) = delete;

  [[nodiscard]] int port() const { return port_; }
  // What the client has said. Once it is done only.
  [[nodiscard]] const std::string& heard() const { return heard_; }

 private:
  bool ready(int fd, short events) const {
    while (!stop_) {
      pollfd entry{fd, events, 0};
      if (poll(&entry, 1, 20) > 0) return true;
    }
    return false;
  }

  void serve() {
    if (!ready(listener_, POLLIN)) return;
    const int client = accept(listener_, nullptr, nullptr);
    char buffer[512];
    while (heard_.find("STATUS\n") == std::string::npos && ready(client, POLLIN)) {
      const ssize_t got = recv(client, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      heard_.append(buffer, static_cast<std::size_t>(got));
    }
    do {  // a client that has heard enough leaves: send fails
      std::size_t at = 0;
      while (at < answer_.size() && ready(client, POLLOUT)) {
        const ssize_t sent = send(client, answer_.data() + at, answer_.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) break;
        at += static_cast<std::size_t>(sent);
      }
      if (at < answer_.size()) break;
    } while (then_ == Then::talk_for_ever);
    while (then_ == Then::stay_silent && !stop_)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    close(client);
  }

  std::string answer_, heard_;
  Then then_;
  int listener_;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace peerscope::ras
