// Who sends what to whom, as an algorithm's plan has it (src/comm): for the debugger's traces.
#pragma once

#include <vector>

#include "analyze/debug/collective_trace.hpp"
#include "base/result.hpp"

namespace peerscope {

// All messages of a collective, by round: a message's round is one more than that of the latest one
// that its sender has to have received first. Sizes as blocks are split (Blocks in comm/executor.hpp);
// unknown without an element type, and where blocks are uneven (gather). The error says why there is
// no plan: an algorithm that is not ours, a kind without one, or too many ranks.
Result<std::vector<PlannedMove>> plan_moves(const Op& op);

}  // namespace peerscope
