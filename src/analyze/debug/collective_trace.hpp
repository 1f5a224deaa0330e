// One collective through all its ranks: who came when, who waited, who sent what to whom. What records
// say is measured; what the algorithm's plan says is planned, and has no times.
//
// Times are CLOCK_MONOTONIC. Arrivals and departures are the host's around the call (of an asynchronous
// operation: around the enqueue); device spans are the device's, where they were measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/op.hpp"

namespace peerscope {

// A part of an operation, as the recorder marked it (level comprehensive). Host clock.
struct PhaseSpan {
  std::uint64_t comm = 0, sequence = 0;
  std::uint16_t rank = kNoRank;
  Kind kind = Kind::other;
  std::int64_t begin_ns = 0, duration_ns = 0;
  std::string name;
};

// When the host came to know that an asynchronous operation had left the device.
struct CompletionSpan {
  std::uint64_t comm = 0, sequence = 0;
  std::uint16_t rank = kNoRank;
  Kind kind = Kind::other;
  std::int64_t at_ns = 0;
};

struct DeviceSpan {
  std::int64_t begin_ns = 0, duration_ns = 0;
  std::uint16_t channel = 0, stream = 0;
};

// A message between two ranks that was recorded on one side or both. -1: that side was not recorded.
struct Transfer {
  int from = -1, to = -1;
  std::uint64_t bytes = 0, sequence = 0;
  std::int64_t send_begin_ns = kUnknownNs, send_end_ns = kUnknownNs;
  std::int64_t recv_begin_ns = kUnknownNs, recv_end_ns = kUnknownNs;
};

// A message as the algorithm's plan has it. Those of a round need nothing of each other.
struct PlannedMove {
  int round = 1, from = 0, to = 0;
  int block = -1;           // -1: the whole tensor
  std::int64_t bytes = -1;  // -1: unknown
  std::string phase;        // "send", "reduce", "gather"
};

struct RankTrace {
  Op op;                              // as recorded
  std::int64_t late_ns = 0;           // after the first
  std::int64_t host_ns = kUnknownNs;  // in the call
  std::int64_t wait_ns = kUnknownNs;  // of that, until the last had come; unknown if asynchronous
  std::int64_t complete_ns = kUnknownNs;
  bool odd = false;  // called something else than most
  std::vector<DeviceSpan> device;
  std::vector<PhaseSpan> phases;
};

struct CollectiveTrace {
  Op op;                                   // what its ranks have in common
  std::vector<RankTrace> ranks;            // in the order of arrival
  std::vector<int> missing;                // ranks without a record
  std::string mismatch;                    // a clause; "" they agree
  std::int64_t first_ns = 0, last_ns = 0;  // arrivals
  std::int64_t end_ns = kUnknownNs;        // the last departure; unknown if nobody's is known
  // By the device's clocks (model/collective.hpp, DeviceSplit); unknown unless all ranks have them.
  std::int64_t device_transfer_ns = kUnknownNs, device_wait_ns = kUnknownNs;
  std::vector<Transfer> transfers;  // recorded while it ran, on its communicator
  std::vector<PlannedMove> plan;
  std::string plan_unknown;  // why there is none; "" there is
  [[nodiscard]] std::int64_t skew_ns() const { return last_ns - first_ns; }
  // All there until done; unknown if asynchronous.
  [[nodiscard]] std::int64_t transfer_ns() const {
    return op.async || end_ns < last_ns ? kUnknownNs : end_ns - last_ns;
  }
};

// `ops`: all records of the collective (operations and device times of all ranks), and sends and
// receives of its communicator from around then. Without an operation of the collective: no ranks.
CollectiveTrace trace_collective(const Op& which, const std::vector<Op>& ops,
                                 const std::vector<PhaseSpan>& phases,
                                 const std::vector<CompletionSpan>& completions);

// Whether an operation belongs to the collective. NCCL counts each kind by itself.
bool is_part_of(const Op& op, const Op& which);
inline bool is_message(Kind kind) { return kind == Kind::send || kind == Kind::recv; }

}  // namespace peerscope
