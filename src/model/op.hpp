// One operation as one rank saw it: the noun that every source produces and every view consumes.
#pragma once

#include <cstdint>

#include "model/kinds.hpp"

namespace peerscope {

inline constexpr std::int64_t kUnknownNs =
    -1;  // a time that nobody measured; shown as "–", never as 0
inline constexpr std::uint16_t kNoPeer = PSCOPE_NO_PEER;
inline constexpr std::uint16_t kNoDevice = PSCOPE_NO_DEVICE;
inline constexpr std::uint16_t kNoRank = 0xFFFF;

// Times are on the host's CLOCK_MONOTONIC. Two intervals: on the host (a synchronous call, or the
// enqueue of an asynchronous one) and on the device. An operation and its device times may arrive
// as two Ops with equal identity (comm, kind, sequence, rank): the second has `host_duration_ns`
// unknown and `device_only` set, and is not counted again.
struct Op {
  std::int64_t begin_ns = 0;
  std::int64_t host_duration_ns = kUnknownNs;
  std::int64_t device_begin_ns = kUnknownNs;
  std::int64_t device_duration_ns = kUnknownNs;
  std::uint64_t bytes = 0;
  std::uint64_t sequence = 0;
  std::uint64_t comm = 0;     // the communicator's id, equal on all ranks; 0: none
  std::uint32_t process = 0;  // index of the process within the collector
  std::uint32_t thread = 0;   // ring within the process
  std::uint32_t weight = 1;   // stands for this many (sampled levels)
  std::uint16_t rank = kNoRank;
  std::uint16_t ranks = 0;       // of the communicator; 0: unknown
  std::uint16_t peer = kNoPeer;  // the other rank, or the root
  std::uint16_t device = kNoDevice;
  std::uint16_t stream = 0;
  std::uint16_t channel = 0;
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  Protocol protocol = Protocol::unknown;
  Dtype dtype = Dtype::unknown;
  OpStatus status = OpStatus::ok;
  Backend backend = Backend::unknown;
  bool async = false;        // the host interval is the enqueue only
  bool device_only = false;  // brings device times of an operation counted elsewhere
};

// An operation that has begun and not ended.
struct InFlight {
  Op op;  // host_duration_ns is unknown
  std::uint32_t pid = 0, tid = 0;
  std::int64_t age_ns =
      0;                  // at the time of asking; for a dead process, until its last sign of life
  bool enqueued = false;  // asynchronous: the host is done, the device is not
};

}  // namespace peerscope
