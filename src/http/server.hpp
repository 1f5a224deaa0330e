// The web server: HTTP/1.1, with or without TLS, server-sent events. What it serves is the handler's business.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "http/event_hub.hpp"
#include "http/message.hpp"
#include "http/options.hpp"

namespace peerscope::http {

struct ServerCounters {
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;              // requests: by token, origin, limits
  std::uint64_t connections = 0;          // now
  std::uint64_t connections_refused = 0;  // beyond max_connections
  EventCounters events;
};

class Server {
 public:
  // Listens when it returns. `hub` may be null, and lives longer than the server. Raises the process's limit of open
  // files as far as it may be raised.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, Handler handler,
                                               EventHub* hub);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::string url() const;  // "http://127.0.0.1:4711"
  [[nodiscard]] ServerCounters counters() const;
  // Closes all connections, streams too; returns when the last handler and body stream has returned.
  void stop();

 private:
  struct Core;
  explicit Server(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace peerscope::http
