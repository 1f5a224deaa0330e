// Prometheus' Alertmanager, API v2.
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "net/transfer.hpp"
#include "record/ticks.hpp"
#include "session/alerts/receivers.hpp"
#include "session/json.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kGoodForNs = 240'000'000'000;  // four refreshes: it ends there if we end

}  // namespace

std::string alertmanager_body(const Notice& notice, std::int64_t real_ns) {
  const Alert& alert = notice.alert;
  nlohmann::json labels = nlohmann::json::object();
  for (const auto& [key, value] : alert.labels) labels[key] = value;
  // All findings may be of one rule: their kind says more.
  labels["alertname"] = labels.contains("kind") ? labels["kind"].get<std::string>() : alert.rule;
  labels["source"] = "peerscope";
  const bool over = alert.state == AlertState::resolved;
  const std::int64_t end_ns =
      over ? alert.resolved_ns + alert.real_offset_ns : real_ns + kGoodForNs;
  const nlohmann::json one = {
      {"labels", labels},
      {"annotations", {{"summary", alert.sentence}, {"action", alert.action}, {"id", alert.id}}},
      {"startsAt", time_text(alert.since_ns + alert.real_offset_ns)},
      {"endsAt", time_text(end_ns)}};
  return nlohmann::json::array({one}).dump(-1, ' ', false,
                                           nlohmann::json::error_handler_t::replace);
}

Send alertmanager_receiver(const ReceiverSettings& settings) {
  return [settings](const Notice& notice, const std::atomic<bool>& stopping) {
    PostRequest request;
    request.url = settings.alertmanager_url;
    while (request.url.ends_with('/')) request.url.pop_back();
    request.url += "/api/v2/alerts";
    request.body = alertmanager_body(notice, static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME)));
    request.timeout_ns = settings.timeout_ns;
    request.headers = {"Content-Type: application/json"};
    const PostReply reply = post(request, stopping);
    return outcome_of(reply.status, reply.status == 0 ? reply.error : reply.body,
                      reply.retry_after_ns);
  };
}

}  // namespace peerscope
