// A cell is one full key: what the hot path finds for an operation and adds to. Windows, pairs,
// ranks and devices are fed from cells when a time slot ends, so that an operation costs one
// look-up however many rows it appears in.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "analyze/duration_counts.hpp"
#include "analyze/flat_index.hpp"
#include "analyze/histogram.hpp"
#include "analyze/history.hpp"
#include "analyze/launch.hpp"
#include "analyze/tally.hpp"
#include "analyze/timeline.hpp"
#include "model/op.hpp"
#include "model/size_class.hpp"

namespace peerscope {

// (kind, algorithm, size class) in 16 bits. Sizes from 2^62 bytes share a class.
constexpr std::uint16_t series_key(Kind kind, Algorithm algorithm, std::uint64_t bytes) {
  const unsigned size = size_class(bytes);
  return static_cast<std::uint16_t>((static_cast<unsigned>(kind) & 31u) |
                                    (static_cast<unsigned>(algorithm) & 31u) << 5 |
                                    (size < 63 ? size : 63u) << 10);
}
constexpr Kind series_kind(std::uint16_t key) { return static_cast<Kind>(key & 31u); }
constexpr Algorithm series_algorithm(std::uint16_t key) {
  return static_cast<Algorithm>(key >> 5 & 31u);
}
constexpr std::uint8_t series_size_class(std::uint16_t key) {
  return static_cast<std::uint8_t>(key >> 10);
}

constexpr FlatKey cell_key(const Op& op) {
  const std::uint64_t series = series_key(op.kind, op.algorithm, op.bytes);
  return {std::uint64_t{op.device} | std::uint64_t{op.rank} << 16 | std::uint64_t{op.peer} << 32 |
              series << 48,
          op.comm};
}

// All operations of one (kind, algorithm, size class).
struct SeriesSlot {
  Tally tally;
  LazyHistogram host, device;
  LazyHistogram transfer, skew;                // of joined collectives, by the host's clock
  LazyHistogram device_transfer, device_wait;  // by the devices'

  void clear() {
    tally.clear();
    host.clear();
    device.clear();
    transfer.clear();
    skew.clear();
    device_transfer.clear();
    device_wait.clear();
  }
  void merge(const SeriesSlot& other) {
    tally.merge(other.tally);
    host.merge(other.host);
    device.merge(other.device);
    transfer.merge(other.transfer);
    skew.merge(other.skew);
    device_transfer.merge(other.device_transfer);
    device_wait.merge(other.device_wait);
  }
  [[nodiscard]] std::size_t memory_bytes() const {
    return host.memory_bytes() + device.memory_bytes() + transfer.memory_bytes() +
           skew.memory_bytes() + device_transfer.memory_bytes() + device_wait.memory_bytes();
  }
};

// What a series' history is of: the best that is known, and only one of them.
enum class HistorySource : std::uint8_t { none, host, device, device_transfer, transfer };

struct Series {
  std::uint16_t key = 0;
  bool other = false;
  std::uint16_t ranks = 0;
  std::int64_t first_error_ns = kUnknownNs, last_error_ns = kUnknownNs;
  std::int64_t first_slot = INT64_MAX, last_slot = INT64_MIN;
  SlidingWindow<SeriesSlot> window;
  // Since start: what slots hold is merged again and again, and would not rise steadily where it is rounded.
  DurationCounts transfer, skew, device_transfer, device_wait;
  HistorySource source = HistorySource::none;
  History history;

  // Moves the window; what leaves its first ring becomes history. series_history.cpp
  void advance(std::int64_t slot);
  // History, and what is still in the window's first ring.
  [[nodiscard]] std::vector<HistoryPoint> recent_history() const;
  // Looks for a better source in what is still in the first ring.
  void choose_source();
};

// Failed operations of one status, kind, communicator, rank and peer.
struct ErrorTrack {
  OpStatus status = OpStatus::error;
  Kind kind = Kind::other;
  std::uint64_t comm = 0;
  std::uint16_t rank = kNoRank, peer = kNoPeer;
  std::int64_t first_ns = kUnknownNs, last_ns = kUnknownNs;
  std::uint64_t recovered = 0;
  Track track;
};

struct Cell {
  // The hot part. Valid for times in [slot_begin_ns, +kSlotNs); `slot` is that time's place in the
  // series.
  std::uint64_t slot_begin_ns = kNoSlot;
  SeriesSlot* slot = nullptr;
  std::int64_t slot_number = 0;
  FlatKey key;
  Cell* next = nullptr;           // which followed it the last time: programs repeat themselves
  ErrorTrack* failing = nullptr;  // its last operation failed so
  Tally pending;                  // since the slot began, without what is held
  // Host times that wait to be added to both histograms at once.
  static constexpr std::uint32_t kHeld = 16;
  std::uint32_t held = 0;
  std::array<std::uint64_t, kHeld> held_ns;
  LazyHistogram host, device;

  bool other = false;
  bool async = false;  // it had an asynchronous operation: host times are enqueues
  Tally total;         // without pending
  // Where it is counted. Null: it has no row there, or there was no room for one.
  Series* series = nullptr;
  Track* device_track = nullptr;
  Track* pair = nullptr;
  Track* comm = nullptr;
  Track* rank = nullptr;
  LaunchTrack* launches = nullptr;
  std::unique_ptr<Timeline> timeline;  // of cells between two ranks

  static constexpr std::uint64_t kNoSlot = std::uint64_t{1} << 63;

  [[nodiscard]] std::uint16_t device_id() const { return static_cast<std::uint16_t>(key.low); }
  [[nodiscard]] std::uint16_t rank_id() const { return static_cast<std::uint16_t>(key.low >> 16); }
  [[nodiscard]] std::uint16_t peer_id() const { return static_cast<std::uint16_t>(key.low >> 32); }
  [[nodiscard]] std::uint16_t series_id() const {
    return static_cast<std::uint16_t>(key.low >> 48);
  }
};

}  // namespace peerscope
