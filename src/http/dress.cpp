#include "http/dress.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>
#include <sodium.h>

#include "http/fields.hpp"
#include "http/gzip.hpp"

namespace peerscope::http {
namespace {

constexpr std::size_t kCompressFrom = 1024;
constexpr std::string_view kPolicy =
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; "
    "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

// What the server itself says about the body and the connection.
bool is_reserved(const std::string& name) {
  constexpr std::array<std::string_view, 5> kNames = {"content-length", "transfer-encoding",
                                                      "connection", "content-type", "date"};
  return std::find(kNames.begin(), kNames.end(), lower(name)) != kNames.end();
}

bool has(const Fields& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [name](const auto& field) { return lower(field.first) == name; });
}

bool is_text(std::string_view type) {
  const auto holds = [type](std::string_view part) {
    return type.find(part) != std::string_view::npos;
  };
  return type.starts_with("text/") || holds("json") || holds("xml") || holds("javascript") ||
         holds("openmetrics") || holds("svg");
}

std::string etag_of(const std::string& body) {
  std::array<unsigned char, 16> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(body.data()),
                     body.size(), nullptr, 0);
  std::string text = "\"";
  for (const unsigned char byte : hash) text += fmt::format("{:02x}", byte);
  return text + "\"";
}

// The compressed body is other bytes: another strong tag.
std::string packed_etag(const std::string& etag) {
  return etag.ends_with('"') ? etag.substr(0, etag.size() - 1) + "-gz\"" : etag;
}

void add_own_fields(const Dressing& how, std::string_view type, Answer& answer) {
  Fields& fields = answer.fields;
  const bool has_body = answer.status != 204 && answer.status != 304;
  if (has_body && is_field_value(type)) fields.emplace_back("Content-Type", type);
  if (how.is_api && !has(fields, "cache-control")) fields.emplace_back("Cache-Control", "no-store");
  fields.emplace_back("Content-Security-Policy", kPolicy);
  fields.emplace_back("X-Content-Type-Options", "nosniff");
  fields.emplace_back("Referrer-Policy", "no-referrer");
  fields.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  fields.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
}

// True if the client has this very body.
bool tagged(const Dressing& how, Answer& answer) {
  // An empty body is that of an event stream, which comes later.
  if (!how.is_get || answer.status != 200 || answer.stream || answer.body.empty()) return false;
  const auto given = std::find_if(answer.fields.begin(), answer.fields.end(),
                                  [](const auto& field) { return lower(field.first) == "etag"; });
  const std::string etag = given == answer.fields.end() ? etag_of(answer.body) : given->second;
  if (given == answer.fields.end()) answer.fields.emplace_back("ETag", etag);
  const std::string_view asked = how.request.header("if-none-match");
  return has_etag(asked, etag) || has_etag(asked, packed_etag(etag));
}

void compress(const Dressing& how, std::string_view type, Answer& answer) {
  if (has(answer.fields, "content-encoding") || !is_text(type)) return;
  if (!answer.stream && answer.body.size() <= kCompressFrom) return;
  if (!has(answer.fields, "vary")) answer.fields.emplace_back("Vary", "Accept-Encoding");
  if (!accepts_gzip(how.request.header("accept-encoding"))) return;
  if (answer.stream) {
    answer.gzip = true;
  } else if (auto packed = gzipped(answer.body)) {
    answer.body = std::move(*packed);
  } else {
    return;
  }
  answer.fields.emplace_back("Content-Encoding", "gzip");
  for (auto& [name, value] : answer.fields)
    if (lower(name) == "etag") value = packed_etag(value);
}

}  // namespace

Answer dressed(const Dressing& how, Response response) {
  Answer answer;
  answer.status = response.status >= 200 && response.status <= 599 ? response.status : 500;
  answer.body = std::move(response.body);
  answer.stream = std::move(response.stream);
  answer.is_head = how.is_head;
  for (auto& [name, value] : response.headers)
    if (is_field_name(name) && is_field_value(value) && !is_reserved(name))
      answer.fields.emplace_back(std::move(name), std::move(value));
  if (tagged(how, answer)) {
    answer.status = 304;
    answer.body.clear();
    answer.stream = nullptr;
  } else {
    compress(how, response.type, answer);
  }
  add_own_fields(how, response.type, answer);
  return answer;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return status < 300   ? "OK"
             : status < 400 ? "See Other"
             : status < 500 ? "Bad Request"
                            : "Error";
  }
}

}  // namespace peerscope::http
