// The REST interface: resources over a session or a file, as openapi.json describes them.
//
// One file a group of resources, one line a resource in routes.cpp. A resource is a function of a request: it asks
// what was published last, or the store, and never the thread that reads the session.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/message.hpp"
#include "metrics/openmetrics.hpp"
#include "session/served/live_config.hpp"
#include "session/served/served.hpp"

namespace peerscope {
class AlertService;
}

namespace peerscope::http {

struct ServerState {
  double uptime_s = 0;
  std::uint64_t streams = 0, requests = 0, refused = 0;
};

struct Api {
  const Served* served = nullptr;
  LiveConfig* config = nullptr;
  AlertService* alerts = nullptr;           // null: there are none
  std::vector<std::string> benchmark_dirs;  // where results of `bench --json` lie
  std::function<ServerState()> server;
  std::function<ServerFigures()> figures;  // for metrics
  SeriesChoice* series = nullptr;
  bool token_needed = false;
  std::string version, host;
  mutable std::mutex heavy{};  // held by who reads all of the history for an answer
};

// `api` outlives it.
Handler make_handler(const Api& api);

// The contract itself.
std::string_view openapi_json();

}  // namespace peerscope::http
