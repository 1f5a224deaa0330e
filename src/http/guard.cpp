#include "http/guard.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <sodium.h>

#include "http/fields.hpp"

namespace peerscope::http {
namespace {

constexpr double kTries = 10, kTriesPerSecond = 1;
constexpr std::size_t kMaxAddresses = 4096;
constexpr std::string_view kCookie = "peerscope_token";

std::string hex(std::span<const unsigned char> bytes) {
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

std::string cookie_text(std::string_view value, bool tls, const char* more) {
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict{}{}", kCookie, value,
                     tls ? "; Secure" : "", more);
}

std::string address_of(const std::string& remote) { return remote.substr(0, remote.rfind(':')); }

}  // namespace

Guard::Guard(const std::string& token) : needed_(!token.empty()) {
  [[maybe_unused]] const int ready =
      sodium_init();  // without randomness the next line ends the process
  randombytes_buf(key_.data(), key_.size());
  token_ = digest(token);
  Digest session;
  randombytes_buf(session.data(), session.size());
  cookie_ = hex(session);
}

Guard::Digest Guard::digest(std::string_view text) const {
  Digest out;
  crypto_generichash(out.data(), out.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), key_.data(), key_.size());
  return out;
}

Guard::Tries& Guard::tries_of(const std::string& remote, Clock::time_point now) {
  if (tries_.size() >= kMaxAddresses) {
    const auto forgiven = now - std::chrono::seconds(static_cast<int>(kTries / kTriesPerSecond));
    std::erase_if(tries_, [&](const auto& entry) { return entry.second.at < forgiven; });
  }
  // Where there is no room, all further addresses share one entry.
  const std::string key = tries_.size() >= kMaxAddresses ? "" : address_of(remote);
  Tries& tries = tries_.try_emplace(key, Tries{kTries, now}).first->second;
  const double seconds = std::chrono::duration<double>(now - tries.at).count();
  tries.left = std::min(kTries, tries.left + seconds * kTriesPerSecond);
  tries.at = now;
  return tries;
}

Admission Guard::try_token(std::string_view token, const std::string& remote) {
  if (!needed_) return Admission::yes;
  const Digest given = digest(token);
  const bool right = sodium_memcmp(given.data(), token_.data(), given.size()) == 0;
  const std::lock_guard lock(mutex_);
  if (tries_.empty() && right) return Admission::yes;
  Tries& tries = tries_of(remote, Clock::now());
  if (tries.left < 1) return Admission::too_many;
  if (right) return Admission::yes;
  tries.left -= 1;
  return Admission::no;
}

Admission Guard::admit(const Request& request) {
  if (!needed_) return Admission::yes;
  if (const auto token = bearer(request.header("authorization")))
    return try_token(*token, request.remote);
  const auto given = cookie(request.header("cookie"), kCookie);
  const bool right = given && given->size() == cookie_.size() &&
                     sodium_memcmp(given->data(), cookie_.data(), cookie_.size()) == 0;
  return right ? Admission::yes : Admission::no;
}

std::string Guard::cookie_field(bool tls) const { return cookie_text(cookie_, tls, ""); }

std::string Guard::no_cookie_field(bool tls) { return cookie_text("", tls, "; Max-Age=0"); }

}  // namespace peerscope::http
