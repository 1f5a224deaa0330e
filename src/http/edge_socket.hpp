// RESTinio closes a connection without a word when it cannot parse a request. This socket says why first: 400, 413,
// 414 or 431. Included by server.cpp only.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <restinio/all.hpp>
#include <restinio/tls.hpp>

#include "http/service.hpp"

namespace peerscope::http {

using TcpSocket = asio::ip::tcp::socket;
using Slot = std::shared_ptr<void>;  // one of the connections that there may be

// What is wrong with the bytes that this thread is parsing; 0: nothing. RESTinio tells its logger and nobody else,
// just before it closes the socket, on the same thread.
inline thread_local int refusal_of_thread =
    0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): see above

class ParseErrors {  // a logger to RESTinio
 public:
  template <class Message>
  void trace(Message&& /*message*/) const noexcept {
  }  // NOLINT(cppcoreguidelines-missing-std-forward)
  template <class Message>
  void info(Message&& /*message*/) const noexcept {
  }  // NOLINT(cppcoreguidelines-missing-std-forward)
  template <class Message>
  void warn(Message&& /*message*/) const noexcept {
  }  // NOLINT(cppcoreguidelines-missing-std-forward)
  template <class Message>
  void error(Message&& message) const {  // NOLINT(cppcoreguidelines-missing-std-forward)
    refusal_of_thread = status_of(message());
  }

 private:
  static int status_of(const std::string& text) {
    const auto says = [&](std::string_view part) { return text.find(part) != std::string::npos; };
    if (!says("parser error")) return 0;
    if (says("HPE_CB_headers_complete") || says("HPE_CB_body")) return 413;
    if (says("HPE_CB_url")) return 414;
    if (says("HPE_CB_header_") || says("HPE_HEADER_OVERFLOW")) return 431;
    return 400;
  }
};

inline std::string refusal_text(int status) {
  const std::string body =
      fmt::format(R"({{"error":{{"code":"refused","message":"this request is not taken: {}"}}}})",
                  reason_phrase(status));
  return fmt::format(
      "HTTP/1.1 {} {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: "
      "{}\r\n"
      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n{}",
      status, reason_phrase(status), body.size(), body);
}

// Reads what still comes, for a moment: a socket that is closed with bytes unread takes its last answer along.
class Linger : public std::enable_shared_from_this<Linger> {
 public:
  Linger(TcpSocket socket, Slot slot)
      : socket_(std::move(socket)),
        slot_(std::move(slot)),
        strand_(asio::make_strand(socket_.get_executor())),
        timer_(strand_, std::chrono::seconds(2)) {}

  void run() {
    timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
      if (!error) self->close();
    });
    read();
  }

 private:
  void read() {
    socket_.async_read_some(
        asio::buffer(buffer_),
        asio::bind_executor(
            strand_, [self = shared_from_this()](const asio::error_code& error, std::size_t) {
              if (error) return self->close();
              self->read();
            }));
  }

  void close() {
    asio::error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
  }

  TcpSocket socket_;
  Slot slot_;
  asio::strand<TcpSocket::executor_type> strand_;
  asio::steady_timer timer_;
  std::array<char, 4096> buffer_{};
};

// `Base`: TcpSocket, or RESTinio's TLS socket.
template <class Base>
class EdgeSocket : public Base {
 public:
  EdgeSocket(Base socket, Slot slot, std::chrono::milliseconds handshake_time)
      : Base(std::move(socket)), slot_(std::move(slot)), handshake_time_(handshake_time) {}

  [[nodiscard]] std::chrono::milliseconds handshake_time() const { return handshake_time_; }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler handler) {
    const auto executor = asio::get_associated_executor(handler);
    Base::async_read_some(
        buffers,
        asio::bind_executor(executor, [this, handler = std::move(handler)](
                                          const asio::error_code& error, std::size_t size) mutable {
          refusal_of_thread = 0;
          reading_ = !error;  // the handler keeps the connection alive, and so this socket
          handler(error, size);
          reading_ = false;
        }));
  }

  template <class... Arguments>
  void shutdown(Arguments&&... arguments) {
    if (!reading_ || refusal_of_thread == 0) {
      Base::shutdown(std::forward<Arguments>(arguments)...);
      return;
    }
    asio::error_code ignored;
    tcp().non_blocking(true, ignored);
    write_now(refusal_text(refusal_of_thread));
    tcp().shutdown(TcpSocket::shutdown_send, ignored);
    std::make_shared<Linger>(std::move(tcp()), std::move(slot_))->run();
  }

 private:
  TcpSocket& tcp() {
    if constexpr (std::is_same_v<Base, TcpSocket>)
      return *this;
    else
      return this->asio_ssl_stream().next_layer();
  }

  // Nothing else is written: RESTinio reads no request before the last one is answered.
  void write_now(const std::string& text) {
    asio::error_code ignored;
    if constexpr (std::is_same_v<Base, TcpSocket>)
      Base::write_some(asio::buffer(text), ignored);
    else
      this->asio_ssl_stream().write_some(asio::buffer(text), ignored);
  }

  Slot slot_;
  std::chrono::milliseconds handshake_time_;
  bool reading_ = false;
};

using PlainEdge = EdgeSocket<TcpSocket>;
using TlsEdge = EdgeSocket<restinio::impl::tls_socket_t>;

// RESTinio's own waits for the end of a handshake for ever.
template <class Connection, class Start, class Fail>
void prepare_connection_and_start_read(TlsEdge& socket, Connection& connection, Start start,
                                       Fail fail) {
  auto self = connection.shared_from_this();
  auto timer =
      std::make_shared<asio::steady_timer>(connection.get_executor(), socket.handshake_time());
  timer->async_wait([&socket, weak = std::weak_ptr(self)](const asio::error_code& error) {
    const auto alive = weak.lock();
    asio::error_code ignored;
    if (!error && alive) socket.lowest_layer().close(ignored);
  });
  socket.async_handshake(
      asio::ssl::stream_base::server,
      asio::bind_executor(connection.get_executor(),
                          [timer, self, start, fail](const asio::error_code& error) {
                            timer->cancel();
                            if (error)
                              fail(error);
                            else
                              start();
                          }));
}

}  // namespace peerscope::http
