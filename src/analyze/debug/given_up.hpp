// Collectives at which a communicator ended: ranks waited until a time-out, lost a peer or disagreed,
// and nothing succeeded there since. What a hang leaves behind where the backend gives up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/debug/last_seen.hpp"

namespace peerscope {

struct GivenUp {
  Op op;                     // what most of those ranks called; its status is the worst of theirs
  std::vector<Op> ranks;     // each rank's, that ended with an error
  std::vector<int> missing;  // ranks that did not get so far, as far as is known
  std::string mismatch;      // a clause; "" where their calls agree
  std::vector<int> odd;      // ranks that called something else than most; all, if there is no most
};

std::vector<GivenUp> given_up(const LastSeen& last);

}  // namespace peerscope
