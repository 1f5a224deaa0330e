#include "http/api/answer.hpp"

#include <cmath>

#include "http/error_response.hpp"
#include "session/json.hpp"

namespace peerscope::http {

using nlohmann::json;

std::string written(const json& body) {
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

Response answer(const json& body, int status) {
  Response response;
  response.status = status;
  response.body = written(body);
  return response;
}

std::optional<json> parse_body(const Request& request) {
  constexpr int kDeepest = 16;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < request.body.size(); ++i) {
    const char c = request.body[i];
    if (quoted && c == '\\') ++i;
    if (c == '"' && (i == 0 || request.body[i - 1] != '\\' || !quoted)) quoted = !quoted;
    if (quoted) continue;
    depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    if (depth > kDeepest) return std::nullopt;
  }
  json body = json::parse(request.body, nullptr, false);
  return body.is_discarded() ? std::nullopt : std::optional(std::move(body));
}

namespace {

const char* code_of(int status) {
  switch (status) {
    case 400:
      return "bad_request";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 405:
      return "method_not_allowed";
    case 413:
      return "too_large";
    case 501:
      return "unsupported";
    case 503:
      return "unavailable";
    default:
      return "internal";
  }
}

}  // namespace

Response refuse(int status, const std::string& sentence) {
  return error_response(status, code_of(status), sentence);
}

Response no_history() {
  return refuse(503,
                "No history is kept of this session: start peerscope serve with "
                "dashboard.history_bytes above 0.");
}

Response refuse(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid_argument:
      return refuse(400, error.message);
    case ErrorCode::not_found:
      return refuse(404, error.message);
    case ErrorCode::unsupported:
      return refuse(501, error.message);
    default:
      return refuse(503, error.message);
  }
}

json known(double value) {
  return std::isfinite(value) && value != kUnknown ? json(value) : json(nullptr);
}
json known_gbs(double bytes_per_s) {
  return bytes_per_s < 0 ? json(nullptr) : known(bytes_per_s / 1e9);
}
json known_id(std::uint16_t id, std::uint16_t none) {
  return id == none ? json(nullptr) : json(id);
}
json known_text(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

json Moments::known(std::int64_t monotonic_ns) const {
  return monotonic_ns == kUnknownNs ? json(nullptr) : json(since_start(monotonic_ns));
}
std::string Moments::text(std::int64_t monotonic_ns) const {
  return time_text(monotonic_ns + real_offset_ns);
}

}  // namespace peerscope::http
