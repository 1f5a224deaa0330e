// The inside of Aggregator: cells for the hot path, and what they feed.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "analyze/aggregate.hpp"
#include "analyze/cell.hpp"
#include "analyze/communicator.hpp"
#include "analyze/direction.hpp"

namespace peerscope {

struct DeviceTrack {
  std::uint16_t device = kNoDevice;
  Track track;
};

struct PairTrack {
  std::uint64_t comm = 0;
  std::uint16_t from = kNoRank, to = kNoRank;
  Track sent, received;  // as the sender and as the receiver recorded it
};

struct RankTrack {
  std::uint64_t comm = 0;
  std::uint16_t rank = kNoRank;
  Track track;
  LaunchTrack launches;
};

struct CommTrack {
  std::uint64_t id = 0;
  std::uint16_t ranks = 0;
  Backend backend = Backend::unknown;
  Track track;
  std::unique_ptr<CommunicatorStudy> study;  // from the first collective on
};

// Things that are found by key, created once, and never move.
template <class T>
struct Table {
  FlatIndex index;
  std::deque<T> rows;

  T* find(const FlatKey& key) {
    const std::uint32_t at = index.find(key);
    return at == FlatIndex::kAbsent ? nullptr : &rows[at];
  }
  T& create(const FlatKey& key) {
    index.insert(key, static_cast<std::uint32_t>(rows.size()));
    return rows.emplace_back();
  }
  [[nodiscard]] std::size_t memory_bytes() const {
    return index.memory_bytes() + rows.size() * sizeof(T);
  }
};

class Aggregator::State {
 public:
  explicit State(const Options& options) : options_(options) {}

  void add(std::span<const Op> ops);
  void add(const Collective& collective);
  void advance(std::int64_t now_ns);
  std::shared_ptr<const Aggregates> snapshot(std::int64_t now_ns);
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  // aggregate.cpp: per operation
  Cell& cell_of(const Op& op);
  struct Span {
    std::uint64_t first_ns;
    std::int64_t last_ns;
  };
  void record(Cell& cell, const Op& op, Span& span);
  static void release_held(Cell& cell);
  void add_device_times(const Collective& collective);
  void note_error(Cell& cell, const Op& op, std::int64_t end_ns);
  static void note_device_time(Cell& cell, const Op& op);
  void move(Cell& cell, std::uint64_t end_ns);
  void flush(Cell& cell);
  void flush_all();

  // aggregate_keys.cpp: per key
  Cell& create_cell(const FlatKey& key, const Op& op);
  Cell& other_cell();
  void connect(Cell& cell, const Op& op);
  Series& series_of(std::uint16_t key);
  CommTrack* comm_of(std::uint64_t id);
  RankTrack* rank_of(std::uint64_t comm, std::uint16_t rank);
  Track* pair_side(std::uint64_t comm, const Direction& direction);
  Track* device_of(std::uint16_t device);
  ErrorTrack* errors_of(const Op& op);
  CommunicatorStudy* study_of(CommTrack& comm, std::uint16_t ranks);

  // aggregate_rows.cpp: per snapshot
  void fill_totals(Aggregates& out);
  void fill_operations(Aggregates& out);
  void fill_cells(Aggregates& out);
  void fill_durations(Aggregates& out);
  void fill_devices(Aggregates& out);
  void fill_pairs(Aggregates& out);
  void fill_communicators(Aggregates& out);
  void fill_studied(CommunicatorRow& row, CommunicatorStudy& study, Aggregates& out);
  void fill_ranks(Aggregates& out);
  void fill_launches(PerWindow<LaunchStats>& windows, LaunchTrack& launches) const;
  void fill_errors(Aggregates& out);
  void fill_traffic(PerWindow<Traffic>& windows, Track& track) const;
  [[nodiscard]] std::int64_t span_ns(std::size_t window) const;

  Options options_;
  std::int64_t now_ns_ = INT64_MIN;
  std::int64_t now_slot_ = INT64_MIN;
  std::uint64_t first_ns_ =
      UINT64_MAX;  // unsigned: a time before 0 can only be wrong and never wins
  std::int64_t last_ns_ = INT64_MIN;
  std::uint64_t overflowed_ = 0, collectives_ = 0;

  Cell* last_cell_ = nullptr;
  Table<Cell> cells_;
  std::unique_ptr<Cell> other_cell_;
  Table<Series> series_;
  std::unique_ptr<Series> other_series_;
  Table<CommTrack> comms_;
  Table<RankTrack> ranks_;
  Table<PairTrack> pairs_;
  Table<DeviceTrack> devices_;
  Table<ErrorTrack> errors_;
  std::size_t timelines_ = 0;
  Track total_;
  std::size_t studied_ranks_ = 0;
};

}  // namespace peerscope
