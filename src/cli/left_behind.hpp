// What `run` leaves behind beside its report, as the configuration has it.
#pragma once

#include <string>

#include "analyze/snapshot.hpp"
#include "config/config.hpp"

namespace peerscope {

// profile.dir/SESSION-profile.json: the report. debug.dir/SESSION-debug.json: critical findings,
// operations in flight and events, if there are any. False, and a sentence on stderr for each file
// that cannot be written.
bool leave_reports(const Config& config, const std::string& session, const Snapshot& snapshot);

}  // namespace peerscope
