// A Snapshot as text that can be read back: what a trace file keeps of its last analysis.
#pragma once

#include <string>
#include <string_view>

#include "analyze/snapshot.hpp"
#include "base/result.hpp"

namespace peerscope {

// All but the cells, which are many and which no report prints.
std::string to_summary(const Snapshot& snapshot);
Result<Snapshot> parse_summary(std::string_view text);

}  // namespace peerscope
