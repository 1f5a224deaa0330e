// Answers that take their time: events, and bodies that come in pieces. Included by server.cpp only.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "http/event_hub.hpp"
#include "http/gzip.hpp"
#include "http/wire.hpp"

namespace peerscope::http {

inline constexpr std::size_t kTakeBytes = 64 << 10;  // of events, in one write

// Publishers' threads wake streams by this; after `close` nothing gets through.
class Doorbell {
 public:
  explicit Doorbell(asio::io_context& io) : io_(&io) {}
  template <class Task>
  void ring(Task task) {
    const std::lock_guard lock(mutex_);
    if (io_) asio::post(*io_, std::move(task));
  }
  void close() {
    const std::lock_guard lock(mutex_);
    io_ = nullptr;
  }

 private:
  std::mutex mutex_;
  asio::io_context* io_;
};

class EventStream : public std::enable_shared_from_this<EventStream> {
 public:
  EventStream(EventHub& hub, Wire wire,
              std::function<void(const std::shared_ptr<EventStream>&)> ended)
      : hub_(hub), wire_(std::move(wire)), ended_(std::move(ended)) {}

  bool subscribe(const EventRequest& request, const std::shared_ptr<Doorbell>& doorbell) {
    client_ = hub_.subscribe(request, [doorbell, weak = weak_from_this()] {
      doorbell->ring([weak] {
        if (const auto self = weak.lock()) self->pump();
      });
    });
    return client_ != nullptr;
  }

  void start(const Answer& answer) {
    Parts parts;
    parts.emplace_back(head_of(answer, wire_, wire_.chunked ? Length::chunks : Length::none));
    send(std::move(parts));
  }

  // The client gets no more; the connection is closed when the stream is gone.
  void leave() { hub_.unsubscribe(client_); }
  Wire& wire() { return wire_; }

 private:
  // One at a time: it is called when the last write has ended, or by the hub after it said `waiting`.
  void pump() {
    std::vector<Frame> frames;
    const EventHub::Taken taken = hub_.take(*client_, kTakeBytes, frames);
    if (taken == EventHub::Taken::waiting) return;
    if (taken == EventHub::Taken::closed) {
      wire_.abort();
      return ended_(shared_from_this());
    }
    std::size_t bytes = 0;
    for (const Frame& frame : frames) bytes += frame->size();
    Parts parts;
    if (wire_.chunked) parts.emplace_back(fmt::format("{:x}\r\n", bytes));
    for (Frame& frame : frames) parts.emplace_back(std::move(frame));
    if (wire_.chunked) parts.emplace_back(std::string("\r\n"));
    send(std::move(parts));
  }

  void send(Parts parts) {
    wire_.send(std::move(parts), false, [self = shared_from_this()](const asio::error_code& error) {
      if (error)
        self->ended_(self);
      else
        self->pump();
    });
  }

  EventHub& hub_;
  Wire wire_;
  std::function<void(const std::shared_ptr<EventStream>&)> ended_;
  std::shared_ptr<EventClient> client_;
};

// A body that comes in pieces: the next one is asked for when the client has taken the last.
class BodyPump : public std::enable_shared_from_this<BodyPump> {
 public:
  BodyPump(asio::thread_pool& workers, Wire wire, BodyStream stream, bool gzip)
      : workers_(workers),
        wire_(std::move(wire)),
        stream_(std::move(stream)),
        gzip_(gzip ? GzipStream::open() : nullptr) {}

  void start(const Answer& answer) {
    Parts parts;
    parts.emplace_back(head_of(answer, wire_, wire_.chunked ? Length::chunks : Length::none));
    send(std::move(parts), false);
  }

 private:
  void next() {
    asio::post(workers_, [self = shared_from_this()] { self->produce(); });
  }

  void produce() {
    std::string piece;
    bool more = false;
    try {
      more = stream_(piece);
      if (gzip_) piece = gzip_->put(piece, !more);
    } catch (...) {  // the head is out: all that can be said is that the body is not whole
      return wire_.abort();
    }
    if (more && piece.empty()) return next();
    Parts parts;
    if (!piece.empty() && wire_.chunked) parts.emplace_back(fmt::format("{:x}\r\n", piece.size()));
    const bool any = !piece.empty();
    if (any) parts.emplace_back(std::move(piece));
    if (wire_.chunked)
      parts.emplace_back(std::string(any ? "\r\n" : "") + (more ? "" : "0\r\n\r\n"));
    send(std::move(parts), !more);
  }

  void send(Parts parts, bool last) {
    if (last) return wire_.send(std::move(parts), true);
    wire_.send(std::move(parts), false, [self = shared_from_this()](const asio::error_code& error) {
      if (!error) self->next();
    });
  }

  asio::thread_pool& workers_;
  Wire wire_;
  BodyStream stream_;
  std::unique_ptr<GzipStream> gzip_;
};

}  // namespace peerscope::http
