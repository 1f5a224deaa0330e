// Everything between a parsed request and the handler, and back: who may ask for what, and what every answer carries.
// Knows no socket.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "http/event_hub.hpp"
#include "http/guard.hpp"
#include "http/message.hpp"
#include "http/options.hpp"

namespace peerscope::http {

// As it came in.
struct Asked {
  std::string method, target;
  Fields headers;  // names in any case
  std::string body, remote;
  int major = 1, minor = 1;  // HTTP's version
};

struct Answer {
  int status = 200;
  Fields fields;      // all but Date, Connection and what says how long the body is
  std::string body;   // for HEAD, too: its length is said, it is not sent
  BodyStream stream;  // instead of `body`
  bool gzip = false;  // the stream is to be compressed
  bool is_head = false;
  bool is_events = false;
  EventRequest events;
};

class Service {
 public:
  Service(const ServerOptions& options, Handler handler, bool has_events);

  // Never throws. Called on any thread.
  Answer answer(Asked asked);

  [[nodiscard]] std::uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  Answer reply(Asked asked);
  Answer finish(const Request& request, Response response, bool is_head) const;
  std::optional<Response> refusal(const Request& request, const Asked& asked) const;
  std::optional<Response> unauthorized(const Request& request);
  Response login(const Request& request);
  Response call(const Request& request) const;
  [[nodiscard]] Response asset_response(const Request& request) const;
  [[nodiscard]] bool is_handled(std::string_view path) const;
  [[nodiscard]] bool is_open(std::string_view path) const;
  [[nodiscard]] bool host_is_known(std::string_view host_field, bool is_1_0) const;

  const ServerOptions options_;
  const Handler handler_;
  const bool has_events_, tls_;
  Guard guard_;
  std::atomic<std::uint64_t> requests_{0}, refused_{0};
};

std::string_view reason_phrase(int status);

}  // namespace peerscope::http
