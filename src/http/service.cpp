#include "http/service.hpp"

#include <algorithm>
#include <array>
#include <exception>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "http/dress.hpp"
#include "http/error_response.hpp"
#include "http/fields.hpp"
#include "http/gzip.hpp"
#include "http/target.hpp"

namespace peerscope::http {
namespace {

constexpr std::string_view kLogin = "/api/v1/login", kLogout = "/api/v1/logout";
constexpr std::size_t kMaxAssetBytes = 64 << 20;

bool is_read(std::string_view method) { return method == "GET" || method == "HEAD"; }

Response not_allowed(std::string_view method, const char* allowed) {
  Response response =
      error_response(405, "method_not_allowed",
                     fmt::format("{} is not for this path; it takes {}", method, allowed));
  response.headers.emplace_back("Allow", allowed);
  return response;
}

bool is_method(std::string_view method) {
  constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD",  "POST",
                                                        "PUT", "PATCH", "DELETE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end != 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string token_in(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("token") || !json["token"].is_string()) return "";
  return json["token"].get<std::string>();
}

Response too_many_tries() {
  Response response =
      error_response(429, "too_many_tries",
                     "too many wrong tokens came from this address; try again in a few seconds");
  response.headers.emplace_back("Retry-After", "5");
  return response;
}

Response wrong_token(std::string_view message) {
  Response response = error_response(401, "unauthorized", message);
  response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"peerscope\"");
  return response;
}

}  // namespace

Service::Service(const ServerOptions& options, Handler handler, bool has_events)
    : options_(options),
      handler_(std::move(handler)),
      has_events_(has_events),
      tls_(!options.tls_cert.empty()),
      guard_(options.token) {}

bool Service::is_handled(std::string_view path) const {
  return std::any_of(options_.handled.begin(), options_.handled.end(),
                     [&](const std::string& prefix) {
                       return path.starts_with(prefix) &&
                              (path.size() == prefix.size() || path[prefix.size()] == '/');
                     });
}

bool Service::is_open(std::string_view path) const {
  const auto& open = options_.open_paths;
  return std::find(open.begin(), open.end(), path) != open.end();
}

// A page of elsewhere may have its name lead to this address (DNS rebinding): it is the name that gives it away. Where
// the server listens for others it has names that it does not know, and a token, which such a page has not.
bool Service::host_is_known(std::string_view host_field, bool is_1_0) const {
  if (host_field.empty()) return is_1_0;
  const std::optional<Host> host = parse_host(host_field);
  if (!host) return false;
  if (!is_loopback(options_.host) || is_loopback(host->name)) return true;
  const auto& allowed = options_.allowed_hosts;
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& name) { return lower(name) == host->name; });
}

std::optional<Response> Service::refusal(const Request& request, const Asked& asked) const {
  const bool is_1_0 = asked.major == 1 && asked.minor == 0;
  if (asked.major != 1) return error_response(400, "bad_request", "this server speaks HTTP/1.1");
  const auto hosts = std::count_if(request.headers.begin(), request.headers.end(),
                                   [](const auto& field) { return field.first == "host"; });
  if (hosts > 1) return error_response(400, "bad_request", "the request has more than one Host");
  if (!host_is_known(request.header("host"), is_1_0))
    return error_response(403, "unknown_host",
                          "this server listens on loopback and is not called by that name; write "
                          "127.0.0.1 or localhost, or allow the name when starting it");
  if (!is_method(request.method))
    return not_allowed(request.method, "GET, HEAD, POST, PATCH, DELETE");
  if (!is_read(request.method) && is_foreign(request))
    return error_response(403, "foreign_origin",
                          "a page of another origin may not change anything here");
  return std::nullopt;
}

std::optional<Response> Service::unauthorized(const Request& request) {
  switch (guard_.admit(request)) {
    case Admission::yes:
      return std::nullopt;
    case Admission::too_many:
      return too_many_tries();
    case Admission::no:
      break;
  }
  return wrong_token(
      "a token is needed: send 'Authorization: Bearer TOKEN', or log in by POST /api/v1/login; it "
      "is the one that the server was started with");
}

Response Service::login(const Request& request) {
  if (request.method != "POST") return not_allowed(request.method, "POST");
  Response response;
  response.status = 204;
  if (request.path == kLogout) {
    response.headers.emplace_back("Set-Cookie", Guard::no_cookie_field(tls_));
    return response;
  }
  switch (guard_.try_token(token_in(request.body), request.remote)) {
    case Admission::too_many:
      return too_many_tries();
    case Admission::no:
      return wrong_token("that is not the token that the server was started with");
    case Admission::yes:
      break;
  }
  if (guard_.needs_token()) response.headers.emplace_back("Set-Cookie", guard_.cookie_field(tls_));
  return response;
}

Response Service::call(const Request& request) const {
  try {
    return handler_(request);
  } catch (const std::exception& problem) {
    return error_response(500, "internal",
                          fmt::format("peerscope failed at this: {}", problem.what()));
  } catch (...) {
    return error_response(500, "internal", "peerscope failed at this");
  }
}

Response Service::asset_response(const Request& request) const {
  if (!is_read(request.method)) return not_allowed(request.method, "GET, HEAD");
  const Asset* asset = find_asset(options_.assets, request.path);
  Response response;
  if (!asset && options_.assets.empty() && request.path == "/") {
    response.type = "text/html; charset=utf-8";
    response.body = page_without_dashboard();
    return response;
  }
  if (!asset)
    return error_response(404, "not_found", fmt::format("there is nothing at {}", request.path));
  response.type = asset->type;
  response.headers = {
      {"ETag", std::string(asset->etag)},
      {"Vary", "Accept-Encoding"},
      {"Cache-Control", is_immutable(*asset) ? "public, max-age=31536000, immutable" : "no-cache"}};
  if (accepts_gzip(request.header("accept-encoding"))) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = asset->gzip;
  } else if (auto plain = gunzipped(asset->gzip, kMaxAssetBytes)) {
    response.body = std::move(*plain);
  } else {
    return error_response(500, "internal", "this file of the dashboard cannot be unpacked");
  }
  return response;
}

Answer Service::reply(Asked asked) {
  Request request;
  request.method = std::move(asked.method);
  request.body = std::move(asked.body);
  request.remote = std::move(asked.remote);
  request.headers = std::move(asked.headers);
  for (auto& [name, value] : request.headers) name = lower(name);
  const bool is_head = request.method == "HEAD";
  Result<Target> target = parse_target(asked.target);
  if (!target)
    return finish(request, error_response(400, "bad_request", target.error().message), is_head);
  request.path = std::move(target->path);
  request.query = std::move(target->query);

  if (auto refused = refusal(request, asked)) return finish(request, std::move(*refused), is_head);
  if (!is_handled(request.path)) return finish(request, asset_response(request), is_head);
  if (request.path == kLogin || request.path == kLogout)
    return finish(request, login(request), is_head);
  auto refused_token = unauthorized(request);
  request.admitted = !refused_token;
  if (refused_token && !is_open(request.path))
    return finish(request, std::move(*refused_token), is_head);
  if (has_events_ && request.path == options_.stream_path) {
    if (request.method != "GET")
      return finish(request, not_allowed(request.method, "GET"), is_head);
    Response events;
    events.type = "text/event-stream";
    events.headers.emplace_back("X-Accel-Buffering", "no");  // nginx would keep them back
    Answer answer = finish(request, std::move(events), false);
    answer.is_events = true;
    answer.events = {list_of(request.parameter("topics").value_or("")),
                     std::string(request.header("last-event-id"))};
    return answer;
  }
  if (is_head) request.method = "GET";  // for the handler the two are the same
  return finish(request, call(request), is_head);
}

Answer Service::finish(const Request& request, Response response, bool is_head) const {
  const bool api = !request.path.empty() && is_handled(request.path);
  const bool is_get = request.method == "GET" || is_head;
  return dressed({request, is_get, is_head, api}, std::move(response));
}

Answer Service::answer(Asked asked) {
  requests_.fetch_add(1, std::memory_order_relaxed);
  Answer answer;
  try {
    answer = reply(std::move(asked));
  } catch (const std::exception&) {  // no memory is left
    answer.status = 503;
  }
  const bool refused = answer.status == 400 || answer.status == 401 || answer.status == 403 ||
                       answer.status == 413 || answer.status == 429 || answer.status == 503;
  if (refused) refused_.fetch_add(1, std::memory_order_relaxed);
  return answer;
}

}  // namespace peerscope::http
