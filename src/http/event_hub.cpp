#include "http/event_hub.hpp"

#include <algorithm>
#include <charconv>
#include <random>

#include <fmt/format.h>

namespace peerscope::http {

class EventClient {
 public:
  std::vector<std::string> topics;  // empty: all
  std::function<void()> wake;
  std::deque<Frame> greeting;
  std::uint64_t cursor = 0;
  bool waiting = false, beat = false, closed = false;

  [[nodiscard]] bool wants(std::string_view topic) const {
    return topics.empty() || std::find(topics.begin(), topics.end(), topic) != topics.end();
  }
};

namespace {

constexpr int kRetryMs = 2000;  // after which a browser connects again

std::string random_epoch() {
  std::random_device random;
  return fmt::format("{:08x}", random());
}

Frame frame_of(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

// A line break would end the field, and the next line could be a field of its own.
std::string topic_of(std::string_view text) {
  std::string topic(text);
  std::replace_if(
      topic.begin(), topic.end(), [](char c) { return static_cast<unsigned char>(c) <= 0x20; },
      '_');
  return topic;
}

std::string event_text(const std::string& id, const std::string& topic, std::string_view data) {
  std::string text = fmt::format("id: {}\nevent: {}\n", id, topic);
  text.reserve(text.size() + data.size() + 16);
  for (;;) {
    const std::size_t end = std::min(data.find_first_of("\r\n"), data.size());
    text.append("data: ").append(data.substr(0, end)).append("\n");
    if (end == data.size()) break;
    data.remove_prefix(end + 1);
  }
  return text.append("\n");
}

}  // namespace

EventHub::EventHub(EventHubOptions options)
    : options_(std::move(options)), epoch_(random_epoch()), heartbeat_(frame_of(":\n\n")) {}

std::string EventHub::id_of(std::uint64_t number) const {
  return fmt::format("{}-{}", epoch_, number);
}

void EventHub::keep(std::string_view topic, Frame frame, Retain retain) {
  if (retain == Retain::yes) retained_.insert_or_assign(std::string(topic), Retained{next_, frame});
  bytes_ += frame->size();
  events_.push_back({std::string(topic), std::move(frame)});
  ++next_;
  while (events_.size() > options_.max_events ||
         (bytes_ > options_.max_bytes && events_.size() > 1)) {
    bytes_ -= events_.front().frame->size();
    events_.pop_front();
  }
}

void EventHub::drop_if_slow(EventClient& client) {
  const bool late = next_ - client.cursor > options_.max_behind || client.cursor < oldest();
  if (!late || client.closed) return;
  client.closed = true;
  ++counters_.dropped;
}

void EventHub::publish(std::string_view name, std::string_view data, Retain retain) {
  const std::string topic = topic_of(name);
  Woken woken;
  {
    const std::lock_guard lock(mutex_);
    keep(topic, frame_of(event_text(id_of(next_), topic, data)), retain);
    ++counters_.published;
    for (const auto& client : clients_) {
      if (!client->wants(topic)) {
        if (client->cursor + 1 == next_) client->cursor = next_;  // nothing else is left for it
      } else if (client->waiting) {
        client->waiting = false;
        woken.push_back(client);
      } else {
        drop_if_slow(*client);
      }
    }
  }
  for (const auto& client : woken) client->wake();
}

void EventHub::heartbeat() {
  Woken woken;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& client : clients_) {
      if (!client->waiting) continue;
      client->waiting = false;
      client->beat = true;
      woken.push_back(client);
    }
  }
  for (const auto& client : woken) client->wake();
}

EventCounters EventHub::counters() const {
  const std::lock_guard lock(mutex_);
  EventCounters counters = counters_;
  counters.clients = clients_.size();
  return counters;
}

std::uint64_t EventHub::resumed_at(const std::string& last_id) const {
  if (!last_id.starts_with(epoch_ + "-")) return 0;
  const char* const begin = last_id.data() + epoch_.size() + 1;
  const char* const end = last_id.data() + last_id.size();
  std::uint64_t last = 0;
  const auto [stop, error] = std::from_chars(begin, end, last);
  if (error != std::errc() || stop != end || last >= next_ || last + 1 < oldest()) return 0;
  // Who would be dropped for being late at once is told to read anew.
  if (next_ - (last + 1) > options_.max_behind) return 0;
  return last + 1;
}

void EventHub::greet(EventClient& client, const std::string& last_id) const {
  client.greeting.push_back(frame_of(fmt::format("retry: {}\n\n", kRetryMs)));
  client.cursor = last_id.empty() ? 0 : resumed_at(last_id);
  if (client.cursor != 0) return;
  client.cursor = next_;
  const std::string now = fmt::format("id: {}\n", id_of(next_ - 1));
  if (!last_id.empty())
    client.greeting.push_back(frame_of(now + "event: reset\ndata: {\"reason\":\"too old\"}\n\n"));
  std::map<std::uint64_t, Frame> in_order;
  for (const auto& [topic, retained] : retained_)
    if (client.wants(topic)) in_order.emplace(retained.number, retained.frame);
  for (auto& [number, frame] : in_order) client.greeting.push_back(std::move(frame));
  client.greeting.push_back(
      frame_of(now + "\n"));  // no event; who comes back has seen all until now
}

std::shared_ptr<EventClient> EventHub::subscribe(const EventRequest& request,
                                                 std::function<void()> wake) {
  auto client = std::make_shared<EventClient>();
  client->topics = request.topics.empty() ? options_.default_topics : request.topics;
  client->wake = std::move(wake);
  const std::lock_guard lock(mutex_);
  if (clients_.size() >= options_.max_clients) {
    ++counters_.refused;
    return nullptr;
  }
  greet(*client, request.last_id);
  clients_.push_back(client);
  return client;
}

EventHub::Taken EventHub::take(EventClient& client, std::size_t max_bytes,
                               std::vector<Frame>& out) {
  const std::lock_guard lock(mutex_);
  drop_if_slow(client);
  if (client.closed) return Taken::closed;
  const std::size_t before = out.size();
  std::size_t bytes = 0;
  for (; !client.greeting.empty() && bytes < max_bytes; client.greeting.pop_front()) {
    bytes += client.greeting.front()->size();
    out.push_back(std::move(client.greeting.front()));
  }
  for (; client.cursor < next_ && bytes < max_bytes; ++client.cursor) {
    const Event& event = events_[client.cursor - oldest()];
    if (!client.wants(event.topic)) continue;
    bytes += event.frame->size();
    out.push_back(event.frame);
  }
  if (out.size() == before && client.beat) out.push_back(heartbeat_);
  client.beat = false;
  client.waiting = out.size() == before;
  return client.waiting ? Taken::waiting : Taken::some;
}

void EventHub::unsubscribe(const std::shared_ptr<EventClient>& client) {
  const std::lock_guard lock(mutex_);
  client->closed = true;
  client->waiting = false;
  std::erase(clients_, client);
}

}  // namespace peerscope::http
