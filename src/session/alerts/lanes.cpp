#include "config/document.hpp"
#include "session/alerts/receivers.hpp"

namespace peerscope {

std::vector<std::unique_ptr<Lane>> make_lanes(const ReceiverSettings& settings) {
  std::vector<std::unique_ptr<Lane>> lanes;
  const auto add = [&](const char* receiver, const std::string& target, bool refresh, Send send) {
    LaneOptions options;
    options.receiver = receiver;
    options.target = target;
    options.wants_refresh = refresh;
    options.retry_for_ns = settings.retry_for_ns;
    options.first_retry_ns = settings.first_retry_ns;
    lanes.push_back(std::make_unique<Lane>(options, std::move(send)));
  };
  if (!settings.log.empty()) add("log", settings.log, false, log_receiver(settings.log));
  if (!settings.command.empty())
    add("command", settings.command.front(), false,
        command_receiver(settings.command, settings.timeout_ns));
  if (!settings.webhook_url.empty())  // of those of chat services, the path is the secret
    add("webhook", without_path(settings.webhook_url), false, webhook_receiver(settings));
  if (!settings.smtp_url.empty())
    add("mail", without_login(settings.smtp_url), false, mail_receiver(settings));
  if (!settings.alertmanager_url.empty())
    add("alertmanager", without_login(settings.alertmanager_url), true,
        alertmanager_receiver(settings));
  return lanes;
}

}  // namespace peerscope
