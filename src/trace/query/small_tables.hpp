// The tables beside `ops`: few rows, so that they are copied.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "trace/query/query.hpp"

namespace peerscope {

using Row = std::vector<SqlValue>;

struct SmallTable {
  const char* name;
  const char* columns;  // "index INTEGER, name TEXT"
  // Calls with each row.
  void (*rows)(const TraceReader& trace, const std::function<void(Row)>& add);
};

std::span<const SmallTable> small_tables();

// Whether a question may be about a table: only then it is filled.
bool mentions(const std::string& sql, std::string_view table);

// The view of collectives over `ops`.
extern const char* const kCollectivesView;

}  // namespace peerscope
