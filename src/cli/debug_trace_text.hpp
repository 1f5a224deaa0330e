// One collective as a tree: each rank with what was measured of it, then the messages.
#pragma once

#include <string>

#include "analyze/debug/collective_trace.hpp"
#include "cli/render.hpp"

namespace peerscope {

std::string collective_tree(const CollectiveTrace& trace, const std::string& communicator,
                            std::int64_t real_offset_ns, const Style& style);

}  // namespace peerscope
