// DuckDB over a trace, where its library is there: the table `ops` is a function that hands it
// columns as it asks for them.
#pragma once

#include "trace/query/query.hpp"

namespace peerscope {

Result<QueryStats> query_duckdb(const TraceReader& trace, const std::string& sql,
                                const QueryCallbacks& callbacks);

// All operations that pass, as a Parquet file. Returns how many.
Result<std::uint64_t> write_parquet(const TraceReader& trace, const OpFilter& filter,
                                    const std::string& path);

}  // namespace peerscope
