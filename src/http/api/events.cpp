// What happened, what failed, and what has not ended.
#include <fmt/format.h>

#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "http/api/rows.hpp"

namespace peerscope::http {

using nlohmann::json;

Response get_events(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  const std::string severity =
      parameters.choice("severity", {"trace", "debug", "info", "warning", "error", "critical"});
  const std::string kind = parameters.text("kind");
  const std::string text = parameters.text("text");
  const std::int64_t limit = parameters.integer("limit", 1, 10'000, 100);
  const auto before = parameters.integer("cursor", 1, INT64_MAX);
  if (const auto refusal = parameters.refusal()) return *refusal;
  const EventSeverity least = parse_event_severity(severity).value_or(EventSeverity::trace);
  const auto wanted = [&](const DebugEvent& event) {
    return event.severity >= least && (kind.empty() || event.kind == kind) &&
           (text.empty() || event.text.find(text) != std::string::npos);
  };
  const auto found = api.served->events(static_cast<std::uint64_t>(before.value_or(0)),
                                        static_cast<std::size_t>(limit), wanted);
  const Moments moments(*api.served);
  json items = json::array();
  for (const ServedEvent& event : found) items.push_back(event_json(event, moments));
  const bool more = found.size() == static_cast<std::size_t>(limit) && found.back().id > 1;
  return answer({{"items", items},
                 {"next", more ? json(fmt::format("{}", found.back().id)) : json(nullptr)}});
}

Response get_errors(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  Response response;
  response.body = api.served->errors_json();
  return response;
}

Response get_in_flight(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  return answer({{"items", in_flight_json(*api.served)}});
}

}  // namespace peerscope::http
