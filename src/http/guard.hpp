// Who may ask: the token, as a header or as the cookie that a login gives.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace peerscope::http {

enum class Admission {
  yes,
  no,
  too_many
};  // too_many: this address has tried too many wrong tokens

// Compared in constant time. Wrong tokens are counted by address: ten at once, then one a second. A wrong cookie is
// not counted: it is a random key that no one guesses, and a page left open from an earlier run must lock nobody out.
class Guard {
 public:
  explicit Guard(const std::string& token);

  [[nodiscard]] bool needs_token() const { return needed_; }
  Admission admit(const Request& request);
  Admission try_token(std::string_view token, const std::string& remote);
  // Values of Set-Cookie. The cookie is good for this run of the server only, and does not hold the token.
  [[nodiscard]] std::string cookie_field(bool tls) const;
  [[nodiscard]] static std::string no_cookie_field(bool tls);

 private:
  using Clock = std::chrono::steady_clock;
  using Digest = std::array<unsigned char, 32>;
  struct Tries {
    double left;
    Clock::time_point at;
  };

  [[nodiscard]] Digest digest(std::string_view text) const;
  Tries& tries_of(const std::string& remote, Clock::time_point now);

  const bool needed_;
  Digest key_;  // random: makes digests of equal length, so that time tells nothing of the token's
  Digest token_;  // of the token
  std::string cookie_;
  std::mutex mutex_;
  std::map<std::string, Tries, std::less<>> tries_;  // by address
};

}  // namespace peerscope::http
