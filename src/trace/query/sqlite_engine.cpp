#include "trace/query/sqlite_engine.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <sqlite3.h>

#include "trace/query/ops_table.hpp"
#include "trace/query/small_tables.hpp"

namespace peerscope {
namespace {

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

constexpr sqlite3_int64 kMostHeap = 160LL << 20;  // of SQLite's own: sorting spills to disk before

// Reading only, and nothing that reaches outside.
int authorize(void*, int action, const char* first, const char* second, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return std::string_view(second) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
    default:
      static_cast<void>(first);
      return SQLITE_DENY;
  }
}

void bind(sqlite3_stmt* statement, int at, const SqlValue& value) {
  switch (value.index()) {
    case 1:
      sqlite3_bind_int64(statement, at, std::get<1>(value));
      break;
    case 2:
      sqlite3_bind_double(statement, at, std::get<2>(value));
      break;
    case 3:
      sqlite3_bind_text(statement, at, std::get<3>(value).data(),
                        static_cast<int>(std::get<3>(value).size()), SQLITE_TRANSIENT);
      break;
    default:
      sqlite3_bind_null(statement, at);
  }
}

// A table that the query does not name stays empty.
void fill(sqlite3* database, const SmallTable& table, const TraceReader& trace, bool with_rows) {
  const auto run = [&](const std::string& sql) {
    sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr);
  };
  run(fmt::format("CREATE TABLE {} ({})", table.name, table.columns));
  if (!with_rows) return;
  const auto count = 1 + std::count(table.columns, table.columns + std::strlen(table.columns), ',');
  std::string places = "?";
  for (std::ptrdiff_t i = 1; i < count; ++i) places += ",?";
  sqlite3_stmt* raw = nullptr;
  sqlite3_prepare_v2(database,
                     fmt::format("INSERT INTO {} VALUES ({})", table.name, places).c_str(), -1,
                     &raw, nullptr);
  const Statement insert(raw);
  run("BEGIN");
  table.rows(trace, [&](const Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i)
      bind(insert.get(), static_cast<int>(i) + 1, row[i]);
    sqlite3_step(insert.get());
    sqlite3_reset(insert.get());
  });
  run("COMMIT");
}

SqlValue value_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT:
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
      return std::string(bytes == nullptr ? "" : bytes,
                         static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
    }
    default:
      return {};
  }
}

Error failed(sqlite3* database) {
  return {ErrorCode::invalid_argument, fmt::format("SQL: {}", sqlite3_errmsg(database))};
}

int ask_cancelled(void* callbacks) {
  const auto& asked = *static_cast<const QueryCallbacks*>(callbacks);
  return asked.cancelled && asked.cancelled() ? 1 : 0;
}

Result<QueryStats> step_all(sqlite3* database, sqlite3_stmt* statement,
                            const QueryCallbacks& callbacks, QueryStats stats) {
  const int columns = sqlite3_column_count(statement);
  std::vector<std::string> names;
  for (int i = 0; i < columns; ++i) names.emplace_back(sqlite3_column_name(statement, i));
  if (callbacks.on_columns) callbacks.on_columns(names);
  Row row(static_cast<std::size_t>(columns));
  for (;;) {
    const int status = sqlite3_step(statement);
    if (status == SQLITE_DONE) return stats;
    if (status == SQLITE_INTERRUPT) return Error{ErrorCode::timeout, "the query was stopped"};
    if (status != SQLITE_ROW) return failed(database);
    for (int i = 0; i < columns; ++i) row[static_cast<std::size_t>(i)] = value_of(statement, i);
    ++stats.rows;
    if (callbacks.on_row && !callbacks.on_row(row)) return stats;
  }
}

}  // namespace

Result<QueryStats> query_sqlite(const TraceReader& trace, const std::string& sql,
                                const QueryCallbacks& callbacks) {
  sqlite3* raw = nullptr;
  if (sqlite3_open_v2(":memory:", &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr) !=
      SQLITE_OK) {
    sqlite3_close(raw);
    return Error{ErrorCode::no_memory, "SQLite cannot be started"};
  }
  const Database database(raw);
  sqlite3_hard_heap_limit64(kMostHeap);
  OpsTableContext context{trace, 0, {}};
  register_ops_table(raw, context);
  for (const SmallTable& table : small_tables()) fill(raw, table, trace, mentions(sql, table.name));
  sqlite3_exec(raw, kCollectivesView, nullptr, nullptr, nullptr);
  // Connected now: declaring a table counts as making one, which is not allowed any more after this.
  sqlite3_exec(raw, "SELECT 1 FROM ops LIMIT 0", nullptr, nullptr, nullptr);
  sqlite3_set_authorizer(raw, authorize, nullptr);
  sqlite3_progress_handler(raw, 100'000, ask_cancelled, const_cast<QueryCallbacks*>(&callbacks));
  sqlite3_stmt* prepared = nullptr;
  const char* rest = nullptr;
  if (sqlite3_prepare_v2(raw, sql.c_str(), static_cast<int>(sql.size()), &prepared, &rest) !=
      SQLITE_OK)
    return failed(raw);
  const Statement statement(prepared);
  if (prepared == nullptr) return Error{ErrorCode::invalid_argument, "SQL: there is no statement"};
  if (std::string_view(rest).find_first_not_of(" \t\r\n;") != std::string_view::npos)
    return Error{ErrorCode::invalid_argument, "SQL: one statement at a time"};
  QueryStats stats;
  stats.engine = "sqlite";
  auto done = step_all(raw, prepared, callbacks, stats);
  if (done && !context.problem.empty())
    return Error{
        ErrorCode::corrupt,
        fmt::format("a part of the trace is damaged ({}); the rows are not all", context.problem)};
  if (done) done->operations_read = context.operations_read;
  return done;
}

}  // namespace peerscope
