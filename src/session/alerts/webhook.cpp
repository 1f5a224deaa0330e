// A signed POST of the alert as JSON.
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "net/transfer.hpp"
#include "peerscope/peerscope.h"
#include "record/ticks.hpp"
#include "session/alerts/json.hpp"
#include "session/alerts/receivers.hpp"

namespace peerscope {

std::string webhook_signature(const std::string& secret, std::int64_t real_s,
                              const std::string& body) {
  const std::string text = fmt::format("{}.{}", real_s, body);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  std::string out = fmt::format("t={},v1=", real_s);
  for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

std::string notice_body(const Notice& notice) {
  return notice_json(notice).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Outcome outcome_of(int status, const std::string& detail, std::int64_t retry_after_ns) {
  if (status == 0) return {Sent::later, detail, 0};
  if (status >= 200 && status < 300) return {};
  const bool later = status == 408 || status == 429 || status >= 500;
  std::string words = fmt::format("status {}", status);
  if (!detail.empty()) words += ": " + detail.substr(0, 200);
  return {later ? Sent::later : Sent::refused, words, retry_after_ns};
}

Send webhook_receiver(const ReceiverSettings& settings) {
  return [settings](const Notice& notice, const std::atomic<bool>& stopping) {
    PostRequest request;
    request.url = settings.webhook_url;
    request.body = notice_body(notice);
    request.timeout_ns = settings.timeout_ns;
    request.headers = {"Content-Type: application/json",
                       fmt::format("User-Agent: peerscope/{}", pscope_version())};
    // Of each attempt: the receiver refuses what is old.
    if (!settings.webhook_secret.empty()) {
      const auto now_s = static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME) / 1'000'000'000);
      request.headers.push_back("X-Peerscope-Signature: " +
                                webhook_signature(settings.webhook_secret, now_s, request.body));
    }
    const PostReply reply = post(request, stopping);
    return outcome_of(reply.status, reply.status == 0 ? reply.error : "", reply.retry_after_ns);
  };
}

}  // namespace peerscope
