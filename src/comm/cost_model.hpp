// Which algorithm is fastest: an alpha-beta model, small enough to evaluate on every call.
#pragma once

#include "comm/call.hpp"

namespace peerscope {

// All ranks must use the same figures: they choose separately and must choose alike.
struct CostModel {
  double hop_ns = 300;             // until a peer that is waiting sees a message
  double message_ns = 60;          // a rank's own work for each message sent or received
  double byte_ns = 0.03;           // to read or write one byte, mostly in the cache
  double turn_bytes = 256 * 1024;  // that a step moves before the next has its turn (plan.hpp)
  int cores = 64;                  // with more ranks than cores, their work adds up
  double switch_ns = 6'000;        // and who waits has lost its core to another
};

// ns until the last rank is done.
double estimate_ns(const CostModel& model, const Call& call, Algorithm algorithm, int ranks);

// The cheapest of supported_algorithms(call.kind); the call's own if it names one; direct where
// there is no choice.
Algorithm choose_algorithm(const CostModel& model, const Call& call, int ranks);

}  // namespace peerscope
