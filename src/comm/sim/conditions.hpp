// What holds at one moment of a simulated run: healthy, but for what faults have done to it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/kinds.hpp"

namespace peerscope::sim {

struct LinkCondition {
  double share = 1.0;         // of its bandwidth that is there at all
  double foreign = 0.0;       // of its bandwidth that somebody else uses, each way
  double errors_per_s = 0.0;  // repeated transmissions that its ends count
  int lanes_down = 0;
};

// Operations of one rank that fail and are done again.
struct Failing {
  int rank = -1, peer = -1;  // peer -1: whichever
  double share = 0.0;        // of its sends
  double costs_ns = 0.0;     // until the failure is known
  OpStatus status = OpStatus::error;
};

enum class Disagreement : std::uint8_t { size, sequence };
struct Mismatch {
  int rank = 0;
  Disagreement about = Disagreement::size;
};

struct Lost {
  int rank = 0;
  bool inside = false;  // it enters the collective and ends there; else it never comes
};

struct ForcedAlgorithm {
  Kind kind = Kind::all_reduce;
  std::uint64_t bytes = 0;
  Algorithm algorithm = Algorithm::unknown;
};

struct Conditions {
  std::vector<double> late_ns;          // of each rank, beside its work before each collective
  std::vector<LinkCondition> links;     // of the topology
  std::vector<int> pcie_width;          // of each rank's device
  std::vector<double> kind_slowness;    // by kind: the transfer takes this many times as long
  std::vector<double> pool_used_share;  // of each rank's pool; negative: as usual
  std::vector<Failing> failing;
  std::optional<Mismatch> mismatch;
  std::optional<Lost> lost;
  std::optional<ForcedAlgorithm> forced;
};

}  // namespace peerscope::sim
