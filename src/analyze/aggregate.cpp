#include "analyze/aggregate.hpp"

#include <algorithm>
#include <array>

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
  Span span{first_ns_, last_ns_};
  for (const Op& op : ops) record(cell_of(op), op, span);
  first_ns_ = span.first_ns;
  last_ns_ = span.last_ns;
}

inline Cell& Aggregator::State::cell_of(const Op& op) {
  const FlatKey key = cell_key(op);
  if (last_cell_ != nullptr) [[likely]] {
    if (key == last_cell_->key && !last_cell_->other) return *last_cell_;
    Cell* guess = last_cell_->next;
    if (guess != nullptr && guess->key == key && !guess->other) [[likely]]
      return *(last_cell_ = guess);
  }
  Cell* cell = cells_.find(key);
  if (cell == nullptr) [[unlikely]]
    cell = &create_cell(key, op);
  if (last_cell_ != nullptr) last_cell_->next = cell;
  last_cell_ = cell;
  return *cell;
}

// Host times go to two histograms: a few at a time, so that each is fetched once for them all.
void Aggregator::State::release_held(Cell& cell) {
  std::array<std::uint16_t, Cell::kHeld> buckets;
  const std::span<const std::uint64_t> held{cell.held_ns.data(), cell.held};
  Histogram::Batch batch{held, buckets.data(), 0, UINT64_MAX, 0};
  for (std::size_t i = 0; i < held.size(); ++i) {
    buckets[i] = static_cast<std::uint16_t>(Histogram::bucket_of(held[i]));
    batch.sum += held[i];
    batch.min = std::min(batch.min, held[i]);
    batch.max = std::max(batch.max, held[i]);
  }
  if (cell.timeline && !cell.async) {
    for (const std::uint64_t ns : held) cell.timeline->add(cell.slot_number, ns, false);
  }
  cell.held = 0;
  cell.pending.timed += held.size();
  cell.pending.host_ns += batch.sum;
  cell.host.add_all(batch);
  cell.slot->host.add_all(batch);
}

inline void Aggregator::State::record(Cell& cell, const Op& op, Span& span) {
  const std::int64_t end_ns = end_of(op);
  if (bits(end_ns) - cell.slot_begin_ns >= bits(kSlotNs)) [[unlikely]]
    move(cell, bits(end_ns));
  const std::uint64_t weight = op.weight;
  Tally& pending = cell.pending;
  if (!op.device_only) [[likely]] {
    pending.count += weight;
    pending.bytes += weight * op.bytes;
    if (op.async) {
      pending.async += weight;
      cell.async = true;
    }
    span.first_ns = std::min(span.first_ns, bits(op.begin_ns));
    span.last_ns = std::max(span.last_ns, end_ns);
    if (op.status != OpStatus::ok) [[unlikely]]
      note_error(cell, op, end_ns);
    else if (cell.failing != nullptr) [[unlikely]] {
      cell.failing->recovered += weight;
      cell.failing = nullptr;
    }
    if (cell.other) [[unlikely]]
      overflowed_ += weight;
    if (op.host_duration_ns >= 0 && weight == 1) [[likely]] {
      cell.held_ns[cell.held++] = bits(op.host_duration_ns);
      if (cell.held == Cell::kHeld) release_held(cell);
    } else if (op.host_duration_ns >= 0) {
      const std::uint64_t ns = bits(op.host_duration_ns);
      const std::size_t bucket = Histogram::bucket_of(ns);
      pending.timed += weight;
      pending.host_ns += weight * ns;
      cell.host.add_to(bucket, ns, op.weight);
      cell.slot->host.add_to(bucket, ns, op.weight);
      if (cell.timeline && !cell.async) cell.timeline->add(cell.slot_number, ns, false);
    }
  }
  if (op.device_duration_ns >= 0) {
    const std::uint64_t ns = bits(op.device_duration_ns);
    const std::size_t bucket = Histogram::bucket_of(ns);
    pending.device_timed += weight;
    pending.device_ns += weight * ns;
    cell.device.add_to(bucket, ns, op.weight);
    cell.slot->device.add_to(bucket, ns, op.weight);
    note_device_time(cell, op);
  }
}

inline void Aggregator::State::note_device_time(Cell& cell, const Op& op) {
  if (cell.timeline) cell.timeline->add(cell.slot_number, bits(op.device_duration_ns), true);
  if (op.async && op.host_duration_ns >= 0 && cell.launches != nullptr) {
    // With the time of the call, as the window is.
    cell.launches->add(op, cell.slot_number);
  }
}

void Aggregator::State::note_error(Cell& cell, const Op& op, std::int64_t end_ns) {
  cell.pending.errors += op.weight;
  Series& series = *cell.series;
  if (series.first_error_ns == kUnknownNs) series.first_error_ns = end_ns;
  series.first_error_ns = std::min(series.first_error_ns, end_ns);
  series.last_error_ns = std::max(series.last_error_ns, end_ns);
  ErrorTrack* errors = errors_of(op);
  if (errors == nullptr) return;
  if (errors->first_ns == kUnknownNs || end_ns < errors->first_ns) errors->first_ns = end_ns;
  errors->last_ns = std::max(errors->last_ns, end_ns);
  errors->track.advance(now_slot_);
  errors->track.at(slot_of(end_ns), [&op](Tally& tally) {
    tally.count += op.weight;
    tally.errors += op.weight;
    tally.bytes += op.weight * op.bytes;
    if (op.host_duration_ns < 0) return;
    tally.timed += op.weight;
    tally.host_ns += op.weight * bits(op.host_duration_ns);
  });
  cell.failing = errors;
}

// Operations come in the order of time, with exceptions: so a cell stays in its slot for many of
// them.
void Aggregator::State::move(Cell& cell, std::uint64_t end_ns) {
  flush(cell);
  const std::int64_t slot = slot_of(static_cast<std::int64_t>(end_ns));
  cell.slot_number = slot;
  cell.slot_begin_ns = slot < 0 ? Cell::kNoSlot : bits(slot * kSlotNs);
  Series& series = *cell.series;
  series.advance(now_slot_);
  series.first_slot = std::min(series.first_slot, slot);
  series.last_slot = std::max(series.last_slot, std::min(slot, now_slot_));
  if (cell.launches != nullptr) cell.launches->window.advance(now_slot_);
  series.window.at(slot, [&cell](SeriesSlot& place) { cell.slot = &place; });
}

void Aggregator::State::flush(Cell& cell) {
  if (cell.held > 0) release_held(cell);
  Tally& pending = cell.pending;
  if (pending.empty()) return;
  const std::int64_t slot = cell.slot_number;
  const auto add = [&](Track* track) {
    if (track == nullptr) return;
    track->advance(now_slot_);
    track->at(slot, [&pending](Tally& tally) { tally.merge(pending); });
  };
  if (cell.timeline) cell.timeline->add_bytes(pending.bytes, pending.count);
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
  if (collective.device) {
    add_device_times(collective);
    return;
  }
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
  series.advance(now_slot_);
  // The host knows of an asynchronous one when it was enqueued, not when it was done.
  const bool ended = !collective.async && collective.end_ns >= collective.last_ns;
  series.skew.add(bits(collective.skew_ns()), collective.weight);
  if (ended) series.transfer.add(bits(collective.transfer_ns()), collective.weight);
  series.window.at(slot_of(collective.end_ns), [&collective, ended](SeriesSlot& slot) {
    slot.skew.add(bits(collective.skew_ns()), collective.weight);
    if (ended) slot.transfer.add(bits(collective.transfer_ns()), collective.weight);
  });
}

void Aggregator::State::add_device_times(const Collective& collective) {
  if (!collective.complete || collective.mismatch) return;
  const DeviceSplit split = split_by_device(collective);
  Series& series = series_of(series_key(collective.kind, collective.algorithm, collective.bytes));
  series.ranks = std::max(series.ranks, collective.ranks);
  series.advance(now_slot_);
  series.device_transfer.add(bits(split.transfer_ns), collective.weight);
  series.device_wait.add(bits(split.wait_ns), collective.weight);
  series.window.at(slot_of(collective.end_ns), [&](SeriesSlot& slot) {
    slot.device_transfer.add(bits(split.transfer_ns), collective.weight);
    slot.device_wait.add(bits(split.wait_ns), collective.weight);
  });
}

}  // namespace peerscope
