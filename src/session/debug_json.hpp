// What the debugger knows, as JSON. Times in ns and as text of the system's clock; unknown is null.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "analyze/debug/collective_trace.hpp"
#include "analyze/debug/given_up.hpp"
#include "analyze/debug/in_flight.hpp"
#include "session/debug_watch.hpp"

namespace peerscope {

nlohmann::json to_json(const DebugEvent& event, std::int64_t real_offset_ns);
nlohmann::json errors_json(const ErrorTracker& errors, const Snapshot& snapshot);
nlohmann::json to_json(const InFlightGroup& group, const Snapshot& snapshot);
nlohmann::json to_json(const GivenUp& end, const Snapshot& snapshot);
nlohmann::json to_json(const CollectiveTrace& trace, const std::string& communicator,
                       std::int64_t real_offset_ns);

}  // namespace peerscope
