#include "http/options.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include "http/fields.hpp"

namespace peerscope::http {
namespace {

constexpr std::size_t kLeastTokenBytes = 16;

bool is_address(const std::string& host) {
  in6_addr parsed{};
  return host == "localhost" || inet_pton(AF_INET, host.c_str(), &parsed) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &parsed) == 1;
}

Error refused(std::string why) { return Error{ErrorCode::invalid_argument, std::move(why)}; }

}  // namespace

Status check_address(const ServerOptions& options) {
  if (!is_address(options.host))
    return refused(fmt::format(
        "'{}' is no address to listen on; write 127.0.0.1, 0.0.0.0, ::1 or :: (or localhost)",
        options.host));
  if (options.tls_cert.empty() != options.tls_key.empty())
    return refused("TLS needs two files: give both --tls-cert and --tls-key");
  if (!is_loopback(options.host) && options.token.empty())
    return refused(
        fmt::format("others can reach {}, and without a token all of them may look and change "
                    "settings; give a token (--token-file), or listen on 127.0.0.1",
                    options.host));
  if (!options.token.empty() && options.token.size() < kLeastTokenBytes)
    return refused(fmt::format("the token has {} characters and can be guessed; take at least {}",
                               options.token.size(), kLeastTokenBytes));
  if (!is_field_value(options.token) || options.token.find_first_of(" \t") != std::string::npos)
    return refused("the token has spaces or control characters, which a header cannot carry");
  return Done{};
}

std::string tls_warning(const ServerOptions& options) {
  if (is_loopback(options.host) || !options.tls_cert.empty()) return "";
  return fmt::format(
      "TLS is off: who sits between a browser and {} can read the token and all data; give "
      "--tls-cert and --tls-key, or go through an SSH tunnel",
      options.host);
}

}  // namespace peerscope::http
