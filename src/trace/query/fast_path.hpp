#pragma once

#include <optional>

#include "trace/query/query.hpp"

namespace peerscope {

// Answers what parse_simple() understands from columns, or from what chunks know about themselves.
// Empty: ask SQLite. What it answers is what SQLite would (tested one against the other).
std::optional<Result<QueryStats>> query_columns(const TraceReader& trace, const std::string& sql,
                                                const QueryCallbacks& callbacks);

}  // namespace peerscope
