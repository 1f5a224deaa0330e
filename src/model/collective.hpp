// One collective over all its ranks, joined by (communicator, sequence).
#pragma once

#include <cstdint>
#include <span>

#include "model/op.hpp"

namespace peerscope {

struct Arrival {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  std::uint16_t rank = 0;
  OpStatus status = OpStatus::ok;
};

// `arrivals` points into the joiner and is valid during the call that delivers the Collective only.
struct Collective {
  std::uint64_t comm = 0;
  std::uint64_t sequence = 0;
  std::uint64_t bytes = 0;
  std::int64_t first_ns = 0;  // the first rank's arrival
  std::int64_t last_ns = 0;   // the last rank's arrival
  std::int64_t end_ns = 0;    // the last rank's departure
  std::uint32_t weight = 1;
  std::uint16_t ranks = 0;  // of the communicator
  std::uint16_t first_rank = kNoRank;
  std::uint16_t last_rank = kNoRank;
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  Backend backend = Backend::unknown;
  bool complete = false;  // all ranks are in `arrivals`
  bool mismatch = false;  // ranks disagree about kind or bytes
  // Of a mismatch in which one rank is alone against all others that came (at least two): what it says.
  std::uint16_t odd_rank = kNoRank;
  Kind odd_kind = Kind::other;
  std::uint64_t odd_bytes = 0;
  bool async = false;     // the ranks enqueue it: a departure is the enqueue's end
  bool device = false;    // arrivals and departures are the kernels', by the devices' clocks
  std::span<const Arrival> arrivals;

  // What ranks spent waiting for the last to arrive, and what remains once all are there. By device times: see
  // split_by_device.
  [[nodiscard]] std::int64_t skew_ns() const { return last_ns - first_ns; }
  [[nodiscard]] std::int64_t transfer_ns() const { return end_ns > last_ns ? end_ns - last_ns : 0; }
};

// A collective without a root is over on all ranks at about the same time, and who came last did not wait: of the ranks'
// durations on their devices, the shortest is the transfer, and what the longest has more is its wait. No clock of one
// device is compared with another's.
struct DeviceSplit {
  std::int64_t transfer_ns = 0, wait_ns = 0;
};
inline DeviceSplit split_by_device(const Collective& collective) {
  std::int64_t least = INT64_MAX, most = 0;
  for (const Arrival& a : collective.arrivals) {
    least = a.end_ns - a.begin_ns < least ? a.end_ns - a.begin_ns : least;
    most = a.end_ns - a.begin_ns > most ? a.end_ns - a.begin_ns : most;
  }
  return {least, most - least};
}

}  // namespace peerscope
