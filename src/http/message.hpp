// What a web server and those who answer for it say to each other. Values only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace peerscope::http {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;  // "GET"; upper case
  std::string
      path;        // "/api/v1/operations": percent-decoded; no "." or ".." segment, no NUL, no "//"
  Fields query;    // percent-decoded, in order
  Fields headers;  // names in lower case
  std::string body;
  std::string remote;     // "127.0.0.1:4711"
  bool admitted = false;  // it had the token, or none is needed

  // The first of that name.
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const;
  [[nodiscard]] std::string_view header(std::string_view name) const;  // "": not sent
};

// Gives the next piece of a long body; false: that was all. Called on a thread that may take its time; never
// while an earlier piece still waits for the client. An empty piece: nothing yet. What it throws breaks the answer off.
using BodyStream = std::function<bool(std::string& piece)>;

struct Response {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  Fields
      headers;  // further ones: ETag, Content-Disposition. A value with CR, LF or NUL is left out
  BodyStream stream;  // instead of `body`: sent in chunks as it comes
};

// Called on one of the server's threads: several at a time.
using Handler = std::function<Response(const Request&)>;

}  // namespace peerscope::http
