// What the event stream says: the same JSON as the resources, when it has changed.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "http/api/api.hpp"

namespace peerscope::http {

class EventHub;

// Used by the thread that follows the session.
class Publisher {
 public:
  Publisher(const Api& api, EventHub& hub) : api_(api), hub_(hub) {}

  void look(const Served& served);  // after each snapshot
  void tell(const Served& served, const std::vector<ServedEvent>& events);
  void alerts_changed() { alerts_changed_ = true; }  // any thread

 private:
  void say_if_changed(const char* topic, std::string text);

  const Api& api_;
  EventHub& hub_;
  std::map<std::string, std::size_t> said_;  // topic: hash of what was said last
  std::int64_t next_overview_ns_ = 0, next_rows_ns_ = 0;
  std::atomic<bool> alerts_changed_{true};
};

}  // namespace peerscope::http
