// Operations that are open now, one group a collective: who is in it, who is not, who is in something
// else, and where the ranks disagree.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/snapshot.hpp"

namespace peerscope {

struct Entered {
  InFlight entry;
  ProcessState state = ProcessState::live;
  bool odd = false;  // called something else than most
};

struct Absent {
  int rank = 0;
  std::optional<InFlight> instead;  // what it is in, of the same communicator
};

struct InFlightGroup {
  Op op;                         // what most of its ranks say
  std::string communicator;      // "" none
  std::vector<Entered> entered;  // by rank
  std::vector<Absent> missing;   // of a collective
  std::string mismatch;          // a clause: "rank 2 called ..., the others ..."; "" they agree
  std::int64_t age_ns = 0;       // of the oldest
  // Of operations of this kind and size since start, host clock (the device's where that is unknown); kUnknown
  // without history.
  double normal_p50_ns = kUnknown, normal_p999_ns = kUnknown;
  std::optional<Finding> hang;  // what the detector says of it
  [[nodiscard]] std::vector<int> odd_ranks() const;
  [[nodiscard]] bool dead() const;  // one that is in it belongs to a process that died
};

// Those that hang first, then the oldest first.
std::vector<InFlightGroup> in_flight_groups(const Snapshot& snapshot);

}  // namespace peerscope
