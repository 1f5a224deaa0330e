#include "analyze/aggregate.hpp"

#include <algorithm>

#include "analyze/aggregate_state.hpp"

namespace peerscope {

Aggregator::Aggregator(const Options& options) : state_(std::make_unique<State>(options)) {}
Aggregator::~Aggregator() = default;
Aggregator::Aggregator(Aggregator&&) noexcept = default;
Aggregator& Aggregator::operator=(Aggregator&&) noexcept = default;

void Aggregator::add(std::span<const Op> ops) { state_->add(ops); }
void Aggregator::add(const Collective& collective) { state_->add(collective); }
void Aggregator::advance(std::int64_t now_ns) { state_->advance(now_ns); }
std::shared_ptr<const Aggregates> Aggregator::snapshot(std::int64_t now_ns) {
  return state_->snapshot(now_ns);
}
std::size_t Aggregator::memory_bytes() const { return state_->memory_bytes(); }

namespace {

// Times come from outside and may be anything: arithmetic on them must not overflow.
constexpr std::uint64_t bits(std::int64_t ns) { return static_cast<std::uint64_t>(ns); }
constexpr std::int64_t sum(std::int64_t begin_ns, std::int64_t duration_ns) {
  return static_cast<std::int64_t>(bits(begin_ns) + bits(std::max<std::int64_t>(0, duration_ns)));
}

constexpr std::int64_t end_of(const Op& op) {
  return op.device_only && op.device_begin_ns >= 0 ? sum(op.device_begin_ns, op.device_duration_ns)
                                                   : sum(op.begin_ns, op.host_duration_ns);
}

}  // namespace

void Aggregator::State::add(std::span<const Op> ops) {
  if (ops.empty()) return;
  if (now_slot_ == INT64_MIN) advance(end_of(ops.front()));
  for (const Op& op : ops) record(cell_of(op), op);
}

inline Cell& Aggregator::State::cell_of(const Op& op) {
  const FlatKey key = cell_key(op);
  if (last_cell_ != nullptr && key == last_key_) return *last_cell_;
  Cell* cell = cells_.find(key);
  if (cell == nullptr) [[unlikely]]
    cell = &create_cell(key, op);
  last_key_ = key;
  last_cell_ = cell;
  return *cell;
}

inline void Aggregator::State::record(Cell& cell, const Op& op) {
  const std::int64_t end_ns = end_of(op);
  if (bits(end_ns) - cell.slot_begin_ns >= bits(kSlotNs)) [[unlikely]]
    move(cell, bits(end_ns));
  const std::uint64_t weight = op.weight;
  Tally& pending = cell.pending;
  if (!op.device_only) [[likely]] {
    pending.count += weight;
    pending.bytes += weight * op.bytes;
    pending.async += op.async ? weight : 0;
    first_ns_ = std::min(first_ns_, bits(op.begin_ns));
    last_ns_ = std::max(last_ns_, end_ns);
    if (op.status != OpStatus::ok) [[unlikely]]
      note_error(cell, op, end_ns);
    if (cell.other) [[unlikely]]
      overflowed_ += weight;
    if (op.host_duration_ns >= 0) {
      const std::uint64_t ns = bits(op.host_duration_ns);
      const std::size_t bucket = Histogram::bucket_of(ns);
      pending.timed += weight;
      pending.host_ns += weight * ns;
      cell.host.add_to(bucket, ns, op.weight);
      cell.slot->host.add_to(bucket, ns, op.weight);
    }
  }
  if (op.device_duration_ns >= 0) {
    const std::uint64_t ns = bits(op.device_duration_ns);
    const std::size_t bucket = Histogram::bucket_of(ns);
    pending.device_timed += weight;
    pending.device_ns += weight * ns;
    cell.device.add_to(bucket, ns, op.weight);
    cell.slot->device.add_to(bucket, ns, op.weight);
  }
}

void Aggregator::State::note_error(Cell& cell, const Op& op, std::int64_t end_ns) {
  cell.pending.errors += op.weight;
  Series& series = *cell.series;
  if (series.first_error_ns == kUnknownNs) series.first_error_ns = end_ns;
  series.first_error_ns = std::min(series.first_error_ns, end_ns);
  series.last_error_ns = std::max(series.last_error_ns, end_ns);
}

// Operations come in the order of time, with exceptions: so a cell stays in its slot for many of
// them.
void Aggregator::State::move(Cell& cell, std::uint64_t end_ns) {
  flush(cell);
  const std::int64_t slot = slot_of(static_cast<std::int64_t>(end_ns));
  cell.slot_number = slot;
  cell.slot_begin_ns = slot < 0 ? Cell::kNoSlot : bits(slot * kSlotNs);
  cell.series->window.advance(now_slot_);
  cell.series->window.at(slot, [&cell](SeriesSlot& place) { cell.slot = &place; });
}

void Aggregator::State::flush(Cell& cell) {
  Tally& pending = cell.pending;
  if (pending.empty()) return;
  const std::int64_t slot = cell.slot_number;
  const auto add = [&](Track* track) {
    if (track == nullptr) return;
    track->advance(now_slot_);
    track->at(slot, [&pending](Tally& tally) { tally.merge(pending); });
  };
  cell.total.merge(pending);
  cell.slot->tally.merge(pending);
  for (Track* track : {&total_, cell.device_track, cell.pair, cell.comm, cell.rank}) add(track);
  pending.clear();
}

void Aggregator::State::flush_all() {
  const auto release = [this](Cell& cell) {
    flush(cell);
    cell.slot_begin_ns = Cell::kNoSlot;
    cell.slot_number = INT64_MIN / 2;
    cell.slot = &cell.series->window.rest();
  };
  for (Cell& cell : cells_.rows) release(cell);
  if (other_cell_) release(*other_cell_);
}

void Aggregator::State::advance(std::int64_t now_ns) {
  if (now_ns <= now_ns_) return;
  now_ns_ = now_ns;
  const std::int64_t slot = slot_of(now_ns);
  if (slot <= now_slot_) return;
  flush_all();  // before the slots that cells point to move
  now_slot_ = slot;
}

void Aggregator::State::add(const Collective& collective) {
  if (now_slot_ == INT64_MIN) advance(collective.end_ns);
  collectives_ += collective.weight;
  CommTrack* comm = comm_of(collective.comm);
  if (comm != nullptr) {
    comm->backend = collective.backend;
    comm->ranks = std::max(comm->ranks, collective.ranks);
    if (CommunicatorStudy* study = study_of(*comm, collective.ranks))
      study->add(collective, now_slot_);
  }
  const bool in_order = collective.first_ns >= 0 && collective.last_ns >= collective.first_ns;
  if (!collective.complete || collective.mismatch || !in_order) return;
  Series& series = series_of(series_key(collective.kind, collective.algorithm, collective.bytes));
  series.ranks = std::max(series.ranks, collective.ranks);
  series.window.advance(now_slot_);
  series.window.at(slot_of(collective.end_ns), [&collective](SeriesSlot& slot) {
    slot.skew.add(bits(collective.skew_ns()), collective.weight);
    if (collective.end_ns < collective.last_ns) return;
    slot.transfer.add(bits(collective.transfer_ns()), collective.weight);
  });
}

}  // namespace peerscope
