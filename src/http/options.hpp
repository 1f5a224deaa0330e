#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "http/assets.hpp"

namespace peerscope::http {

struct ServerOptions {
  std::string host = "127.0.0.1";          // an address, or "localhost"
  std::uint16_t port = 0;                  // 0: any that is free
  std::string tls_cert, tls_key;           // PEM files; empty: no TLS
  std::string token;                       // empty: nobody is asked for one
  std::vector<std::string> allowed_hosts;  // names by which a server on loopback may be called, too
  std::vector<std::string> open_paths = {"/api/v1/health"};  // need no token
  std::vector<std::string> handled = {"/api", "/metrics"};   // the handler's; the rest are assets
  std::string stream_path = "/api/v1/stream";
  std::span<const Asset> assets;  // see embedded_assets()

  int threads = 2;
  std::size_t max_connections = 1024;  // the next one is answered 503
  std::size_t max_body_bytes = 1 << 20;
  std::size_t max_target_bytes = 8 << 10;
  std::size_t max_field_bytes = 8 << 10;  // of a header field
  std::size_t max_fields = 100;
  std::chrono::milliseconds request_time{
      15'000};  // from the connection, or the last answer, to a whole request
  std::chrono::milliseconds write_time{
      30'000};  // a client that takes nothing for so long is cut off
  std::chrono::milliseconds heartbeat{15'000};
};

// Refuses an address that others can reach where there is no token, half of a certificate, and nonsense.
Status check_address(const ServerOptions& options);
// A sentence if what is said can be read on the way; "": all is well.
std::string tls_warning(const ServerOptions& options);

}  // namespace peerscope::http
