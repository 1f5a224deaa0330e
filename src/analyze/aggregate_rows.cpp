// The reading half of Aggregator: cells, series and tracks become rows.
#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>

#include "analyze/aggregate_state.hpp"
#include "model/busbw.hpp"

namespace peerscope {
namespace {

Distribution distribution(const LazyHistogram& lazy) {
  const Histogram* values = lazy.values();
  if (values == nullptr) return {};
  Distribution out;
  out.count = values->count();
  out.mean_ns = values->mean();
  out.p50_ns = values->quantile(0.5);
  out.p90_ns = values->quantile(0.9);
  out.p99_ns = values->quantile(0.99);
  out.p999_ns = values->quantile(0.999);
  if (out.count >= 6) {
    const double half = 0.98 / std::sqrt(static_cast<double>(out.count));
    out.p50_low_ns = values->quantile(0.5 - half);
    out.p50_high_ns = values->quantile(0.5 + half);
  }
  out.min_ns = static_cast<double>(values->min());
  out.max_ns = static_cast<double>(values->max());
  return out;
}

bool mostly_async(const Tally& tally) { return 2 * tally.async > tally.count; }

// The clock that says how long an operation took: the host's knows only the enqueue of an
// asynchronous one.
struct Time {
  Clock clock = Clock::none;
  double p50_ns = kUnknown;
};
Time time_of(const Distribution& host, const Distribution& device, const Tally& tally) {
  if (device.known()) return {Clock::device, device.p50_ns};
  if (host.known() && !mostly_async(tally)) return {Clock::host, host.p50_ns};
  return {};
}

// kUnknown where nothing moved or the time is unknown.
double bandwidth(const Counts& counts, double p50_ns) {
  if (p50_ns <= 0.0 || counts.bytes == 0 || counts.count == 0) return kUnknown;
  return algbw(static_cast<double>(counts.bytes) / static_cast<double>(counts.count), p50_ns);
}

Clock clock_of(HistorySource source) {
  if (source == HistorySource::none) return Clock::none;
  const bool device = source == HistorySource::device || source == HistorySource::device_transfer;
  return device ? Clock::device : Clock::host;
}

void fill_stats(OperationStats& stats, const SeriesSlot& sum, const Series& series,
                std::int64_t span_ns) {
  fill(stats, sum.tally, span_ns);
  stats.host = distribution(sum.host);
  stats.device = distribution(sum.device);
  stats.transfer = distribution(sum.transfer);
  stats.skew = distribution(sum.skew);
  stats.device_transfer = distribution(sum.device_transfer);
  stats.device_wait = distribution(sum.device_wait);
  const Kind kind = series_kind(series.key);
  Time time = stats.device_transfer.known() ? Time{Clock::device, stats.device_transfer.p50_ns}
                                            : time_of(stats.host, stats.device, sum.tally);
  // Where one rank is the root the others may be done long before it: only the whole says how long
  // it took.
  if (has_root(kind) && time.clock == Clock::host) {
    time = stats.transfer.known() ? Time{Clock::host, stats.transfer.p50_ns} : Time{};
  }
  stats.algbw_bytes_per_s = bandwidth(stats, time.p50_ns);
  if (stats.algbw_bytes_per_s < 0.0) return;
  stats.bandwidth_clock = time.clock;
  if (is_collective(kind) && series.ranks == 0) return;  // the factor is unknown
  stats.busbw_bytes_per_s = stats.algbw_bytes_per_s * busbw_factor(kind, series.ranks);
}

}  // namespace

std::shared_ptr<const Aggregates> Aggregator::State::snapshot(std::int64_t now_ns) {
  advance(now_ns);
  auto out = std::make_shared<Aggregates>();
  out->now_ns = now_ns;
  if (now_slot_ == INT64_MIN) return out;
  out->now_ns = now_ns_;
  flush_all();
  fill_totals(*out);
  fill_operations(*out);
  fill_cells(*out);
  fill_durations(*out);
  fill_devices(*out);
  fill_pairs(*out);
  fill_communicators(*out);
  fill_ranks(*out);
  fill_errors(*out);
  return out;
}

std::int64_t Aggregator::State::span_ns(std::size_t window) const {
  if (first_ns_ == UINT64_MAX) return 0;
  const auto first = static_cast<std::int64_t>(first_ns_);
  const std::int64_t begin = Track::begin_ns(static_cast<Window>(window), now_slot_);
  return std::max<std::int64_t>(0, now_ns_ - std::max(begin, first));
}

void Aggregator::State::fill_traffic(PerWindow<Traffic>& windows, Track& track) const {
  track.advance(now_slot_);
  Tally sum;
  for (std::size_t window = 0; window < kWindows; ++window) {
    track.for_ring(window, [&sum](const Tally& tally) { sum.merge(tally); });
    fill(windows[window], sum, span_ns(window));
  }
}

void Aggregator::State::fill_totals(Aggregates& out) {
  Totals& totals = out.totals;
  fill_traffic(totals.windows, total_);
  const Traffic& all = totals.windows.in(Window::all);
  totals.operations = all.count;
  totals.bytes = all.bytes;
  totals.errors = all.errors;
  totals.success_rate = all.success_rate();
  totals.collectives = collectives_;
  totals.overflowed = overflowed_;
  if (first_ns_ == UINT64_MAX) return;
  totals.first_ns = static_cast<std::int64_t>(first_ns_);
  totals.last_ns = std::max(totals.first_ns, std::min(last_ns_, now_ns_));
}

void Aggregator::State::fill_operations(Aggregates& out) {
  const auto add = [&](Series& series) {
    OperationRow& row = out.operations.emplace_back();
    row.kind = series_kind(series.key);
    row.algorithm = series_algorithm(series.key);
    row.size_class = series_size_class(series.key);
    row.other = series.other;
    row.ranks = series.ranks;
    row.first_error_ns = series.first_error_ns;
    row.last_error_ns = series.last_error_ns;
    series.advance(now_slot_);
    if (series.last_slot >= 0 && series.first_slot >= 0 && series.first_slot != INT64_MAX) {
      row.first_ns = series.first_slot * kSlotNs;
      row.last_ns = (series.last_slot + 1) * kSlotNs;
    }
    series.choose_source();
    row.history_clock = clock_of(series.source);
    row.pure = series.source >= HistorySource::device_transfer ||
               (!is_collective(row.kind) && series.source != HistorySource::none);
    row.history = series.recent_history();
    row.long_history = series.history.coarse();
    SeriesSlot sum;
    for (std::size_t window = 0; window < kWindows; ++window) {
      series.window.for_ring(window, [&sum](const SeriesSlot& slot) { sum.merge(slot); });
      fill_stats(row.windows[window], sum, series, span_ns(window));
    }
  };
  for (Series& series : series_.rows) add(series);
  if (other_series_) add(*other_series_);
  const auto cost = [](const OperationRow& row) {
    const Distribution& host = row.windows.in(Window::all).host;
    return host.mean_ns * static_cast<double>(host.count);
  };
  std::stable_sort(out.operations.begin(), out.operations.end(),
                   [&cost](const auto& a, const auto& b) { return cost(a) > cost(b); });
}

void Aggregator::State::fill_cells(Aggregates& out) {
  out.cells.reserve(cells_.rows.size() + 1);
  const auto add = [&out](const Cell& cell) {
    CellRow& row = out.cells.emplace_back();
    row.kind = series_kind(cell.series_id());
    row.algorithm = series_algorithm(cell.series_id());
    row.size_class = series_size_class(cell.series_id());
    row.other = cell.other;
    row.count = cell.total.count;
    row.bytes = cell.total.bytes;
    row.errors = cell.total.errors;
    row.async = mostly_async(cell.total);
    row.host = distribution(cell.host);
    row.device_time = distribution(cell.device);
    if (cell.timeline) {
      row.history = cell.timeline->fine();
      row.long_history = cell.timeline->coarse();
      row.history_clock = row.history.empty()          ? Clock::none
                          : cell.timeline->on_device() ? Clock::device
                                                       : Clock::host;
    }
    if (cell.other) return;
    row.device = cell.device_id();
    row.rank = cell.rank_id();
    row.peer = cell.peer_id();
    row.comm = cell.key.high;
  };
  for (const Cell& cell : cells_.rows) add(cell);
  if (other_cell_) add(*other_cell_);
}

void Aggregator::State::fill_durations(Aggregates& out) {
  std::unordered_map<std::uint32_t, std::size_t> rows;
  const auto row_of = [&](std::uint16_t key, bool other) -> DurationRow& {
    const std::uint32_t id = other ? UINT32_MAX : key & 1023u;
    const auto [at, is_new] = rows.emplace(id, out.durations.size());
    if (!is_new) return out.durations[at->second];
    DurationRow& row = out.durations.emplace_back();
    row.other = other;
    if (other) return row;
    row.kind = series_kind(key);
    row.algorithm = series_algorithm(key);
    return row;
  };
  const auto add_cell = [&](const Cell& cell) {
    DurationRow& row = row_of(cell.series_id(), cell.other);
    if (const Histogram* values = cell.host.values()) row.host.add(*values);
    if (const Histogram* values = cell.device.values()) row.device.add(*values);
  };
  const auto add_series = [&](const Series& series) {
    DurationRow& row = row_of(series.key, series.other);
    row.transfer.merge(series.transfer);
    row.skew.merge(series.skew);
    row.device_transfer.merge(series.device_transfer);
    row.device_wait.merge(series.device_wait);
  };
  for (const Cell& cell : cells_.rows) add_cell(cell);
  if (other_cell_) add_cell(*other_cell_);
  for (const Series& series : series_.rows) add_series(series);
  if (other_series_) add_series(*other_series_);
}

void Aggregator::State::fill_devices(Aggregates& out) {
  for (DeviceTrack& device : devices_.rows) {
    DeviceRow& row = out.devices.emplace_back();
    row.device = device.device;
    fill_traffic(row.windows, device.track);
  }
  std::sort(out.devices.begin(), out.devices.end(),
            [](const auto& a, const auto& b) { return a.device < b.device; });
}

void Aggregator::State::fill_pairs(Aggregates& out) {
  std::unordered_map<const Track*, const Cell*> largest;
  for (const Cell& cell : cells_.rows) {
    if (cell.pair == nullptr) continue;
    const Cell*& best = largest[cell.pair];
    if (best == nullptr || cell.total.bytes > best->total.bytes) best = &cell;
  }
  for (PairTrack& pair : pairs_.rows) {
    PairRow& row = out.pairs.emplace_back();
    row.comm = pair.comm;
    row.from = pair.from;
    row.to = pair.to;
    PerWindow<Traffic> received;
    fill_traffic(row.windows, pair.sent);
    fill_traffic(received, pair.received);
    const bool by_receiver = received.in(Window::all).count > row.windows.in(Window::all).count;
    if (by_receiver) row.windows = received;
    const auto found = largest.find(by_receiver ? &pair.received : &pair.sent);
    if (found == largest.end()) continue;
    const Cell& cell = *found->second;
    const Distribution host = distribution(cell.host), device = distribution(cell.device);
    const Time time = time_of(host, device, cell.total);
    row.kind = series_kind(cell.series_id());
    row.size_class = series_size_class(cell.series_id());
    row.samples = time.clock == Clock::device ? device.count : host.count;
    row.clock = time.clock;
    row.p50_ns = time.p50_ns;
    if (has_root(row.kind) && time.clock == Clock::host)
      continue;  // a rank may be done long before its bytes are
    const Counts counts{cell.total.count, cell.total.bytes, cell.total.errors};
    row.bandwidth_bytes_per_s = bandwidth(counts, time.p50_ns);
  }
  std::sort(out.pairs.begin(), out.pairs.end(), [](const auto& a, const auto& b) {
    return std::tie(a.comm, a.from, a.to) < std::tie(b.comm, b.from, b.to);
  });
}

namespace {

template <class Row>
void set_traffic(PerWindow<Row>& windows, const PerWindow<Traffic>& traffic) {
  for (std::size_t i = 0; i < kWindows; ++i) static_cast<Traffic&>(windows[i]) = traffic[i];
}

}  // namespace

void Aggregator::State::fill_communicators(Aggregates& out) {
  for (CommTrack& comm : comms_.rows) {
    CommunicatorRow& row = out.communicators.emplace_back();
    row.id = comm.id;
    row.ranks = comm.ranks;
    row.backend = comm.backend;
    PerWindow<Traffic> traffic;
    fill_traffic(traffic, comm.track);
    set_traffic(row.windows, traffic);
    if (comm.study) fill_studied(row, *comm.study, out);
  }
  std::sort(out.communicators.begin(), out.communicators.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
}

void Aggregator::State::fill_studied(CommunicatorRow& row, CommunicatorStudy& study,
                                     Aggregates& out) {
  const std::size_t begin = out.ranks.size();
  out.ranks.resize(begin + study.ranks());
  const std::span<RankRow> rows = std::span(out.ranks).subspan(begin);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].comm = row.id;
    rows[i].rank = static_cast<std::uint16_t>(i);
    for (std::size_t w = 0; w < kWindows; ++w) rows[i].windows[w].span_ns = span_ns(w);
  }
  study.fill(row, rows, now_ns_);
}

// What ranks did as operations joins what collectives say about them.
void Aggregator::State::fill_ranks(Aggregates& out) {
  const auto key = [](const RankRow& row) { return std::tie(row.comm, row.rank); };
  const auto by_key = [&key](const RankRow& a, const RankRow& b) { return key(a) < key(b); };
  std::sort(out.ranks.begin(), out.ranks.end(), by_key);
  const std::size_t studied = out.ranks.size();
  for (RankTrack& rank : ranks_.rows) {
    RankRow fresh;
    fresh.comm = rank.comm;
    fresh.rank = rank.rank;
    const auto end = out.ranks.begin() + static_cast<std::ptrdiff_t>(studied);
    const auto found = std::lower_bound(out.ranks.begin(), end, fresh, by_key);
    const bool known = found != end && key(*found) == key(fresh);
    RankRow& row = known ? *found : out.ranks.emplace_back(fresh);
    PerWindow<Traffic> traffic;
    fill_traffic(traffic, rank.track);
    set_traffic(row.windows, traffic);
    fill_launches(row.launches, rank.launches);
  }
  std::sort(out.ranks.begin(), out.ranks.end(), by_key);
}

void Aggregator::State::fill_launches(PerWindow<LaunchStats>& windows,
                                      LaunchTrack& launches) const {
  if (launches.device_end_ns < 0) return;
  launches.window.advance(now_slot_);
  LaunchTally sum;
  for (std::size_t window = 0; window < kWindows; ++window) {
    launches.window.for_ring(window, [&sum](const LaunchTally& tally) { sum.merge(tally); });
    windows[window] = {sum.count, static_cast<double>(sum.busy_ns),
                       static_cast<double>(sum.idle_ns), static_cast<double>(sum.launch_ns),
                       static_cast<double>(sum.enqueue_ns)};
  }
}

void Aggregator::State::fill_errors(Aggregates& out) {
  for (ErrorTrack& errors : errors_.rows) {
    ErrorRow& row = out.errors.emplace_back();
    row.status = errors.status;
    row.kind = errors.kind;
    row.comm = errors.comm;
    row.rank = errors.rank;
    row.peer = errors.peer;
    row.first_ns = errors.first_ns;
    row.last_ns = errors.last_ns;
    row.recovered = errors.recovered;
    fill_traffic(row.windows, errors.track);
  }
}

}  // namespace peerscope
