#include "analyze/profile/profiler.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "analyze/direction.hpp"
#include "analyze/profile/overlap.hpp"
#include "analyze/profile/period.hpp"
#include "analyze/profile/phases.hpp"
#include "model/busbw.hpp"

namespace peerscope {
namespace {

double total_ns(const ProfileRow& row) {
  const Distribution& d = row.device.known() ? row.device : row.host;
  return d.known() ? d.mean_ns * static_cast<double>(d.count) : 0;
}

ProfileRow row_of(const OperationRow& from) {
  const OperationStats& s = from.windows.in(Window::all);
  ProfileRow row;
  static_cast<Counts&>(row) = s;
  row.kind = from.kind;
  row.algorithm = from.algorithm;
  row.size_class = from.size_class;
  row.other = from.other;
  row.ranks = from.ranks;
  row.host = s.host;
  row.device = s.device;
  row.transfer = s.transfer;
  row.skew = s.skew;
  row.device_transfer = s.device_transfer;
  row.device_wait = s.device_wait;
  row.algbw_bytes_per_s = s.algbw_bytes_per_s;
  row.busbw_bytes_per_s = s.busbw_bytes_per_s;
  row.bandwidth_clock = s.bandwidth_clock;
  return row;
}

// Of a pair; nothing if the operation has no direction.
bool pair_row_of(const CellRow& from, ProfileRow& row) {
  const Direction way = direction(from.kind, from.rank, from.peer);
  if (from.other || !way.known()) return false;
  static_cast<Counts&>(row) = from;
  row.kind = from.kind;
  row.algorithm = from.algorithm;
  row.size_class = from.size_class;
  row.async = from.async;
  row.comm = from.comm;
  row.from = way.from;
  row.to = way.to;
  row.by_sender = way.by_sender;
  row.host = from.host;
  row.device = from.device_time;
  const bool on_device = row.device.known();
  if (!on_device && (row.async || !row.host.known())) return true;
  const double bytes =
      static_cast<double>(row.bytes) / static_cast<double>(std::max<std::uint64_t>(row.count, 1));
  const double ns = on_device ? row.device.p50_ns : row.host.p50_ns;
  if (bytes <= 0 || ns <= 0) return true;
  row.algbw_bytes_per_s = algbw(bytes, ns);
  row.busbw_bytes_per_s = busbw(from.kind, 2, bytes, ns);
  row.bandwidth_clock = on_device ? Clock::device : Clock::host;
  return true;
}

void add_rows(const Aggregates& a, ProfileReport& report) {
  std::set<std::tuple<Kind, Algorithm, std::uint8_t>> async;
  for (const CellRow& cell : a.cells) {
    if (cell.async) async.emplace(cell.kind, cell.algorithm, cell.size_class);
  }
  for (const OperationRow& row : a.operations) {
    if (row.windows.in(Window::all).count == 0) continue;
    report.rows.push_back(row_of(row));
    report.rows.back().async = async.count({row.kind, row.algorithm, row.size_class}) > 0;
  }
  std::stable_sort(
      report.rows.begin(), report.rows.end(),
      [](const ProfileRow& x, const ProfileRow& y) { return total_ns(x) > total_ns(y); });
  for (const CellRow& cell : a.cells) {
    ProfileRow row;
    if (pair_row_of(cell, row)) report.pairs.push_back(row);
  }
  std::stable_sort(report.pairs.begin(), report.pairs.end(),
                   [](const ProfileRow& x, const ProfileRow& y) { return x.bytes > y.bytes; });
  for (const PairRow& pair : a.pairs) {
    ProfilePair out;
    static_cast<Counts&>(out) = pair.windows.in(Window::all);
    out.comm = pair.comm;
    out.from = pair.from;
    out.to = pair.to;
    if (out.count > 0) report.matrix.push_back(out);
  }
}

void add_ranks(const Aggregates& a, ProfileReport& report) {
  for (const CommunicatorRow& comm : a.communicators) {
    const CommunicatorStats& s = comm.windows.in(Window::all);
    report.split.communication_ns += s.communication_ns;
    report.split.waiting_ns += s.waiting_ns;
    report.incomplete += s.incomplete;
    report.mismatched += s.mismatched;
  }
  for (const RankRow& row : a.ranks) {
    const RankStats& s = row.windows.in(Window::all);
    if (s.count == 0) continue;
    RankCount out;
    static_cast<Counts&>(out) = s;
    out.comm = row.comm;
    out.rank = row.rank;
    if (s.communication_ns > 0) {
      out.wait_share = s.wait_ns / s.communication_ns;
      out.waited_for_share = s.waiting_share;
    }
    report.ranks.push_back(out);
  }
}

// Ranks of one communicator that recorded clearly different numbers of operations.
void note_uneven_ranks(ProfileReport& report) {
  std::map<std::uint64_t, std::pair<const RankCount*, const RankCount*>> extremes;
  for (const RankCount& rank : report.ranks) {
    if (rank.comm == 0) continue;
    auto& [least, most] = extremes.try_emplace(rank.comm, &rank, &rank).first->second;
    if (rank.count < least->count) least = &rank;
    if (rank.count > most->count) most = &rank;
  }
  for (const auto& [comm, pair] : extremes) {
    const auto& [least, most] = pair;
    const double missing = static_cast<double>(most->count - least->count);
    // Where a session begins and ends, ranks are an operation apart.
    const double fair = 2.0 * static_cast<double>(std::max<std::uint64_t>(report.spans, 1)) +
                        0.01 * static_cast<double>(most->count);
    if (missing <= fair) continue;
    report.notes.push_back(fmt::format(
        "Ranks recorded different numbers of operations: rank {} has {}, rank {} has {}. Only "
        "collectives that all ranks recorded are split into transfer and wait",
        least->rank, least->count, most->rank, most->count));
  }
}

}  // namespace

struct Profiler::State {
  explicit State(const AggregatorOptions& options) : aggregator(options) {}

  Aggregator aggregator;
  SampleStore samples;
  OverlapMeter overlap;
  StreamKeeper stream;
  TimeSlices slices;
  std::array<SizeBin, kSizeClasses> sizes{};
  WaitSplit device;
  std::int64_t now_ns = INT64_MIN, first_ns = INT64_MAX, last_ns = INT64_MIN;
  std::uint64_t negative = 0;  // durations below zero that are not "unknown"
  std::uint64_t sampled = 0;   // operations that stand for several

  void add(const Op& op);
};

Profiler::Profiler(const AggregatorOptions& options) : state_(std::make_unique<State>(options)) {}
Profiler::~Profiler() = default;
Profiler::Profiler(Profiler&&) noexcept = default;
Profiler& Profiler::operator=(Profiler&&) noexcept = default;

void Profiler::State::add(const Op& op) {
  samples.add(op);
  overlap.add(op);
  stream.add(op);
  slices.add(op);
  if (op.device_only) return;
  const std::int64_t end_ns = op.begin_ns + std::max<std::int64_t>(op.host_duration_ns, 0);
  first_ns = std::min(first_ns, op.begin_ns);
  last_ns = std::max(last_ns, end_ns);
  negative += op.host_duration_ns < kUnknownNs || op.device_duration_ns < kUnknownNs ? 1 : 0;
  sampled += op.weight > 1 ? 1 : 0;
  if (op.kind == Kind::compute) return;
  SizeBin& bin = sizes[size_class(op.bytes)];
  bin.count += op.weight;
  bin.bytes += op.weight * op.bytes;
  bin.errors += op.status != OpStatus::ok ? op.weight : 0;
}

void Profiler::add(std::span<const Op> ops) {
  constexpr std::size_t kStep = 256;  // as a replay does: the clock moves with what has ended
  State& state = *state_;
  while (!ops.empty()) {
    const auto batch = ops.first(std::min(kStep, ops.size()));
    ops = ops.subspan(batch.size());
    for (const Op& op : batch) {
      state.add(op);
      state.now_ns = std::max(state.now_ns, state.last_ns);
    }
    if (state.now_ns != INT64_MIN) state.aggregator.advance(state.now_ns);
    state.aggregator.add(batch);
  }
}

void Profiler::add(const Collective& collective) {
  state_->aggregator.add(collective);
  state_->samples.add(collective);
  if (!collective.device || !collective.complete || collective.mismatch) return;
  const DeviceSplit split = split_by_device(collective);
  WaitSplit& device = state_->device;
  ++device.device_collectives;
  const auto ranks = static_cast<double>(collective.arrivals.size());
  device.device_transfer_ns += static_cast<double>(split.transfer_ns) * ranks;
  for (const Arrival& a : collective.arrivals)
    device.device_wait_ns += static_cast<double>(a.end_ns - a.begin_ns - split.transfer_ns);
}

const SampleStore& Profiler::samples() const { return state_->samples; }

ProfileReport Profiler::report() {
  State& state = *state_;
  ProfileReport report;
  if (state.first_ns <= state.last_ns) {
    report.from_ns = state.first_ns;
    report.to_ns = state.last_ns;
  }
  const auto aggregates = state.aggregator.snapshot(std::max<std::int64_t>(state.now_ns, 0));
  report.operations = aggregates->totals.operations;
  report.bytes = aggregates->totals.bytes;
  report.errors = aggregates->totals.errors;
  report.collectives = aggregates->totals.collectives;
  report.split = state.device;
  add_rows(*aggregates, report);
  add_ranks(*aggregates, report);
  for (std::size_t i = 0; i < state.sizes.size(); ++i) {
    if (state.sizes[i].count == 0) continue;
    report.sizes.push_back(state.sizes[i]);
    report.sizes.back().size_class = static_cast<std::uint8_t>(i);
  }
  report.overlap = state.overlap.stats();
  report.period = state.stream.period();
  report.phases = find_phases(state.slices.slices(), state.slices.width_ns());
  for (PhaseStretch& stretch : report.phases.stretches) {  // slices begin before and end after it
    stretch.begin_ns = std::max(stretch.begin_ns, report.from_ns);
    stretch.end_ns = std::min(stretch.end_ns, report.to_ns);
  }
  if (state.negative > 0)
    report.notes.push_back(fmt::format(
        "{} operations end before they begin: their clock ran backwards, and their times are left "
        "out",
        state.negative));
  if (state.sampled > 0)
    report.notes.push_back(fmt::format(
        "{} of the operations stand for several: level basic times one in 64; counts and sums are "
        "estimates",
        state.sampled));
  if (aggregates->totals.overflowed > 0)
    report.notes.push_back(fmt::format(
        "{} operations found no row of their own (monitor.max_cells, monitor.max_series)",
        aggregates->totals.overflowed));
  return report;
}

void add_notes(ProfileReport& report) { note_uneven_ranks(report); }

std::size_t Profiler::memory_bytes() const {
  const State& s = *state_;
  return sizeof s + s.aggregator.memory_bytes() + s.samples.memory_bytes() +
         s.overlap.memory_bytes() + s.stream.memory_bytes() + TimeSlices::memory_bound_bytes();
}

std::size_t Profiler::memory_bound_bytes(const AggregatorOptions& options) {
  return sizeof(State) + Aggregator::memory_bound_bytes(options) +
         SampleStore::kMaxSeries * (kSampleBases * sizeof(Sample<SampleStore::kKept>) + 512) +
         OverlapMeter::memory_bound_bytes() + StreamKeeper::memory_bound_bytes() +
         TimeSlices::memory_bound_bytes();
}

}  // namespace peerscope
