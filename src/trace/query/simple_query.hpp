// The SQL that columns can answer: SELECT of columns and aggregates FROM ops with a conjunction of
// simple conditions, groups, order and limit. Everything else is SQLite's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trace/query/columns.hpp"

namespace peerscope {

enum class Aggregate : std::uint8_t { none, count, sum, avg, min, max };

struct SelectItem {
  Aggregate aggregate = Aggregate::none;
  std::optional<OpsColumn> column;  // empty: count(*)
  std::string title;                // as SQLite would call the column
};

enum class Comparison : std::uint8_t { eq, ne, lt, le, gt, ge };

struct SimpleCondition {
  OpsColumn column;
  Comparison comparison = Comparison::eq;
  std::vector<SqlValue> values;  // more than one: IN
};

struct OrderTerm {
  std::size_t item;
  bool descending = false;
};

struct SimpleQuery {
  std::vector<SelectItem> items;
  std::vector<SimpleCondition> conditions;
  std::vector<OpsColumn> groups;
  std::vector<OrderTerm> order;
  std::optional<std::uint64_t> limit;
};

// Empty if it is anything else, or if types would make it a matter of SQLite's rules.
std::optional<SimpleQuery> parse_simple(std::string_view sql);

}  // namespace peerscope
