// The table `ops` for SQLite, straight from the chunks.
#pragma once

#include <functional>

#include <sqlite3.h>

#include "trace/query/columns.hpp"

namespace peerscope {

struct OpsTableContext {
  const TraceReader& trace;
  std::uint64_t operations_read = 0;
  std::string problem;  // what was wrong with the file
};

// `context` must live as long as the connection.
int register_ops_table(sqlite3* database, OpsTableContext& context);

}  // namespace peerscope
