// Whatever comes in: every answer is HTTP, no header is made up by a client, nothing is said without the token, and
// what reaches the handler is a clean path. The first byte says whether the rest goes over a socket or straight in.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/client_for_test.hpp"
#include "http/server.hpp"
#include "http/service.hpp"
#include "http/target.hpp"

namespace {

using namespace peerscope::http;  // NOLINT(google-build-using-namespace): one file, no header

constexpr const char* kToken = "the-token-of-the-fuzzer";

void require(bool holds) {
  if (!holds) __builtin_trap();
}

bool is_clean(std::string_view path) {
  return path.starts_with('/') && is_utf8(path) && path.find('\0') == std::string_view::npos &&
         path.find("//") == std::string_view::npos && path.find("/../") == std::string_view::npos &&
         path.find("/./") == std::string_view::npos && !path.ends_with("/..") &&
         !path.ends_with("/.");
}

Response handled(const Request& request) {
  require(is_clean(request.path));
  const bool open = request.path == "/api/v1/health";
  require(open || request.header("authorization").find(kToken) != std::string_view::npos);
  Response response;
  response.body = request.path;
  response.headers = {{"X-Echo", std::string(request.parameter("x").value_or(""))}};
  return response;
}

ServerOptions options() {
  ServerOptions options;
  options.token = kToken;
  return options;
}

// Lines "name: value" until an empty one; the rest is the body.
Asked asked_of(std::string_view text) {
  Asked asked;
  const auto line = [&text] {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view out = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return out;
  };
  asked.method = line();
  asked.target = line();
  while (!text.empty()) {
    const std::string_view field = line();
    if (field.empty()) break;
    const std::size_t colon = std::min(field.find(": "), field.size());
    asked.headers.emplace_back(field.substr(0, colon),
                               field.substr(std::min(colon + 2, field.size())));
  }
  asked.body = text;
  asked.remote = "127.0.0.1:1";
  return asked;
}

void straight_in(std::string_view text) {
  static Service service(options(), handled, true);
  const Answer answer = service.answer(asked_of(text));
  require(answer.status >= 200 && answer.status <= 599);
  for (const auto& [name, value] : answer.fields)
    require(is_field_name(name) && is_field_value(value));
}

void over_a_socket(std::string_view text) {
  static const auto server = [] {
    ServerOptions all = options();
    all.request_time = std::chrono::milliseconds(500);
    auto started = Server::start(all, handled, nullptr);
    require(static_cast<bool>(started));
    return std::move(*started);
  }();
  TestSocket socket(server->port());
  if (!socket.connected()) return;  // the system has no port left: nothing is learnt
  (void)socket.put(text);
  ::shutdown(socket.fd(), SHUT_WR);
  const std::string got = socket.rest();
  require(!socket.timed_out());
  require(got.empty() || got.starts_with("HTTP/1.1 "));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string any(text);
  (void)parse_target(any);
  (void)parse_host(any);
  (void)cookie(any, "peerscope_token");
  (void)accepts_gzip(any);
  (void)has_etag(any, "\"x\"");
  if (data[0] % 2 == 0)
    straight_in(text);
  else
    over_a_socket(text);
  return 0;
}
