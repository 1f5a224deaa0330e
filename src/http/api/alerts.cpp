// Alerts, and silences.
#include <fmt/format.h>

#include "analyze/alert/silence.hpp"
#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "http/api/rows.hpp"
#include "session/alerts/json.hpp"
#include "session/alerts/service.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

Response no_alerts() {
  return refuse(503,
                "There are no alerts: alert.enabled is false, or what is shown is a recording.");
}

std::optional<Matcher> matcher_of(const json& item) {
  const auto text = [&item](const char* key) -> const std::string* {
    const auto at = item.is_object() ? item.find(key) : item.end();
    return item.is_object() && at != item.end() ? at->get_ptr<const std::string*>() : nullptr;
  };
  const std::string *name_of = text("name"), *op = text("op"), *value = text("value");
  if (name_of == nullptr || op == nullptr || value == nullptr) return std::nullopt;
  for (const MatchOp known :
       {MatchOp::equal, MatchOp::not_equal, MatchOp::like, MatchOp::not_like}) {
    if (*op == name(known)) return Matcher{*name_of, known, *value};
  }
  return std::nullopt;
}

}  // namespace

std::string alerts_text(const Api& api) {
  const json empty = {{"items", json::array()},
                      {"silences", json::array()},
                      {"rules", json::array()},
                      {"deliveries", json::array()}};
  json state = api.alerts == nullptr ? empty : to_json(*api.alerts->state());
  if (state.contains("alerts")) {
    state["items"] = std::move(state["alerts"]);
    state.erase("alerts");
  }
  return written(state);
}

Response get_alerts(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  Response response;
  response.body = alerts_text(api);
  return response;
}

Response get_alert_history(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  HistoryQuery query;
  query.limit = static_cast<std::size_t>(
      parameters.integer("limit", 1, static_cast<std::int64_t>(kMostHistoryPage), 100));
  query.cursor = parameters.text("cursor");
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (api.alerts == nullptr) return answer({{"items", json::array()}, {"next", nullptr}});
  const auto page = api.alerts->history(query);
  if (!page) return refuse(page.error());
  json body = to_json(*page);
  json items = json::array();
  for (json& entry : body["items"]) {
    if (!entry["alert"].is_object()) continue;  // a line that somebody else has written
    entry["alert"]["at"] = entry["at"];
    items.push_back(std::move(entry["alert"]));
  }
  body["items"] = std::move(items);
  return answer(body);
}

Response post_silence(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (api.alerts == nullptr) return no_alerts();
  const auto body = parse_body(request);
  const auto has = [&body](const char* key, bool (json::*is)() const noexcept) {
    return body && body->is_object() && body->contains(key) && ((*body)[key].*is)();
  };
  if (!has("matchers", &json::is_array) || !has("duration_s", &json::is_number))
    return refuse(
        400,
        R"(write {"matchers": [{"name": "rank", "op": "=", "value": "3"}], "duration_s": 3600, "comment": "...", "author": "..."})");
  std::vector<Matcher> matchers;
  for (const json& item : (*body)["matchers"]) {
    const auto matcher = matcher_of(item);
    if (!matcher)
      return refuse(400, R"(a matcher is {"name", "op", "value"}; op is =, !=, ~ or !~)");
    matchers.push_back(*matcher);
  }
  const double seconds = (*body)["duration_s"].get<double>();
  constexpr double kYear = 365.0 * 86'400;
  if (!(seconds > 0 && seconds <= kYear))
    return refuse(400, "duration_s: write seconds, more than 0 and at most a year");
  const auto text = [&](const char* key) {
    return has(key, &json::is_string) ? (*body)[key].get<std::string>() : std::string();
  };
  const auto silence = api.alerts->silence(std::move(matchers),
                                           static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME)) +
                                               static_cast<std::int64_t>(seconds * 1e9),
                                           text("comment"), text("author"));
  return silence ? answer(to_json(*silence), 201) : refuse(silence.error());
}

Response delete_silence(const Api& api, const Request& request, const Captures& path) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (api.alerts == nullptr) return no_alerts();
  if (const Status ended = api.alerts->unsilence(path[0]); !ended) return refuse(ended.error());
  Response response;
  response.status = 204;
  return response;
}

}  // namespace peerscope::http
