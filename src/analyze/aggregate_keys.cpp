// The slow path of Aggregator: what happens once per key, and what it may cost.
#include <algorithm>

#include "analyze/aggregate_state.hpp"

namespace peerscope {

Cell& Aggregator::State::create_cell(const FlatKey& key, const Op& op) {
  if (cells_.rows.size() >= options_.max_cells) return other_cell();
  Cell& cell = cells_.create(key);
  cell.key = key;
  connect(cell, op);
  return cell;
}

// Its operations are in the totals, in an `other` series and in `overflowed`, and in no other row.
Cell& Aggregator::State::other_cell() {
  if (!other_cell_) {
    other_cell_ = std::make_unique<Cell>();
    if (!other_series_) other_series_ = std::make_unique<Series>();
    other_series_->other = other_cell_->other = true;
    other_cell_->series = other_series_.get();
    other_cell_->slot = &other_series_->window.rest();
  }
  return *other_cell_;
}

void Aggregator::State::connect(Cell& cell, const Op& op) {
  cell.series = &series_of(cell.series_id());
  cell.series->ranks = std::max(cell.series->ranks, op.ranks);
  cell.slot = &cell.series->window.rest();
  cell.device_track = device_of(op.device);
  cell.pair = pair_side(op.comm, direction(op.kind, op.rank, op.peer));
  if (CommTrack* comm = comm_of(op.comm)) {
    comm->ranks = std::max(comm->ranks, op.ranks);
    if (comm->backend == Backend::unknown) comm->backend = op.backend;
    cell.comm = &comm->track;
  }
  if (RankTrack* rank = rank_of(op.comm, op.rank)) {
    cell.rank = &rank->track;
    cell.launches = &rank->launches;
  }
  if (cell.pair != nullptr && timelines_ < 2 * options_.max_pairs) {
    ++timelines_;
    cell.timeline = std::make_unique<Timeline>();
  }
}

Series& Aggregator::State::series_of(std::uint16_t key) {
  if (Series* known = series_.find({key, 0})) return *known;
  if (series_.rows.size() >= options_.max_series) {
    if (!other_series_) other_series_ = std::make_unique<Series>();
    other_series_->other = true;
    return *other_series_;
  }
  Series& series = series_.create({key, 0});
  series.key = key;
  return series;
}

CommTrack* Aggregator::State::comm_of(std::uint64_t id) {
  if (CommTrack* known = comms_.find({id, 0})) return known;
  if (comms_.rows.size() >= options_.max_communicators) return nullptr;
  CommTrack& comm = comms_.create({id, 0});
  comm.id = id;
  return &comm;
}

RankTrack* Aggregator::State::rank_of(std::uint64_t comm, std::uint16_t rank) {
  if (rank == kNoRank) return nullptr;
  if (RankTrack* known = ranks_.find({rank, comm})) return known;
  if (ranks_.rows.size() >= options_.max_ranks) return nullptr;
  RankTrack& row = ranks_.create({rank, comm});
  row.comm = comm;
  row.rank = rank;
  return &row;
}

Track* Aggregator::State::pair_side(std::uint64_t comm, const Direction& direction) {
  if (!direction.known()) return nullptr;
  const FlatKey key{std::uint64_t{direction.from} | std::uint64_t{direction.to} << 16, comm};
  PairTrack* pair = pairs_.find(key);
  if (pair == nullptr) {
    if (pairs_.rows.size() >= options_.max_pairs) return nullptr;
    pair = &pairs_.create(key);
    pair->comm = comm;
    pair->from = direction.from;
    pair->to = direction.to;
  }
  return direction.by_sender ? &pair->sent : &pair->received;
}

Track* Aggregator::State::device_of(std::uint16_t device) {
  if (device == kNoDevice) return nullptr;
  if (DeviceTrack* known = devices_.find({device, 0})) return &known->track;
  if (devices_.rows.size() >= options_.max_devices) return nullptr;
  DeviceTrack& row = devices_.create({device, 0});
  row.device = device;
  return &row.track;
}

ErrorTrack* Aggregator::State::errors_of(const Op& op) {
  const FlatKey key{std::uint64_t{op.rank} | std::uint64_t{op.peer} << 16 |
                        static_cast<std::uint64_t>(op.kind) << 32 |
                        static_cast<std::uint64_t>(op.status) << 40,
                    op.comm};
  if (ErrorTrack* known = errors_.find(key)) return known;
  if (errors_.rows.size() >= options_.max_errors) return nullptr;
  ErrorTrack& row = errors_.create(key);
  row.status = op.status;
  row.kind = op.kind;
  row.comm = op.comm;
  row.rank = op.rank;
  row.peer = op.peer;
  return &row;
}

CommunicatorStudy* Aggregator::State::study_of(CommTrack& comm, std::uint16_t ranks) {
  if (comm.study) return comm.study.get();
  if (ranks == 0 || studied_ranks_ + ranks > options_.max_ranks) return nullptr;
  studied_ranks_ += ranks;
  comm.study = std::make_unique<CommunicatorStudy>(ranks);
  return comm.study.get();
}

std::size_t Aggregator::State::memory_bytes() const {
  std::size_t bytes = sizeof *this + cells_.memory_bytes() + series_.memory_bytes() +
                      comms_.memory_bytes() + ranks_.memory_bytes() + pairs_.memory_bytes() +
                      devices_.memory_bytes() + errors_.memory_bytes();
  const auto add_cell = [&bytes](const Cell& cell) {
    bytes += cell.host.memory_bytes() + cell.device.memory_bytes();
    if (cell.timeline) bytes += cell.timeline->memory_bytes();
  };
  const auto add_slot = [&bytes](const SeriesSlot& slot) { bytes += slot.memory_bytes(); };
  const auto add_series = [&](const Series& series) {
    bytes += series.history.memory_bytes();
    for (std::size_t ring = 0; ring < kWindows; ++ring) series.window.for_ring(ring, add_slot);
  };
  for (const Cell& cell : cells_.rows) add_cell(cell);
  for (const Series& series : series_.rows) add_series(series);
  if (other_cell_) {
    add_cell(*other_cell_);
    bytes += sizeof(Cell);
  }
  if (other_series_) {
    add_series(*other_series_);
    bytes += sizeof(Series);
  }
  for (const CommTrack& comm : comms_.rows) bytes += comm.study ? comm.study->memory_bytes() : 0;
  return bytes;
}

std::size_t Aggregator::memory_bound_bytes(const Options& options) {
  using SeriesWindow = SlidingWindow<SeriesSlot>;
  constexpr std::size_t kHistograms = 6 * (SeriesWindow::kFine + 2 * SeriesWindow::kCoarse + 1);
  const auto rows = [](std::size_t count, std::size_t bytes) {
    return count * bytes + FlatIndex::memory_bound_bytes(count);
  };
  return sizeof(State) + rows(options.max_cells + 1, sizeof(Cell) + 2 * sizeof(Histogram)) +
         rows(options.max_series + 1, sizeof(Series) + kHistograms * sizeof(Histogram) +
                                          History::memory_bound_bytes(192, 64)) +
         rows(options.max_pairs, sizeof(PairTrack)) +
         2 * options.max_pairs * Timeline::memory_bound_bytes() +
         rows(options.max_errors, sizeof(ErrorTrack)) +
         rows(options.max_devices, sizeof(DeviceTrack)) +
         rows(options.max_communicators, sizeof(CommTrack) + sizeof(CommunicatorStudy)) +
         rows(options.max_ranks, sizeof(RankTrack)) +
         CommunicatorStudy::memory_bound_bytes(options.max_ranks);
}

}  // namespace peerscope
