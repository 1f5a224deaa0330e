// What the column scan adds up, and the conditions that it asks of each row.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "trace/query/simple_query.hpp"

namespace peerscope {

__extension__ using Wide = __int128;

// Sums are kept wider than they can become: SQLite's own overflow is an error there, and ours to
// leave to it.
struct Accumulator {
  std::uint64_t count = 0;  // of values that are known
  Wide sum = 0;
  std::int64_t min = INT64_MAX, max = INT64_MIN;

  void add(std::int64_t value) {
    ++count;
    sum += value;
    min = std::min(min, value);
    max = std::max(max, value);
  }
  void add(const Accumulator& other) {
    count += other.count;
    sum += other.sum;
    min = std::min(min, other.min);
    max = std::max(max, other.max);
  }
};

enum Measure : std::uint8_t { kBytes, kHost, kDevice, kBegin, kMeasures };

inline std::optional<Measure> measure_of(OpsColumn column) {
  switch (column) {
    case OpsColumn::bytes:
      return kBytes;
    case OpsColumn::host_duration_ns:
      return kHost;
    case OpsColumn::device_duration_ns:
      return kDevice;
    case OpsColumn::begin_ns:
      return kBegin;
    default:
      return std::nullopt;
  }
}

struct Group {
  std::vector<SqlValue> key;
  std::uint64_t rows = 0;
  std::array<Accumulator, kMeasures> measures;
};

inline bool holds(const SimpleCondition& condition, const SqlValue& value) {
  if (value.index() == 0) return false;
  if (condition.values.size() != 1)
    return std::any_of(condition.values.begin(), condition.values.end(),
                       [&](const SqlValue& v) { return compare(value, v) == 0; });
  const int order = compare(value, condition.values[0]);
  switch (condition.comparison) {
    case Comparison::eq:
      return order == 0;
    case Comparison::ne:
      return order != 0;
    case Comparison::lt:
      return order < 0;
    case Comparison::le:
      return order <= 0;
    case Comparison::gt:
      return order > 0;
    case Comparison::ge:
      return order >= 0;
  }
  return false;
}

// A condition on a number of each row, as a range.
struct RowRange {
  Measure measure = kBytes;
  std::int64_t least = INT64_MIN, most = INT64_MAX;

  [[nodiscard]] bool holds(std::int64_t value) const { return value >= least && value <= most; }
};

// Empty: it is no range (<>, IN).
inline std::optional<RowRange> range_of(const SimpleCondition& condition) {
  if (condition.values.size() != 1) return std::nullopt;
  const std::int64_t at = std::get<1>(condition.values[0]);
  RowRange range{*measure_of(condition.column), INT64_MIN, INT64_MAX};
  switch (condition.comparison) {
    case Comparison::eq:
      range.least = range.most = at;
      return range;
    case Comparison::lt:
      if (at == INT64_MIN) return std::nullopt;
      range.most = at - 1;
      return range;
    case Comparison::le:
      range.most = at;
      return range;
    case Comparison::gt:
      if (at == INT64_MAX) return std::nullopt;
      range.least = at + 1;
      return range;
    case Comparison::ge:
      range.least = at;
      return range;
    case Comparison::ne:
      break;
  }
  return std::nullopt;
}

}  // namespace peerscope
