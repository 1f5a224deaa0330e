// What operations add up to: from slots, or, of a narrow range, from the operations themselves.
#include <algorithm>
#include <numeric>
#include <optional>

#include "store/hits.hpp"
#include "store/row_sums.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kMostPoints = 4096, kMostPointsOfAll = 200'000;
constexpr std::size_t kMostRows = 10'000;

// Which rows are shown, the most host time first.
struct Order {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint32_t> shown;  // of each row: its place; Grouping::kNone: it is not shown
  std::size_t left_out = 0;
};
Order order_of(const std::vector<RowSums>& sums, std::size_t max_rows) {
  Order order;
  for (std::uint32_t row = 0; row < sums.size(); ++row) {
    if (!sums[row].empty()) order.rows.push_back(row);
  }
  std::sort(order.rows.begin(), order.rows.end(), [&](std::uint32_t a, std::uint32_t b) {
    const auto weight = [&](std::uint32_t row) {
      return std::tuple(sums[row].host.sum_ns(), sums[row].device.sum_ns(), sums[row].counts.count);
    };
    return weight(a) != weight(b) ? weight(a) > weight(b) : a < b;
  });
  const std::size_t kept = std::min({order.rows.size(), max_rows, kMostRows});
  order.left_out = order.rows.size() - kept;
  order.rows.resize(kept);
  order.shown.assign(sums.size(), Grouping::kNone);
  for (std::uint32_t i = 0; i < kept; ++i) order.shown[order.rows[i]] = i;
  return order;
}

// Points of all rows, one stretch of time after the other.
class Points {
 public:
  Points(const Steps& steps, std::size_t rows) : steps_(steps), sums_(rows), points_(rows) {}
  RowSums& in(std::size_t row) { return sums_[row]; }
  void finish(std::size_t step) {
    for (std::size_t row = 0; row < sums_.size(); ++row) {
      RowSums& sums = sums_[row];
      if (sums.empty()) continue;
      AggregatePoint& point = points_[row].emplace_back();
      point.begin_ns = steps_.begin(step);
      point.end_ns = steps_.begin(step + 1);
      point.counts = sums.counts;
      point.host_p50_ns = sums.host.quantile(0.5);
      point.host_p99_ns = sums.host.quantile(0.99);
      point.device_p50_ns = sums.device.quantile(0.5);
      point.device_p99_ns = sums.device.quantile(0.99);
      sums.clear();
    }
  }
  std::vector<AggregatePoint>& of(std::size_t row) { return points_[row]; }

 private:
  const Steps& steps_;
  std::vector<RowSums> sums_;
  std::vector<std::vector<AggregatePoint>> points_;
};

Steps point_steps(const AggregateQuery& query, const TimeRange& range, std::size_t rows,
                  unsigned shift) {
  const std::size_t most =
      std::clamp<std::size_t>(kMostPointsOfAll / std::max<std::size_t>(rows, 1), 16, kMostPoints);
  return steps_of(range, static_cast<std::uint64_t>(query.resolution_ns), most, shift);
}

void add_hit(const Hit& hit, RowSums& sums) {
  sums.counts.count += hit.weight;
  sums.counts.bytes += hit.weight * hit.bytes;
  sums.counts.errors += hit.error ? hit.weight : 0;
  if (hit.host_ns >= 0) sums.host.add(static_cast<std::uint64_t>(hit.host_ns));
  if (hit.device_ns >= 0) sums.device.add(static_cast<std::uint64_t>(hit.device_ns));
}

// The operations' places, those of the first step first.
std::vector<std::uint32_t> by_step(const std::vector<Hit>& hits, const Steps& steps,
                                   std::vector<std::size_t>& first_of_step) {
  first_of_step.assign(steps.count + 1, 0);
  for (const Hit& hit : hits) ++first_of_step[steps.at(hit.begin_ns) + 1];
  std::partial_sum(first_of_step.begin(), first_of_step.end(), first_of_step.begin());
  std::vector<std::size_t> at = first_of_step;
  std::vector<std::uint32_t> order(hits.size());
  for (std::uint32_t i = 0; i < hits.size(); ++i) order[at[steps.at(hits[i].begin_ns)]++] = i;
  return order;
}

void add_points(const std::vector<Hit>& hits, const Steps& steps, const Order& order,
                AggregateTable& table) {
  if (steps.count == 0) return;
  Points points(steps, order.rows.size());
  std::vector<std::size_t> first;
  const std::vector<std::uint32_t> sorted = by_step(hits, steps, first);
  for (std::size_t step = 0; step < steps.count; ++step) {
    for (std::size_t i = first[step]; i < first[step + 1]; ++i) {
      const Hit& hit = hits[sorted[i]];
      if (const std::uint32_t row = order.shown[hit.row]; row != Grouping::kNone)
        add_hit(hit, points.in(row));
    }
    points.finish(step);
  }
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    table.rows[row].points = std::move(points.of(row));
}

struct Values {
  std::vector<std::uint64_t> host, device;
};
std::vector<Values> values_of(const std::vector<Hit>& hits, const Order& order) {
  std::vector<Values> values(order.rows.size());
  for (const Hit& hit : hits) {
    const std::uint32_t row = order.shown[hit.row];
    if (row == Grouping::kNone) continue;
    if (hit.host_ns >= 0) values[row].host.push_back(static_cast<std::uint64_t>(hit.host_ns));
    if (hit.device_ns >= 0) values[row].device.push_back(static_cast<std::uint64_t>(hit.device_ns));
  }
  return values;
}

// Nothing where there are too many rows: each has histograms.
std::optional<AggregateTable> exact_table(const StoreView& view, ChunkCache& cache,
                                          const AggregateQuery& query, const ChunkRange& chunks) {
  AggregateTable table;
  const TimeRange range = closed_range(view, query.filter);
  Grouping grouping(query.by);
  const std::vector<Hit> hits = find_hits(view, cache, chunks, range, query.filter, grouping);
  constexpr std::size_t kMostExactRows = 8192;
  if (grouping.size() > kMostExactRows) return std::nullopt;
  std::vector<RowSums> sums(grouping.size());
  for (const Hit& hit : hits) add_hit(hit, sums[hit.row]);
  const Order order = order_of(sums, query.max_rows);
  std::vector<Values> values = values_of(hits, order);
  for (std::size_t i = 0; i < order.rows.size(); ++i) {
    AggregateRow row = grouping.row(order.rows[i]);
    row.counts = sums[order.rows[i]].counts;
    row.host = distribution_of(values[i].host);
    row.device = distribution_of(values[i].device);
    table.rows.push_back(std::move(row));
  }
  if (query.resolution_ns > 0)
    add_points(hits, point_steps(query, range, order.rows.size(), 0), order, table);
  table.from_ns = range.from_ns;
  table.to_ns = range.to_ns;
  table.exact = true;
  table.rows_left_out = order.left_out;
  return table;
}

// Calls with (row, cell, host buckets, device buckets, device times) for what has a row.
template <class F>
void for_each_row(const Slot& slot, const std::vector<std::uint32_t>& rows, F&& f) {
  for_each_cell(slot, [&](const SlotCell& cell, auto host, auto device, const TimeSums* sums) {
    if (rows[cell.cell] != Grouping::kNone) f(rows[cell.cell], cell, host, device, sums);
  });
}

class SlotSums {
 public:
  SlotSums(const StoreView& view, const TimeRange& range, const std::vector<std::uint32_t>& rows)
      : slots_(view.index->slots), cells_(*view.index->cells), rows_(rows) {
    first_ = std::max(slots_.base, slots_.number_of(range.from_ns));
    last_ =
        range.empty() ? first_ - 1 : std::min(slots_.end() - 1, slots_.number_of(range.to_ns - 1));
  }
  [[nodiscard]] std::vector<RowSums> all(std::size_t rows) const {
    std::vector<RowSums> sums(rows);
    for (std::int64_t n = first_; n <= last_; ++n)
      add(n, [&](std::uint32_t row) -> RowSums* { return &sums[row]; });
    return sums;
  }
  void add_points(const Steps& steps, const Order& order, AggregateTable& table) const {
    if (steps.count == 0) return;
    Points points(steps, order.rows.size());
    std::size_t step = 0;
    for (std::int64_t n = first_; n <= last_; ++n) {
      const std::size_t at = steps.at(n * slots_.slot_ns());
      if (at != step) points.finish(step);
      step = at;
      add(n, [&](std::uint32_t row) -> RowSums* {
        return order.shown[row] == Grouping::kNone ? nullptr : &points.in(order.shown[row]);
      });
    }
    points.finish(step);
    for (std::size_t row = 0; row < table.rows.size(); ++row)
      table.rows[row].points = std::move(points.of(row));
  }

 private:
  template <class F>
  void add(std::int64_t number, F&& sums_of) const {
    const Slot* slot = slots_.at(number);
    if (slot == nullptr) return;
    for_each_row(*slot, rows_,
                 [&](std::uint32_t row, const SlotCell& cell, auto host, auto device,
                     const TimeSums* device_sums) {
                   if (RowSums* sums = sums_of(row))
                     sums->add(cell, cells_[cell.cell].status != OpStatus::ok, host, device,
                               device_sums);
                 });
  }
  const SlotView& slots_;
  const std::vector<CellKey>& cells_;
  const std::vector<std::uint32_t>& rows_;
  std::int64_t first_ = 0, last_ = -1;
};

AggregateTable slot_table(const StoreView& view, const AggregateQuery& query) {
  AggregateTable table;
  const unsigned shift = view.index->slots.shift;
  const TimeRange range = widened(closed_range(view, query.filter), shift);
  Grouping grouping(query.by);
  const auto rows = grouping.rows_of(*view.index->cells, CellFilter(query.filter));
  const SlotSums slots(view, range, rows);
  const std::vector<RowSums> sums = slots.all(grouping.size());
  const Order order = order_of(sums, query.max_rows);
  for (const std::uint32_t number : order.rows) {
    AggregateRow row = grouping.row(number);
    row.counts = sums[number].counts;
    row.host = sums[number].host.distribution();
    row.device = sums[number].device.distribution();
    table.rows.push_back(std::move(row));
  }
  if (query.resolution_ns > 0)
    slots.add_points(point_steps(query, range, order.rows.size(), shift), order, table);
  table.from_ns = range.from_ns;
  table.to_ns = range.to_ns;
  table.rows_left_out = order.left_out;
  return table;
}

}  // namespace

Result<AggregateTable> aggregate_trace(const StoreView& view, ChunkCache& cache,
                                       const AggregateQuery& query) {
  if (query.resolution_ns < 0)
    return Error{ErrorCode::invalid_argument, "the resolution of points is not below 0 ns"};
  const ChunkRange chunks = ChunkRange::of(view, query.filter);
  if (chunks.within(kExactOperations, kExactChunks)) {
    if (auto table = exact_table(view, cache, query, chunks)) return std::move(*table);
  }
  AggregateTable table = slot_table(view, query);
  table.indexed_share = chunks.indexed_share();
  return table;
}

}  // namespace peerscope
