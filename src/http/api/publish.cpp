#include "http/api/publish.hpp"

#include <functional>

#include "http/api/answer.hpp"
#include "http/api/rows.hpp"
#include "http/event_hub.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

constexpr std::int64_t kOverviewNs = 250'000'000;  // four times a second is what an eye follows
constexpr std::int64_t kRowsNs = 1'000'000'000;
constexpr std::size_t kMostEvents = 500;  // of one message; the rest is a resource's to tell

std::string events_text(const Served& served, const std::vector<ServedEvent>& events) {
  const Moments moments(served);
  json items = json::array();
  const std::size_t from = events.size() > kMostEvents ? events.size() - kMostEvents : 0;
  for (std::size_t i = from; i < events.size(); ++i)
    items.push_back(event_json(events[i], moments));
  return written({{"items", items}});
}

}  // namespace

void Publisher::say_if_changed(const char* topic, std::string text) {
  const std::size_t hash = std::hash<std::string>{}(text);
  const auto [at, is_new] = said_.emplace(topic, hash);
  if (!is_new && at->second == hash) return;
  at->second = hash;
  hub_.publish(topic, text, Retain::yes);
}

void Publisher::tell(const Served& served, const std::vector<ServedEvent>& events) {
  hub_.publish("events", events_text(served, events));
}

void Publisher::look(const Served& served) {
  const auto snapshot = served.snapshot();
  say_if_changed("findings", written({{"items", findings_json(served)}}));
  if (!snapshot->in_flight.empty() || said_.contains("in_flight"))
    say_if_changed("in_flight", written({{"items", in_flight_json(served)}}));
  if (alerts_changed_.exchange(false)) say_if_changed("alerts", alerts_text(api_));
  const auto now_ns = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  if (now_ns >= next_overview_ns_ || !served.live()) {
    next_overview_ns_ = now_ns + kOverviewNs;
    json overview = overview_json(served, served.is_file() ? Window::all : Window::ten_seconds);
    overview["overhead_budget"] = api_.config->now()->share("overhead.budget");
    say_if_changed("overview", written(overview));
  }
  if (now_ns < next_rows_ns_ && served.live()) return;
  next_rows_ns_ = now_ns + kRowsNs;
  const Window window = served.is_file() ? Window::all : Window::ten_seconds;
  say_if_changed("session", session_text(api_));
  say_if_changed("operation_stats", written({{"items", operation_rows(*snapshot, window)}}));
  say_if_changed("ranks", written({{"items", rank_rows(*snapshot, window)}}));
  say_if_changed("pairs", written({{"items", pair_rows(*snapshot, window)}}));
  say_if_changed("devices", written(devices_json(served, window)));
}

}  // namespace peerscope::http
