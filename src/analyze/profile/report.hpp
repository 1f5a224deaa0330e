// What a profile says: plain rows, for text, JSON and HTML. A figure that nobody measured is kUnknown (-1), an id that does
// not apply is its "none" value; every time says in its name which clock it is of.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "analyze/aggregates.hpp"
#include "analyze/machine.hpp"
#include "analyze/snapshot.hpp"
#include "model/size_class.hpp"

namespace peerscope {

// One operation x algorithm x size class; of a pair, if `from` and `to` are set.
struct ProfileRow : Counts {
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  std::uint8_t size_class = 0;
  bool other = false;  // holds whatever found no row of its own
  bool async = false;  // the host's times are the enqueue's
  std::uint16_t ranks = 0;
  std::uint64_t comm = 0;                      // of a pair
  std::uint16_t from = kNoRank, to = kNoRank;  // of a pair
  bool by_sender = true;                       // which end recorded it
  Distribution host, device;                   // of single ranks' operations
  Distribution transfer, skew;                 // of joined collectives, by the host's clock
  Distribution device_transfer, device_wait;   // by the devices' (model/collective.hpp)
  double algbw_bytes_per_s = kUnknown, busbw_bytes_per_s = kUnknown;  // nccl-tests' definitions
  Clock bandwidth_clock = Clock::none;
};

// All ranks' time in collectives: until the last had come, and after.
struct WaitSplit {
  double communication_ns = 0, waiting_ns = 0;  // host clock, complete collectives
  double device_transfer_ns = 0, device_wait_ns = 0;
  std::uint64_t device_collectives = 0;
  [[nodiscard]] double waiting_share() const {
    return communication_ns > 0 ? waiting_ns / communication_ns : kUnknown;
  }
  [[nodiscard]] double device_waiting_share() const {
    const double sum = device_transfer_ns + device_wait_ns;
    return sum > 0 ? device_wait_ns / sum : kUnknown;
  }
};

// How much of the time in communication something else went on.
struct OverlapStats {
  Clock clock = Clock::none;
  double communication_ns = 0;   // of the union, summed over devices (threads)
  double exposed_ns = kUnknown;  // of it, while nothing computed
  double concurrent_ns = 0;      // of it, with at least two communications at once
  double compute_ns = 0;
  std::string why_unknown;  // why `exposed_ns` is
  std::uint64_t late = 0;   // intervals that came too late to be put in order
  [[nodiscard]] double exposed_share() const {
    return exposed_ns >= 0 && communication_ns > 0 ? exposed_ns / communication_ns : kUnknown;
  }
  [[nodiscard]] double concurrent_share() const {
    return communication_ns > 0 ? concurrent_ns / communication_ns : kUnknown;
  }
};

struct ProfilePair : Counts {
  std::uint64_t comm = 0;
  std::uint16_t from = kNoRank, to = kNoRank;
};

struct SizeBin : Counts {
  std::uint8_t size_class = 0;
};

// An iteration: what the stream of operations of one thread repeats.
struct Periodicity {
  bool found = false;
  std::uint64_t period_ops = 0;
  double period_ns = kUnknown,
         period_mad_ns = kUnknown;  // median, and how far single ones are from it
  double confidence = 0;            // 0..1
  std::uint64_t iterations = 0;     // in the operations looked at
  std::uint64_t operations = 0;     // looked at: the last ones of the thread
  std::uint32_t process = 0;
  const char* basis = "";  // "sequence of operations", "gaps between operations"
  std::string why_not;     // a sentence, if none was found
};

struct PhaseStretch {
  std::int64_t begin_ns = 0, end_ns = 0;
  std::size_t kind = 0;  // index into PhaseReport::kinds
};
// Stretches of the same mix of sizes and rate.
struct PhaseKind {
  std::string label;  // "prefill-like", "decode-like", "idle", "phase 1"
  std::uint64_t stretches = 0, operations = 0, bytes = 0;
  std::int64_t span_ns = 0;
  [[nodiscard]] double per_s(double amount) const {
    return span_ns > 0 ? amount * 1e9 / static_cast<double>(span_ns) : kUnknown;
  }
};
struct TimeSlice {
  std::int64_t begin_ns = 0;
  std::uint64_t operations = 0, bytes = 0, errors = 0;
};
struct PhaseReport {
  std::vector<PhaseKind> kinds;
  std::vector<PhaseStretch> stretches;  // in order of time, without gaps
  std::vector<TimeSlice> slices;  // what they were found in; equal widths, empty ones left out
  std::int64_t slice_ns = 0;
};

struct RankCount : Counts {
  std::uint64_t comm = 0;
  std::uint16_t rank = kNoRank;
  double wait_share = kUnknown;        // of its own time in collectives, host clock
  double waited_for_share = kUnknown;  // of all ranks'
};

struct ProfileReport {
  std::string title;           // "decode", "2 s to 5 s", "the whole run"
  std::string source;          // file or session
  std::int64_t origin_ns = 0;  // the first operation that is known of: times are counted from it
  std::int64_t from_ns = 0, to_ns = 0;
  std::int64_t covered_ns = 0;  // time in which the session was open (anywhere), or the window
  std::uint64_t spans = 0;      // of the session; 0: a window
  std::uint64_t operations = 0, bytes = 0, errors = 0, collectives = 0, incomplete = 0,
                mismatched = 0;
  std::vector<ProfileRow> rows;   // by total time, the most expensive first
  std::vector<ProfileRow> pairs;  // by bytes
  std::vector<ProfilePair> matrix;
  std::vector<SizeBin> sizes;
  std::vector<RankCount> ranks;
  WaitSplit split;
  OverlapStats overlap;
  Periodicity period;
  PhaseReport phases;
  std::vector<CallSiteView> call_sites;
  std::vector<MetricView> pools;                  // metrics named pool.*
  std::shared_ptr<const MachineSummary> machine;  // links over the whole run; null: unknown
  std::vector<CommView> communicators;            // names
  std::vector<std::string> notes;                 // what the figures do not say, in sentences
  std::vector<std::string> other_sessions;        // names that can be asked for
};

}  // namespace peerscope
