#pragma once

#include "trace/query/query.hpp"

namespace peerscope {

// All that SQLite understands, row by row.
Result<QueryStats> query_sqlite(const TraceReader& trace, const std::string& sql,
                                const QueryCallbacks& callbacks);

}  // namespace peerscope
