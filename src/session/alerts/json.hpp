// Alerts as JSON: one shape for the command line, the REST API and receivers. Times are RFC 3339, unknown is null.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "analyze/alert/notices.hpp"
#include "analyze/alert/rule.hpp"
#include "session/alerts/service.hpp"

namespace peerscope {

nlohmann::json to_json(const Alert& alert);
nlohmann::json to_json(const Silence& silence);
nlohmann::json to_json(const RuleView& rule);
nlohmann::json to_json(const DeliveryView& delivery);
nlohmann::json to_json(const AlertsState& state);
nlohmann::json to_json(const HistoryPage& page);
nlohmann::json notice_json(const Notice& notice);  // what commands and webhooks get

}  // namespace peerscope
