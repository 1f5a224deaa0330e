#include "session/alerts/json.hpp"

#include <nlohmann/json.hpp>

#include "analyze/alert/figures.hpp"
#include "analyze/alert/silence.hpp"
#include "analyze/alert/words.hpp"
#include "session/json.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

json text(const std::string& value) { return value.empty() ? json(nullptr) : json(value); }
template <class T>
json known(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}
json time(const Alert& alert, std::int64_t ns) {
  return ns == kUnknownNs ? json(nullptr) : json(time_text(ns + alert.real_offset_ns));
}

// As a finding's.
json subject_json(const Subject& subject) {
  return {{"rank", known(subject.rank)},
          {"peer", known(subject.peer)},
          {"device", known(subject.device)},
          {"link", text(subject.link)},
          {"communicator", text(subject.communicator)},
          {"operation", text(subject.operation)}};
}

}  // namespace

json to_json(const Alert& alert) {
  json labels = json::object();
  for (const auto& [key, value] : alert.labels) labels[key] = value;
  return {{"id", alert.id},
          {"rule", alert.rule},
          {"state", name(alert.state)},
          {"severity", name(alert.severity)},
          {"subject", subject_json(alert.subject)},
          {"sentence", alert.sentence},
          {"action", text(alert.action)},
          {"value", known(alert.value)},
          {"unit", text(alert.unit)},
          {"threshold", known(alert.threshold)},
          {"since", time(alert, alert.since_ns)},
          {"fired_at", time(alert, alert.fired_ns)},
          {"resolved_at", time(alert, alert.resolved_ns)},
          {"silenced_by", text(alert.silenced_by)},
          {"inhibited_by", text(alert.inhibited_by)},
          {"labels", labels}};
}

json to_json(const Silence& silence) {
  json matchers = json::array();
  for (const Matcher& matcher : silence.matchers)
    matchers.push_back(
        {{"name", matcher.name}, {"op", name(matcher.op)}, {"value", matcher.value}});
  return {{"id", silence.id},
          {"matchers", matchers},
          {"until", time_text(silence.until_real_ns)},
          {"comment", silence.comment},
          {"author", silence.author},
          {"created", time_text(silence.created_real_ns)}};
}

json to_json(const RuleView& view) {
  const Rule& rule = view.rule;
  const auto seconds = [](std::int64_t ns) { return static_cast<double>(ns) / 1e9; };
  return {{"name", rule.name},
          {"text", rule.text},
          {"meaning", rule_meaning(rule)},
          {"severity", rule.severity     ? json(name(*rule.severity))
                       : rule.of_finding ? json(nullptr)
                                         : json("warning")},
          {"for_s", seconds(rule.for_ns)},
          {"keep_s", seconds(rule.keep_ns)},
          {"origin", rule.origin},
          {"state", name(view.state)}};
}

json to_json(const DeliveryView& view) {
  json last = json::array();
  for (const DeliveryOutcome& outcome : view.last)
    last.push_back({{"alert", outcome.alert},
                    {"rule", outcome.rule},
                    {"reason", name(outcome.reason)},
                    {"ok", outcome.ok},
                    {"attempts", outcome.attempts},
                    {"at", time_text(outcome.at_real_ns)},
                    {"detail", text(outcome.detail)}});
  return {{"receiver", view.receiver},   {"target", view.target},
          {"delivered", view.delivered}, {"failed", view.failed},
          {"retried", view.retried},     {"dropped", view.dropped},
          {"waiting", view.waiting},     {"last", last}};
}

json to_json(const AlertsState& state) {
  json out = {{"alerts", json::array()},        {"silences", json::array()},
              {"rules", json::array()},         {"deliveries", json::array()},
              {"overflowed", state.overflowed}, {"history_note", text(state.history_note)}};
  for (const Alert& alert : state.alerts) out["alerts"].push_back(to_json(alert));
  for (const Silence& silence : state.silences) out["silences"].push_back(to_json(silence));
  for (const RuleView& rule : state.rules) out["rules"].push_back(to_json(rule));
  for (const DeliveryView& delivery : state.deliveries)
    out["deliveries"].push_back(to_json(delivery));
  return out;
}

json to_json(const HistoryPage& page) {
  json items = json::array();
  for (const HistoryItem& item : page.items) {
    json alert = json::parse(item.alert, nullptr, false);
    items.push_back({{"at", time_text(item.at_real_ns)},
                     {"alert", alert.is_discarded() ? json(nullptr) : std::move(alert)}});
  }
  return {{"items", items}, {"next", text(page.next)}};
}

json notice_json(const Notice& notice) {
  return {{"version", 1}, {"reason", name(notice.reason)}, {"alert", to_json(notice.alert)}};
}

}  // namespace peerscope
