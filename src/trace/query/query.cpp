#include "trace/query/query.hpp"

#include "trace/query/duckdb_engine.hpp"
#include "trace/query/fast_path.hpp"
#include "trace/query/sqlite_engine.hpp"

namespace peerscope {

Result<QueryStats> query(const TraceReader& trace, const std::string& sql, QueryEngine engine,
                         const QueryCallbacks& callbacks) {
  if (engine == QueryEngine::automatic) {
    if (auto answered = query_columns(trace, sql, callbacks)) return std::move(*answered);
  }
  if (engine == QueryEngine::duckdb) return query_duckdb(trace, sql, callbacks);
  return query_sqlite(trace, sql, callbacks);
}

}  // namespace peerscope
