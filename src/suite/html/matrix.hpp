// Sections of the report beside the sweeps: matrices between ranks, and overlap.
#pragma once

#include <span>
#include <string>

#include "suite/overlap.hpp"
#include "suite/p2p.hpp"

namespace peerscope {

// "" if there is nothing to show.
std::string p2p_section(std::span<const P2pResult> results);
std::string overlap_section(std::span<const OverlapRow> rows);

}  // namespace peerscope
