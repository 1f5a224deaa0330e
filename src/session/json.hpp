// A Snapshot as JSON: one shape for the command line, scripts and (later) the REST API.
//
// Times are in ns and say so in their names; unknown figures are null, never 0. A finding's
// `evidence` is an object whose keys end in their unit.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "analyze/machine.hpp"
#include "analyze/snapshot.hpp"

namespace peerscope {

nlohmann::json to_json(const Finding& finding);
nlohmann::json to_json(const InFlight& entry, const Snapshot& snapshot);
nlohmann::json to_json(const Snapshot& snapshot);
nlohmann::json to_json(const ProcessView& process, std::int64_t real_offset_ns);
nlohmann::json to_json(const XidEvent& xid);
nlohmann::json to_json(const MachineSummary& machine);  // machine_json.cpp

std::string time_text(std::int64_t real_ns);  // "2026-01-02T03:04:05.678Z"

}  // namespace peerscope
