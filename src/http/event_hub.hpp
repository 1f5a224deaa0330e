// Server-sent events: what is published is written once and shared by all clients.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace peerscope::http {

using Frame = std::shared_ptr<const std::string>;  // "id: 3f-7\nevent: overview\ndata: {...}\n\n"

struct EventHubOptions {
  std::size_t max_events = 1024;  // that are kept for clients that come back
  std::size_t max_bytes = 8 << 20;
  std::size_t max_behind = 512;  // events that a client may be late before it is dropped
  std::size_t max_clients = 512;
  std::vector<std::string> default_topics;  // for who names none; empty: all
};

struct EventCounters {
  std::uint64_t published = 0;
  std::uint64_t clients = 0;  // now
  std::uint64_t dropped = 0;  // clients that were too slow
  std::uint64_t refused = 0;  // beyond max_clients
};

// `yes`: a new client gets the last one of this topic at once.
enum class Retain : bool { no, yes };

struct EventRequest {
  std::vector<std::string> topics;
  std::string last_id;  // "": a new client
};

class EventClient;

// Any thread may call anything. Lives longer than the server that it is given to.
class EventHub {
 public:
  explicit EventHub(EventHubOptions options = {});
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  // Never waits for a client.
  void publish(std::string_view topic, std::string_view data, Retain retain = Retain::no);
  // A comment to whom nothing else is sent, so that what lies between keeps the connection.
  void heartbeat();
  [[nodiscard]] EventCounters counters() const;

  // The server's side. `wake` is called once after each `waiting`, when there is something to take, on the publisher's
  // thread. Null: there are too many clients.
  std::shared_ptr<EventClient> subscribe(const EventRequest& request, std::function<void()> wake);
  enum class Taken { some, waiting, closed };
  // Frames of about `max_bytes`, appended to `out`.
  Taken take(EventClient& client, std::size_t max_bytes, std::vector<Frame>& out);
  void unsubscribe(const std::shared_ptr<EventClient>& client);

 private:
  struct Event {
    std::string topic;
    Frame frame;
  };
  struct Retained {
    std::uint64_t number;
    Frame frame;
  };
  using Woken = std::vector<std::shared_ptr<EventClient>>;

  [[nodiscard]] std::uint64_t oldest() const { return next_ - events_.size(); }
  [[nodiscard]] std::string id_of(std::uint64_t number) const;
  // The first event that the client has not got; 0: that is no longer known.
  [[nodiscard]] std::uint64_t resumed_at(const std::string& last_id) const;
  void keep(std::string_view topic, Frame frame, Retain retain);
  void greet(EventClient& client, const std::string& last_id) const;
  void drop_if_slow(EventClient& client);

  const EventHubOptions options_;
  const std::string epoch_;  // ids of another process are not ours
  const Frame heartbeat_;
  mutable std::mutex mutex_;  // guards all below, and the clients
  std::deque<Event> events_;  // numbers oldest() ... next_ - 1
  std::uint64_t next_ = 1;
  std::size_t bytes_ = 0;
  std::map<std::string, Retained, std::less<>> retained_;
  std::vector<std::shared_ptr<EventClient>> clients_;
  EventCounters counters_;
};

}  // namespace peerscope::http
