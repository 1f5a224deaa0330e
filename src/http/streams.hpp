// Answers that take their time: events, and bodies that come in pieces. Included by server.cpp only.
#pragma once

#include <map>
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

// An answer that is under way. It holds its connection, and the connection what is to be called when bytes are out; so
// that one may hold the stream only weakly, or nobody would ever let go.
class Stream {
 public:
  Stream() = default;
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

// Those under way: whoever is not in here is gone.
class Streams {
 public:
  void add(std::shared_ptr<Stream> stream) {
    const std::lock_guard lock(mutex_);
    const Stream* const key = stream.get();
    streams_.emplace(key, std::move(stream));
  }
  void remove(const Stream& stream) {
    std::shared_ptr<Stream>
        last;  // ends when the lock is free: a stream's end is somebody else's code
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(&stream);
    if (found == streams_.end()) return;
    last = std::move(found->second);
    streams_.erase(found);
  }
  void clear() {
    std::map<const Stream*, std::shared_ptr<Stream>> all;
    const std::lock_guard lock(mutex_);
    all.swap(streams_);
  }

 private:
  std::mutex mutex_;
  std::map<const Stream*, std::shared_ptr<Stream>> streams_;
};

class EventStream final : public Stream, public std::enable_shared_from_this<EventStream> {
 public:
  EventStream(EventHub& hub, Wire wire, Streams& streams)
      : hub_(hub), wire_(std::move(wire)), streams_(streams) {}
  ~EventStream() override {
    if (client_) hub_.unsubscribe(client_);
  }
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  bool subscribe(const EventRequest& request, const std::shared_ptr<Doorbell>& doorbell) {
    client_ = hub_.subscribe(request, [doorbell, weak = weak_from_this()] {
      doorbell->ring([weak] {
        if (const auto self = weak.lock()) self->pump();
      });
    });
    return client_ != nullptr;
  }

  void start(const Answer& answer) {
    streams_.add(shared_from_this());
    Parts parts;
    parts.emplace_back(head_of(answer, wire_, wire_.chunked ? Length::chunks : Length::none));
    send(std::move(parts));
  }

  Wire& wire() { return wire_; }

 private:
  // One at a time: it is called when the last write has ended, or by the hub after it said `waiting`.
  void pump() {
    std::vector<Frame> frames;
    const EventHub::Taken taken = hub_.take(*client_, kTakeBytes, frames);
    if (taken == EventHub::Taken::waiting) return;
    if (taken == EventHub::Taken::closed) {
      wire_.abort();
      return streams_.remove(*this);
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
    wire_.send(std::move(parts), false, [weak = weak_from_this()](const asio::error_code& error) {
      const auto self = weak.lock();
      if (!self) return;
      if (error)
        self->streams_.remove(*self);
      else
        self->pump();
    });
  }

  EventHub& hub_;
  Wire wire_;
  Streams& streams_;
  std::shared_ptr<EventClient> client_;
};

// A body that comes in pieces: the next one is asked for when the client has taken the last.
class BodyPump final : public Stream, public std::enable_shared_from_this<BodyPump> {
 public:
  BodyPump(asio::thread_pool& workers, Wire wire, BodyStream stream, Streams& streams)
      : workers_(workers), wire_(std::move(wire)), stream_(std::move(stream)), streams_(streams) {}

  void start(const Answer& answer) {
    if (answer.gzip) gzip_ = GzipStream::open();
    if (answer.gzip && !gzip_) return wire_.abort();  // no memory
    streams_.add(shared_from_this());
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
      wire_.abort();
      return streams_.remove(*this);
    }
    if (more && piece.empty()) return next();
    const bool any = !piece.empty();
    Parts parts;
    if (any && wire_.chunked) parts.emplace_back(fmt::format("{:x}\r\n", piece.size()));
    if (any) parts.emplace_back(std::move(piece));
    if (wire_.chunked && (any || !more))
      parts.emplace_back(std::string(any ? "\r\n" : "") + (more ? "" : "0\r\n\r\n"));
    send(std::move(parts), !more);
  }

  void send(Parts parts, bool last) {
    if (last) {
      wire_.send(std::move(parts), true);
      return streams_.remove(*this);
    }
    wire_.send(std::move(parts), false, [weak = weak_from_this()](const asio::error_code& error) {
      const auto self = weak.lock();
      if (!self) return;
      if (error)
        self->streams_.remove(*self);
      else
        self->next();
    });
  }

  asio::thread_pool& workers_;
  Wire wire_;
  BodyStream stream_;
  Streams& streams_;
  std::unique_ptr<GzipStream> gzip_;
};

}  // namespace peerscope::http
