// SQL over a trace. Tables: ops, marks, collectives, chunks, processes, communicators, devices,
// links, names, settings, measurements (docs/query.md). Nothing is copied into a database.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "trace/reader.hpp"

namespace peerscope {

using SqlValue =
    std::variant<std::monostate, std::int64_t, double, std::string>;  // monostate: NULL

struct QueryCallbacks {
  std::function<void(std::span<const std::string> columns)> on_columns;
  std::function<bool(std::span<const SqlValue> row)> on_row;  // false: enough
  std::function<bool()> cancelled;                            // asked now and then; may be empty
};

enum class QueryEngine { automatic, sqlite, duckdb };

struct QueryStats {
  std::string engine;  // "columns" (answered from columns), "statistics" (from what chunks
                       // say about themselves), "sqlite", "duckdb"
  std::uint64_t rows = 0;
  std::uint64_t operations_read = 0;
};

// One SELECT (or WITH ... SELECT). The error is SQL's own message, with what there is to know.
Result<QueryStats> query(const TraceReader& trace, const std::string& sql, QueryEngine engine,
                         const QueryCallbacks& callbacks);

}  // namespace peerscope
