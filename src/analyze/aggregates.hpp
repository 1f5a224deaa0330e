// What the aggregator knows at one moment: plain rows that every view prints.
//
// A time or a rate that nobody measured is kUnknown, never 0; `Distribution::known()` asks for it.
// Host times come from the host's clock around the call (of an asynchronous operation: the enqueue
// only), device times from the device's.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "analyze/duration_counts.hpp"
#include "analyze/history_point.hpp"
#include "model/collective.hpp"
#include "model/op.hpp"

namespace peerscope {

inline constexpr double kUnknown = -1.0;

// Sliding windows up to now. A window's start is rounded down to a time slot, so that 1 s covers up
// to 1.125 s, 10 s up to 12.5 s and 1 min up to 75 s; `span_ns` says what a figure really covers.
enum class Window : std::uint8_t { second, ten_seconds, minute, all };
inline constexpr std::size_t kWindows = 4;

constexpr const char* name(Window window) {
  constexpr const char* kNames[] = {"1s", "10s", "1m", "all"};
  return kNames[static_cast<int>(window)];
}

template <class T>
struct PerWindow : std::array<T, kWindows> {
  [[nodiscard]] const T& in(Window window) const {
    return (*this)[static_cast<std::size_t>(window)];
  }
  [[nodiscard]] T& in(Window window) { return (*this)[static_cast<std::size_t>(window)]; }
};

enum class Clock : std::uint8_t { none, host, device };

constexpr const char* name(Clock clock) {
  constexpr const char* kNames[] = {"unknown", "host", "device"};
  return kNames[static_cast<int>(clock)];
}

// Quantiles are off by at most 1/16 of their value (Histogram).
struct Distribution {
  std::uint64_t count = 0;  // weighted; 0: unknown
  double mean_ns = kUnknown, p50_ns = kUnknown, p90_ns = kUnknown, p99_ns = kUnknown,
         p999_ns = kUnknown;
  double min_ns = kUnknown, max_ns = kUnknown;
  // The median's confidence interval at 95 %, from the order of the values; kUnknown below 6 of them.
  double p50_low_ns = kUnknown, p50_high_ns = kUnknown;
  [[nodiscard]] bool known() const { return count > 0; }
};

struct Counts {
  std::uint64_t count = 0;  // weighted: a sampled operation counts as many as it stands for
  std::uint64_t bytes = 0;
  std::uint64_t errors = 0;
  [[nodiscard]] double success_rate() const {
    return count > 0 ? 1.0 - static_cast<double>(errors) / static_cast<double>(count) : kUnknown;
  }
};

struct Traffic : Counts {
  std::int64_t span_ns = 0;  // the time these figures cover
  double mean_host_ns = kUnknown, mean_device_ns = kUnknown;
  [[nodiscard]] double per_s(double amount) const {
    return span_ns > 0 ? amount * 1e9 / static_cast<double>(span_ns) : kUnknown;
  }
  [[nodiscard]] double operations_per_s() const { return per_s(static_cast<double>(count)); }
  [[nodiscard]] double bytes_per_s() const { return per_s(static_cast<double>(bytes)); }
};

struct Totals {
  PerWindow<Traffic> windows;
  std::uint64_t operations = 0, bytes = 0, errors = 0, collectives = 0;
  double success_rate = kUnknown;
  std::int64_t first_ns = kUnknownNs,
               last_ns = kUnknownNs;  // begin of the first, end of the last operation
  std::uint64_t overflowed =
      0;  // operations whose key found no cell of its own and went to the "other" cell
};

struct OperationStats : Traffic {
  Distribution host, device;
  // Of joined collectives, host clock: all there -> done (unknown if asynchronous); first -> last arrival.
  Distribution transfer, skew;
  // Of those whose device times are known of all ranks (model/collective.hpp, DeviceSplit): a sample.
  Distribution device_transfer, device_wait;
  // By the median time: the device's transfer where known, else its duration, else host unless
  // asynchronous, else kUnknown. nccl-tests' definitions.
  double algbw_bytes_per_s = kUnknown, busbw_bytes_per_s = kUnknown;
  Clock bandwidth_clock = Clock::none;
};

// One (kind, algorithm, size class) over all ranks. Ordered by total host time, the most expensive
// first.
struct OperationRow {
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  std::uint8_t size_class = 0;  // model/size_class.hpp
  bool other = false;           // holds whatever found no row of its own (Options::max_series)
  std::uint16_t ranks = 0;      // of the largest communicator seen
  std::int64_t first_error_ns = kUnknownNs, last_error_ns = kUnknownNs;
  // Of its operations' ends (0.125 s granularity).
  std::int64_t first_ns = kUnknownNs, last_ns = kUnknownNs;
  PerWindow<OperationStats> windows;
  // Median times of the past, by one clock throughout: of collectives without what ranks waited for each other, where
  // that is known (`pure`).
  Clock history_clock = Clock::none;
  bool pure = false;
  std::vector<HistoryPoint> history;       // of 0.125 s, at most the last 24 s
  std::vector<HistoryPoint> long_history;  // since start, in longer stretches
};

// The full key; since start.
struct CellRow : Counts {
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  std::uint8_t size_class = 0;
  bool other = false;  // holds whatever found no cell of its own (Options::max_cells)
  std::uint16_t device = kNoDevice, rank = kNoRank, peer = kNoPeer;
  std::uint64_t comm = 0;
  bool async = false;  // most of its operations returned before the device was done
  Distribution host, device_time;
  // Between two ranks only: as OperationRow's, at most the last 16 s.
  Clock history_clock = Clock::none;
  std::vector<HistoryPoint> history, long_history;
};

// All sizes and ranks of one operation and algorithm, since start. Transfer, skew and waiting are of joined collectives.
struct DurationRow {
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  bool other = false;           // holds whatever found no cell or no row of its own
  DurationCounts host, device;  // of each rank's operations
  DurationCounts transfer, skew;
  DurationCounts device_transfer, device_wait;
};

struct DeviceRow {
  std::uint16_t device = kNoDevice;
  PerWindow<Traffic> windows;
};

// Bytes from one rank to another. Where both sides recorded the transfer, the figures are of the
// side that recorded more.
struct PairRow {
  std::uint64_t comm = 0;
  std::uint16_t from = kNoRank, to = kNoRank;
  PerWindow<Traffic> windows;
  // Since start, of the pair's cell that moved most bytes: its median time, and its mean size over
  // that.
  Kind kind = Kind::other;
  std::uint8_t size_class = 0;
  std::uint64_t samples = 0;
  double p50_ns = kUnknown, bandwidth_bytes_per_s = kUnknown;
  Clock clock = Clock::none;
};

struct CommunicatorStats : Traffic {
  std::uint64_t complete = 0, incomplete = 0, mismatched = 0;  // collectives
  double skew_p50_ns = kUnknown, transfer_p50_ns = kUnknown;   // host clock
  // Of all ranks' time inside collectives, host clock: until the last rank had arrived, and after.
  double communication_ns = 0.0, waiting_ns = 0.0;
  [[nodiscard]] double waiting_share() const {
    return communication_ns > 0.0 ? waiting_ns / communication_ns : kUnknown;
  }
  [[nodiscard]] double transfer_share() const {
    return communication_ns > 0.0 ? 1.0 - waiting_ns / communication_ns : kUnknown;
  }
};

// A joined collective in which ranks disagreed.
struct Disagreement {
  std::int64_t at_ns = kUnknownNs;  // the last arrival; kUnknownNs: there was none
  std::uint64_t sequence = 0, bytes = 0, odd_bytes = 0;
  Kind kind = Kind::other, odd_kind = Kind::other;
  std::uint16_t odd_rank = kNoRank;  // kNoRank: no rank is alone against a majority
};

struct CommunicatorRow {
  std::uint64_t id = 0;  // 0: operations without a communicator
  std::uint16_t ranks = 0;
  Backend backend = Backend::unknown;
  Kind dominant = Kind::other;  // the kind of collective that its ranks spent most time in
  std::uint64_t dominant_collectives = 0;
  PerWindow<CommunicatorStats> windows;
  CommunicatorStats recent;  // see RankRow::recent
  Disagreement first_mismatch, last_mismatch;
};

struct RankStats : Traffic {
  std::uint64_t collectives = 0;  // joined and complete
  std::uint64_t last = 0;         // times it alone was the last to arrive
  std::uint64_t odd = 0;          // times it alone called another kind or size than the others
  std::uint64_t missing = 0;      // collectives given up in which it was not seen
  // Its arrival minus the median arrival of the other ranks, host clock; negative: early. From
  // `lateness_samples` collectives.
  std::uint64_t lateness_samples = 0;
  double lateness_p25_ns = 0.0, lateness_p50_ns = 0.0, lateness_p75_ns = 0.0, lateness_p99_ns = 0.0;
  double waited_for_ns = 0.0;     // what the others waited while it was the last
  double wait_ns = 0.0;           // what it waited for others
  double communication_ns = 0.0;  // begin -> end of its collectives
  double waiting_share = 0.0;     // waited_for_ns over all ranks' communication time
  [[nodiscard]] double last_share() const {
    return collectives > 0 ? static_cast<double>(last) / static_cast<double>(collectives) : 0.0;
  }
};

// Asynchronous operations whose host and device intervals are both known.
struct LaunchStats {
  std::uint64_t count = 0;
  double busy_device_ns = 0, idle_device_ns = 0;  // of the device: in them, and between two of them
  double launch_idle_ns = 0;   // of the idle time: while the host was enqueueing the next
  double enqueue_host_ns = 0;  // all enqueues together
};

struct RankRow {
  std::uint64_t comm = 0;
  std::uint16_t rank = kNoRank;
  PerWindow<RankStats> windows;
  // The shortest stretch up to the newest collective with at least 0.5 s and 30 collectives; at
  // most 10 s.
  RankStats recent;
  // Where its lateness rose to what it is in `recent` (0.125 s granularity); kUnknownNs if it is
  // not late.
  std::int64_t late_since_ns = kUnknownNs;
  PerWindow<LaunchStats> launches;
};

// Operations of one rank that ended with one status other than ok.
struct ErrorRow {
  OpStatus status = OpStatus::error;
  Kind kind = Kind::other;
  std::uint64_t comm = 0;
  std::uint16_t rank = kNoRank, peer = kNoPeer;
  std::int64_t first_ns = kUnknownNs, last_ns = kUnknownNs;
  std::uint64_t recovered = 0;  // times the next operation of the same key ended well
  PerWindow<Traffic> windows;   // count: of failed ones
};

struct Aggregates {
  std::int64_t now_ns = 0;
  Totals totals;
  std::vector<OperationRow> operations;
  std::vector<CellRow> cells;
  std::vector<DurationRow> durations;
  std::vector<DeviceRow> devices;
  std::vector<PairRow> pairs;
  std::vector<CommunicatorRow> communicators;
  std::vector<RankRow> ranks;  // by communicator, then rank
  std::vector<ErrorRow> errors;
};

}  // namespace peerscope
