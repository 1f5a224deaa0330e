// What resources have in common: answers, and times that count from the session's start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "base/result.hpp"
#include "http/message.hpp"
#include "session/served/served.hpp"

namespace peerscope::http {

// What every answer is written by: bytes that are no UTF-8 are replaced.
std::string written(const nlohmann::json& body);
Response answer(const nlohmann::json& body, int status = 200);
// A request's body. Nothing if it is no JSON, or nested deeper than any that means something: what is deep is walked by
// recursion later.
std::optional<nlohmann::json> parse_body(const Request& request);
// {"error": {"code", "message"}}; the code follows from the status.
Response refuse(int status, const std::string& sentence);
Response no_history();                // 503: this session is watched without one
Response refuse(const Error& error);  // 404 for what is not there, 400 for what is wrong, 503 else

// Unknown figures are null.
nlohmann::json known(double value);
nlohmann::json known_gbs(double bytes_per_s);
nlohmann::json known_id(std::uint16_t id, std::uint16_t none);
nlohmann::json known_text(const std::string& text);

// The session's own time: ns since its start.
struct Moments {
  std::int64_t start_ns = 0, real_offset_ns = 0;
  Moments(std::int64_t start, std::int64_t offset) : start_ns(start), real_offset_ns(offset) {}
  explicit Moments(const Served& served)
      : start_ns(served.start_ns()), real_offset_ns(served.snapshot()->real_offset_ns) {}
  [[nodiscard]] std::int64_t since_start(std::int64_t monotonic_ns) const {
    return monotonic_ns - start_ns;
  }
  [[nodiscard]] std::int64_t monotonic(std::int64_t since_start_ns) const {
    return since_start_ns + start_ns;
  }
  [[nodiscard]] nlohmann::json known(std::int64_t monotonic_ns) const;  // null for kUnknownNs
  [[nodiscard]] std::string text(std::int64_t monotonic_ns) const;      // RFC 3339
};

}  // namespace peerscope::http
