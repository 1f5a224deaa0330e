#include "trace/query/ops_table.hpp"

#include <optional>

#include <fmt/format.h>

namespace peerscope {
namespace {

struct Table : sqlite3_vtab {
  OpsTableContext* context;
};

// A condition that SQLite hands down. It checks again itself: what is done here only saves rows.
struct Condition {
  OpsColumn column;
  unsigned char op;  // SQLITE_INDEX_CONSTRAINT_*
  SqlValue value;
};

struct Cursor : sqlite3_vtab_cursor {
  OpsTableContext* context;
  std::vector<Condition> conditions;
  std::size_t next_chunk = 0;
  std::optional<OpsChunk> chunk;
  std::vector<bool> wanted;                  // by shape
  std::vector<std::vector<SqlValue>> shown;  // by shape: values of columns that the shape decides
  std::span<const std::uint32_t> index;
  std::size_t row = 0;
  std::int64_t rowid = 0;
};

bool holds(const Condition& condition, const SqlValue& value) {
  if (value.index() == 0) return false;
  const int order = compare(value, condition.value);
  switch (condition.op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
      return order == 0;
    case SQLITE_INDEX_CONSTRAINT_GT:
      return order > 0;
    case SQLITE_INDEX_CONSTRAINT_GE:
      return order >= 0;
    case SQLITE_INDEX_CONSTRAINT_LT:
      return order < 0;
    case SQLITE_INDEX_CONSTRAINT_LE:
      return order <= 0;
    default:
      return true;
  }
}

// Whether a chunk's times allow it to hold what is asked for.
bool may_hold(const ChunkInfo& info, const Condition& condition) {
  if (condition.column != OpsColumn::begin_ns || condition.value.index() != 1) return true;
  const std::int64_t at = std::get<1>(condition.value);
  switch (condition.op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
      return info.first_ns <= at && at <= info.last_ns;
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_GE:
      return info.last_ns >= at;
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE:
      return info.first_ns <= at;
    default:
      return true;
  }
}

bool shape_passes(const Cursor& cursor, const Op& shape) {
  for (const Condition& condition : cursor.conditions) {
    if (!is_of_shape(condition.column)) continue;
    if (!holds(condition, shape_value(cursor.context->trace.meta(), shape, condition.column)))
      return false;
  }
  return true;
}

// Opens the next chunk that may hold a row. False: there is none.
bool open_chunk(Cursor& cursor) {
  const auto& chunks = cursor.context->trace.chunks();
  for (; cursor.next_chunk < chunks.size(); ++cursor.next_chunk) {
    bool possible = true;
    for (const Condition& condition : cursor.conditions)
      possible = possible && may_hold(chunks[cursor.next_chunk], condition);
    if (!possible) continue;
    auto opened = cursor.context->trace.chunk(cursor.next_chunk);
    if (!opened) {
      cursor.context->problem = opened.error().message;
      continue;
    }
    cursor.chunk.emplace(std::move(*opened));
    cursor.wanted.clear();
    bool any = false;
    for (const Shape& shape : cursor.chunk->shapes()) {
      cursor.wanted.push_back(shape_passes(cursor, shape.op()));
      any = any || cursor.wanted.back();
    }
    if (!any) continue;
    cursor.index = cursor.chunk->shape_index();
    // Decoded once here: a damaged column is an error of the query, not a row of nothing.
    if (!cursor.chunk->status()) {
      cursor.context->problem = cursor.chunk->status().error().message;
      continue;
    }
    cursor.shown.assign(cursor.wanted.size(), {});
    cursor.context->operations_read += cursor.chunk->size();
    cursor.row = 0;
    ++cursor.next_chunk;
    return true;
  }
  cursor.chunk.reset();
  return false;
}

void advance(Cursor& cursor) {
  for (;;) {
    if (!cursor.chunk) return;
    while (cursor.row < cursor.index.size() && !cursor.wanted[cursor.index[cursor.row]])
      ++cursor.row;
    if (cursor.row < cursor.index.size()) return;
    if (!open_chunk(cursor)) return;
  }
}

int connect(sqlite3* database, void* context, int, const char* const*, sqlite3_vtab** out, char**) {
  std::string declaration = "CREATE TABLE ops(";
  for (std::size_t i = 0; i < kOpsColumns; ++i) {
    const OpsColumnInfo& column = info(static_cast<OpsColumn>(i));
    declaration += fmt::format("{}{} {}", i == 0 ? "" : ",", column.name, column.type);
  }
  const int status = sqlite3_declare_vtab(database, (declaration + ")").c_str());
  if (status != SQLITE_OK) return status;
  auto* table = new Table{};
  table->context = static_cast<OpsTableContext*>(context);
  *out = table;
  return SQLITE_OK;
}

int disconnect(sqlite3_vtab* table) {
  delete static_cast<Table*>(table);
  return SQLITE_OK;
}

int best_index(sqlite3_vtab* table, sqlite3_index_info* query) {
  const auto& context = *static_cast<Table*>(table)->context;
  std::string plan;
  double rows = static_cast<double>(context.trace.operations()) + 1;
  int arguments = 0;
  for (int i = 0; i < query->nConstraint; ++i) {
    const auto& constraint = query->aConstraint[i];
    if (constraint.usable == 0 || constraint.iColumn < 0) continue;
    const auto column = static_cast<OpsColumn>(constraint.iColumn);
    if (!is_of_shape(column) && column != OpsColumn::begin_ns) continue;
    const unsigned char op = constraint.op;
    if (op != SQLITE_INDEX_CONSTRAINT_EQ && op != SQLITE_INDEX_CONSTRAINT_GT &&
        op != SQLITE_INDEX_CONSTRAINT_GE && op != SQLITE_INDEX_CONSTRAINT_LT &&
        op != SQLITE_INDEX_CONSTRAINT_LE)
      continue;
    query->aConstraintUsage[i].argvIndex = ++arguments;
    plan += static_cast<char>('0' + constraint.iColumn);
    plan += static_cast<char>(op);
    rows *= op == SQLITE_INDEX_CONSTRAINT_EQ ? 0.1 : 0.5;
  }
  query->idxStr = sqlite3_mprintf("%s", plan.c_str());
  query->needToFreeIdxStr = 1;
  query->estimatedRows = static_cast<sqlite3_int64>(rows);
  query->estimatedCost = rows;
  return query->idxStr == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

int open_cursor(sqlite3_vtab* table, sqlite3_vtab_cursor** out) {
  auto* cursor = new Cursor{};
  cursor->context = static_cast<Table*>(table)->context;
  *out = cursor;
  return SQLITE_OK;
}

int close_cursor(sqlite3_vtab_cursor* cursor) {
  delete static_cast<Cursor*>(cursor);
  return SQLITE_OK;
}

SqlValue value_of(sqlite3_value* value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_value_int64(value)};
    case SQLITE_FLOAT:
      return sqlite3_value_double(value);
    case SQLITE_TEXT:
      return std::string(reinterpret_cast<const char*>(sqlite3_value_text(value)),
                         static_cast<std::size_t>(sqlite3_value_bytes(value)));
    default:
      return {};
  }
}

int filter(sqlite3_vtab_cursor* base, int, const char* plan, int count, sqlite3_value** values) {
  Cursor& cursor = *static_cast<Cursor*>(base);
  cursor.conditions.clear();
  for (int i = 0; i < count; ++i) {
    Condition condition{static_cast<OpsColumn>(plan[2 * i] - '0'),
                        static_cast<unsigned char>(plan[2 * i + 1]), value_of(values[i])};
    // Other types are compared by rules of SQLite's own; it does that.
    const bool is_text = std::string_view(info(condition.column).type) == "TEXT";
    if (condition.value.index() == (is_text ? 3 : 1))
      cursor.conditions.push_back(std::move(condition));
  }
  cursor.next_chunk = 0;
  cursor.rowid = 0;
  cursor.chunk.reset();
  if (open_chunk(cursor)) advance(cursor);
  return SQLITE_OK;
}

int next(sqlite3_vtab_cursor* base) {
  Cursor& cursor = *static_cast<Cursor*>(base);
  ++cursor.row;
  ++cursor.rowid;
  advance(cursor);
  return SQLITE_OK;
}

int eof(sqlite3_vtab_cursor* base) { return static_cast<Cursor*>(base)->chunk ? 0 : 1; }

void give(sqlite3_context* out, const SqlValue& value, bool stays) {
  switch (value.index()) {
    case 1:
      return sqlite3_result_int64(out, std::get<1>(value));
    case 2:
      return sqlite3_result_double(out, std::get<2>(value));
    case 3: {
      const std::string& text = std::get<3>(value);
      return sqlite3_result_text(out, text.data(), static_cast<int>(text.size()),
                                 stays ? SQLITE_STATIC : SQLITE_TRANSIENT);
    }
    default:
      return sqlite3_result_null(out);
  }
}

int column(sqlite3_vtab_cursor* base, sqlite3_context* out, int number) {
  Cursor& cursor = *static_cast<Cursor*>(base);
  const auto which = static_cast<OpsColumn>(number);
  if (!is_of_shape(which)) {
    const SqlValue value = op_value(*cursor.chunk, cursor.row, which);
    give(out, value, false);
    return SQLITE_OK;
  }
  const std::uint32_t shape = cursor.index[cursor.row];
  std::vector<SqlValue>& values = cursor.shown[shape];
  if (values.empty()) {
    const Op op = cursor.chunk->shapes()[shape].op();
    for (std::size_t i = 0; i < kOpsColumns; ++i)
      values.push_back(shape_value(cursor.context->trace.meta(), op, static_cast<OpsColumn>(i)));
  }
  give(out, values[static_cast<std::size_t>(number)], false);
  return SQLITE_OK;
}

int rowid(sqlite3_vtab_cursor* base, sqlite3_int64* out) {
  *out = static_cast<Cursor*>(base)->rowid;
  return SQLITE_OK;
}

sqlite3_module make_module() {
  sqlite3_module module{};
  module.xConnect = connect;  // without xCreate: there is one such table, and nobody makes another
  module.xBestIndex = best_index;
  module.xDisconnect = disconnect;
  module.xOpen = open_cursor;
  module.xClose = close_cursor;
  module.xFilter = filter;
  module.xNext = next;
  module.xEof = eof;
  module.xColumn = column;
  module.xRowid = rowid;
  return module;
}

}  // namespace

int register_ops_table(sqlite3* database, OpsTableContext& context) {
  static const sqlite3_module module = make_module();
  return sqlite3_create_module_v2(database, "ops", &module, &context, nullptr);
}

}  // namespace peerscope
