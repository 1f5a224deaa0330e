#include "trace/query/fast_path.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <new>
#include <system_error>
#include <thread>

#include "trace/query/row_range.hpp"
#include "trace/query/simple_query.hpp"

namespace peerscope {
namespace {

class Execution {
 public:
  Execution(const TraceReader& trace, const SimpleQuery& query, const QueryCallbacks& callbacks)
      : trace_(trace), query_(query), callbacks_(callbacks) {
    for (const SelectItem& item : query.items) {
      if (item.column && item.aggregate != Aggregate::none) note_use(item);
    }
    for (const SimpleCondition& condition : query.conditions) {
      if (is_of_shape(condition.column)) continue;
      by_row_.push_back(&condition);
      const auto range = range_of(condition);
      if (range) ranges_.push_back(*range);
      only_ranges_ = only_ranges_ && range.has_value();
    }
  }

  // Empty: not from statistics.
  bool from_statistics() {
    if (!by_row_.empty() || !statistics_suffice_) return false;
    if (const Rollup* rollup = trace_.rollup()) return add_cells(rollup->shapes, rollup->cells);
    for (std::size_t i = 0; i < trace_.chunks().size(); ++i) {
      auto chunk = trace_.chunk(i);
      if (!chunk || !chunk->has_cells()) return false;
      if (!add_cells(chunk->shapes(), chunk->cells()) || !chunk->status()) return false;
    }
    return true;
  }

  void forget() {
    groups_.clear();
    numbers_.clear();
  }

  // Every `step`th chunk from `first` on.
  Status from_columns(std::size_t first, std::size_t step) {
    for (std::size_t i = first; i < trace_.chunks().size(); i += step) {
      if (callbacks_.cancelled && callbacks_.cancelled())
        return Error{ErrorCode::timeout, "the query was stopped"};
      if (!may_hold(trace_.chunks()[i])) continue;
      auto chunk = trace_.chunk(i);
      if (!chunk) return chunk.error();
      if (find_groups(chunk->shapes())) add_chunk(*chunk, trace_.chunks()[i]);
      if (!chunk->status()) return chunk->status();
    }
    return Done{};
  }

  // What another has found in other chunks.
  void add(const Execution& other) {
    read_ += other.read_;
    for (const Group& theirs : other.groups_) {
      const auto [at, is_new] =
          numbers_.try_emplace(theirs.key, static_cast<std::int32_t>(groups_.size()));
      if (is_new) groups_.emplace_back().key = theirs.key;
      Group& ours = groups_[static_cast<std::size_t>(at->second)];
      ours.rows += theirs.rows;
      for (std::size_t m = 0; m < kMeasures; ++m) ours.measures[m].add(theirs.measures[m]);
    }
  }

  // False: a sum is beyond SQLite's integers.
  bool rows(std::vector<std::vector<SqlValue>>& out) {
    if (groups_.empty() && query_.groups.empty()) groups_.emplace_back();
    for (const Group& group : groups_) {
      if (group.rows == 0 && !query_.groups.empty()) continue;
      std::vector<SqlValue> row;
      for (const SelectItem& item : query_.items) {
        const auto value = value_of(group, item);
        if (!value) return false;
        row.push_back(*value);
      }
      out.push_back(std::move(row));
    }
    std::sort(out.begin(), out.end(),
              [this](const auto& a, const auto& b) { return before(a, b); });
    if (query_.limit && out.size() > *query_.limit) out.resize(*query_.limit);
    return true;
  }

  [[nodiscard]] std::uint64_t read() const { return read_; }

 private:
  void note_use(const SelectItem& item) {
    const Measure measure = *measure_of(*item.column);
    uses_[measure] = true;
    const bool least_or_most = item.aggregate == Aggregate::min || item.aggregate == Aggregate::max;
    if (measure == kBegin || (measure == kBytes && least_or_most)) statistics_suffice_ = false;
  }

  // The group of each shape, -1 if its operations are not asked for. False: of none.
  bool find_groups(std::span<const Shape> shapes) {
    group_of_shape_.clear();
    bool any = false;
    for (const Shape& shape : shapes) {
      group_of_shape_.push_back(group_of(shape.op()));
      any = any || group_of_shape_.back() >= 0;
    }
    return any;
  }

  std::int32_t group_of(const Op& op) {
    const TraceMeta& meta = trace_.meta();
    for (const SimpleCondition& condition : query_.conditions) {
      if (is_of_shape(condition.column) &&
          !holds(condition, shape_value(meta, op, condition.column)))
        return -1;
    }
    std::vector<SqlValue> key;
    for (const OpsColumn column : query_.groups) key.push_back(shape_value(meta, op, column));
    const auto [at, is_new] = numbers_.try_emplace(key, static_cast<std::int32_t>(groups_.size()));
    if (is_new) groups_.emplace_back().key = key;
    return at->second;
  }

  [[nodiscard]] bool may_hold(const ChunkInfo& info) const {
    for (const SimpleCondition* condition : by_row_) {
      if (condition->column != OpsColumn::begin_ns || condition->values.size() != 1) continue;
      const std::int64_t at = std::get<1>(condition->values[0]);
      switch (condition->comparison) {
        case Comparison::eq:
          if (at < info.first_ns || at > info.last_ns) return false;
          break;
        case Comparison::lt:
        case Comparison::le:
          if (info.first_ns > at) return false;
          break;
        case Comparison::gt:
        case Comparison::ge:
          if (info.last_ns < at) return false;
          break;
        case Comparison::ne:
          break;
      }
    }
    return true;
  }

  bool add_cells(std::span<const Shape> shapes, std::span<const ChunkCell> cells) {
    constexpr std::uint32_t kLargeClass = 40;  // half a terabyte: sums could wrap
    find_groups(shapes);
    for (const ChunkCell& cell : cells) {
      if (cell.size_class > kLargeClass) return false;
      const std::int32_t number = group_of_shape_[cell.shape];
      if (number < 0) continue;
      Group& group = groups_[static_cast<std::size_t>(number)];
      group.rows += cell.count;
      group.measures[kBytes].count += cell.count;
      group.measures[kBytes].sum += cell.bytes;
      merge(group.measures[kHost], cell.host_count, cell.host_sum_ns, cell.host_min_ns,
            cell.host_max_ns);
      merge(group.measures[kDevice], cell.device_count, cell.device_sum_ns, cell.device_min_ns,
            cell.device_max_ns);
    }
    return true;
  }

  static void merge(Accumulator& to, std::uint64_t count, std::uint64_t sum, std::uint64_t min,
                    std::uint64_t max) {
    if (count == 0) return;
    to.count += count;
    to.sum += sum;
    to.min = std::min(to.min, static_cast<std::int64_t>(min));
    to.max = std::max(to.max, static_cast<std::int64_t>(max));
  }

  // Conditions that a whole chunk fulfils need not be asked of its rows.
  void choose_ranges(const ChunkInfo& info) {
    asked_.clear();
    for (const RowRange& range : ranges_) {
      const bool all =
          range.measure == kBegin && range.holds(info.first_ns) && range.holds(info.last_ns);
      if (!all) asked_.push_back(range);
    }
  }

  void add_chunk(OpsChunk& chunk, const ChunkInfo& info) {
    read_ += chunk.size();
    choose_ranges(info);
    const bool of_bytes =
        only_ranges_ && std::all_of(asked_.begin(), asked_.end(),
                                    [](const RowRange& range) { return range.measure == kBytes; });
    if (of_bytes && query_.groups.empty() && only_bytes_sum() && add_packed(chunk)) return;
    const auto index = chunk.shape_index();
    std::array<std::span<const std::int64_t>, kMeasures> values;
    const auto load = [&](Measure measure) { values[measure] = column_of(chunk, measure); };
    for (std::uint8_t m = 0; m < kMeasures; ++m) {
      if (uses_[m]) load(static_cast<Measure>(m));
    }
    for (const SimpleCondition* condition : by_row_) load(*measure_of(condition->column));
    if (!chunk.status()) return;
    for (std::size_t i = 0; i < index.size(); ++i) {
      const std::int32_t number = group_of_shape_[index[i]];
      if (number < 0 || !row_passes(values, i)) continue;
      Group& group = groups_[static_cast<std::size_t>(number)];
      ++group.rows;
      for (std::uint8_t m = 0; m < kMeasures; ++m) {
        if (uses_[m] && !(values[m][i] == kUnknownNs && m != kBegin && m != kBytes))
          group.measures[m].add(values[m][i]);
      }
    }
  }

  // Sizes beyond 2^63 are shown as the greatest number; one chunk with such is left to that rule.
  std::span<const std::int64_t> column_of(OpsChunk& chunk, Measure measure) {
    switch (measure) {
      case kHost:
        return chunk.times(Column::host_duration);
      case kDevice:
        return chunk.times(Column::device_duration);
      case kBegin:
        return chunk.times(Column::begin);
      default:
        break;
    }
    const auto bytes = chunk.values(Column::bytes);
    bytes_.resize(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes_[i] = static_cast<std::int64_t>(std::min<std::uint64_t>(bytes[i], INT64_MAX));
    return bytes_;
  }

  [[nodiscard]] bool row_passes(const std::array<std::span<const std::int64_t>, kMeasures>& values,
                                std::size_t i) const {
    const auto unknown = [](Measure measure, std::int64_t value) {
      return value == kUnknownNs && (measure == kHost || measure == kDevice);
    };
    for (const RowRange& range : asked_) {
      const std::int64_t value = values[range.measure][i];
      if (!range.holds(value) || unknown(range.measure, value)) return false;
    }
    if (only_ranges_) return true;
    for (const SimpleCondition* condition : by_row_) {
      const Measure measure = *measure_of(condition->column);
      const std::int64_t value = values[measure][i];
      if (unknown(measure, value) || !holds(*condition, value)) return false;
    }
    return true;
  }

  [[nodiscard]] bool only_bytes_sum() const {
    return !uses_[kHost] && !uses_[kDevice] && !uses_[kBegin] &&
           std::none_of(query_.items.begin(), query_.items.end(), [](const SelectItem& item) {
             return item.aggregate == Aggregate::min || item.aggregate == Aggregate::max;
           });
  }

  // Shapes and sizes have few values each: three look-ups an operation, no branch.
  bool add_packed(OpsChunk& chunk) {
    const auto shape = chunk.packed(Column::shape);
    const auto bytes = chunk.packed(Column::bytes);
    if (!shape || !bytes) return false;
    constexpr std::uint64_t kSafe = std::uint64_t{1} << 47;  // 65,536 of them fit
    std::array<std::uint64_t, 256> mask{}, in_range{}, size{};
    for (std::size_t i = 0; i < mask.size(); ++i) {
      const std::uint64_t number = shape->table[i];
      if (bytes->table[i] >= kSafe) return false;
      mask[i] =
          number < group_of_shape_.size() && group_of_shape_[number] >= 0 ? ~std::uint64_t{0} : 0;
      const auto value = static_cast<std::int64_t>(bytes->table[i]);
      const bool asked = std::all_of(asked_.begin(), asked_.end(),
                                     [value](const RowRange& range) { return range.holds(value); });
      in_range[i] = asked ? ~std::uint64_t{0} : 0;
      size[i] = asked ? bytes->table[i] : 0;
    }
    std::uint64_t sum = 0;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < shape->index.size(); ++i) {
      const std::uint64_t wanted = mask[shape->index[i]];
      sum += wanted & size[bytes->index[i]];
      count -= wanted & in_range[bytes->index[i]];  // minus all ones is plus one
    }
    Group& group = groups_[0];
    group.rows += count;
    group.measures[kBytes].count += count;
    group.measures[kBytes].sum += sum;
    return true;
  }

  std::optional<SqlValue> value_of(const Group& group, const SelectItem& item) const {
    if (item.aggregate == Aggregate::none) {
      const auto at = std::find(query_.groups.begin(), query_.groups.end(), *item.column);
      return group.key[static_cast<std::size_t>(at - query_.groups.begin())];
    }
    if (!item.column) return SqlValue(static_cast<std::int64_t>(group.rows));
    const Accumulator& values = group.measures[*measure_of(*item.column)];
    if (item.aggregate == Aggregate::count)
      return SqlValue(static_cast<std::int64_t>(values.count));
    if (values.count == 0) return SqlValue();
    switch (item.aggregate) {
      case Aggregate::sum:
        if (values.sum > INT64_MAX || values.sum < INT64_MIN) return std::nullopt;
        return SqlValue(static_cast<std::int64_t>(values.sum));
      case Aggregate::avg: {
        // SQLite adds up in a double: exact as long as the sum is.
        constexpr Wide kExact = Wide{1} << 53;
        if (values.sum > kExact || values.sum < -kExact) return std::nullopt;
        return SqlValue(static_cast<double>(static_cast<std::int64_t>(values.sum)) /
                        static_cast<double>(values.count));
      }
      case Aggregate::min:
        return SqlValue(values.min);
      default:
        return SqlValue(values.max);
    }
  }

  // By the terms of ORDER BY, then by all columns, so that answers do not depend on the file.
  [[nodiscard]] bool before(const std::vector<SqlValue>& a, const std::vector<SqlValue>& b) const {
    for (const OrderTerm& term : query_.order) {
      if (const int order = compare(a[term.item], b[term.item]); order != 0)
        return term.descending ? order > 0 : order < 0;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (const int order = compare(a[i], b[i]); order != 0) return order < 0;
    }
    return false;
  }

  const TraceReader& trace_;
  const SimpleQuery& query_;
  const QueryCallbacks& callbacks_;
  std::array<bool, kMeasures> uses_{};
  bool statistics_suffice_ = true;
  std::vector<const SimpleCondition*> by_row_;
  std::vector<RowRange> ranges_, asked_;  // those of them that are ranges; of this chunk
  bool only_ranges_ = true;
  std::vector<std::int32_t> group_of_shape_;
  std::vector<std::int64_t> bytes_;
  std::vector<Group> groups_;
  std::map<std::vector<SqlValue>, std::int32_t> numbers_;
  std::uint64_t read_ = 0;
};

// Chunks are independent: each processor takes every nth. The answer does not depend on how many
// there are. The caller's functions are called on the caller's thread only.
Status scan_columns(Execution& whole, const TraceReader& trace, const SimpleQuery& query,
                    const QueryCallbacks& callbacks) {
  constexpr std::size_t kChunksWorthAThread = 16;
  const std::size_t threads =
      std::clamp<std::size_t>(trace.chunks().size() / kChunksWorthAThread, 1,
                              std::max(1U, std::thread::hardware_concurrency()));
  std::atomic<bool> stop{false};
  QueryCallbacks of_others;
  of_others.cancelled = [&stop] { return stop.load(std::memory_order_relaxed); };
  std::deque<Execution> parts;
  std::vector<Status> done(threads, Status(Done{}));
  for (std::size_t i = 0; i < threads; ++i)
    parts.emplace_back(trace, query, i == 0 ? callbacks : of_others);
  const auto scan = [&](std::size_t i) {
    try {
      done[i] = parts[i].from_columns(i, threads);
    } catch (const std::bad_alloc&) {
      done[i] = Error{ErrorCode::no_memory, "the query takes more memory than there is"};
    }
    if (!done[i]) stop.store(true, std::memory_order_relaxed);
  };
  {
    std::vector<std::jthread> running;
    std::size_t started = 1;
    try {
      for (; started < threads; ++started) running.emplace_back(scan, started);
    } catch (const std::system_error&) {  // no more threads to be had: this one does their work
      for (std::size_t i = started; i < threads; ++i) scan(i);
    }
    scan(0);
  }
  for (std::size_t i = 0; i < threads; ++i) {
    if (!done[i]) return done[i];
    whole.add(parts[i]);
  }
  return Done{};
}

}  // namespace

std::optional<Result<QueryStats>> query_columns(const TraceReader& trace, const std::string& sql,
                                                const QueryCallbacks& callbacks) {
  const auto query = parse_simple(sql);
  if (!query) return std::nullopt;
  Execution execution(trace, *query, callbacks);
  QueryStats stats;
  stats.engine = "statistics";
  if (!execution.from_statistics()) {
    execution.forget();
    stats.engine = "columns";
    if (const Status done = scan_columns(execution, trace, *query, callbacks); !done)
      return Result<QueryStats>(done.error());
  }
  std::vector<std::vector<SqlValue>> rows;
  if (!execution.rows(rows)) return std::nullopt;
  std::vector<std::string> titles;
  for (const SelectItem& item : query->items) titles.push_back(item.title);
  if (callbacks.on_columns) callbacks.on_columns(titles);
  for (const auto& row : rows) {
    ++stats.rows;
    if (callbacks.on_row && !callbacks.on_row(row)) break;
  }
  stats.operations_read = execution.read();
  return Result<QueryStats>(stats);
}

}  // namespace peerscope
