// Rows of a Snapshot in one window, as the contract has them. Shared by resources and by the event stream.
#pragma once

#include <map>

#include <nlohmann/json.hpp>

#include "http/api/answer.hpp"
#include "http/api/api.hpp"

namespace peerscope::http {

nlohmann::json overview_json(const Served& served, Window window);
nlohmann::json point_json(const Point& point, const Moments& moments);
nlohmann::json findings_json(const Served& served);
nlohmann::json operation_rows(const Snapshot& snapshot, Window window);
nlohmann::json rank_rows(const Snapshot& snapshot, Window window);
nlohmann::json pair_rows(const Snapshot& snapshot, Window window);
nlohmann::json communicator_rows(const Snapshot& snapshot, Window window);
nlohmann::json operation_row(const OperationRow& row, Window window);
nlohmann::json event_json(const ServedEvent& event, const Moments& moments);
nlohmann::json in_flight_json(const Served& served);
nlohmann::json distribution_json(const Distribution& d);  // null: unknown
nlohmann::json devices_json(const Served& served, Window window);
std::string session_text(const Api& api);
std::string alerts_text(const Api& api);

// A finding's name while it holds: what it is about, in one word.
std::string finding_id(const Finding& finding);
// Which device each rank of a communicator is on, where operations say so.
using RankDevices = std::map<std::pair<std::uint64_t, std::uint16_t>, std::uint16_t>;
RankDevices rank_devices(const Snapshot& snapshot);
// Operations since start, as the processes count them.
std::uint64_t performed(const Snapshot& snapshot);
// Ranks of each device, as far as sends and collectives named both.
std::vector<int> ranks_on(const Snapshot& snapshot, std::uint16_t device);

}  // namespace peerscope::http
