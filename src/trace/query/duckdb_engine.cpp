#include "trace/query/duckdb_engine.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "trace/query/columns.hpp"
#include "trace/query/duckdb_api.hpp"
#include "trace/query/small_tables.hpp"

namespace peerscope {
namespace {

using duck::Api;

struct Source {
  const Api* api;
  const TraceReader* trace;
  OpFilter filter;
  std::uint64_t rows = 0;
};

// One scan of `ops`.
struct Scan {
  Source* source;
  std::vector<OpsColumn> columns;  // that are asked for
  std::size_t next_chunk = 0, row = 0;
  std::optional<OpsChunk> chunk;
  std::vector<std::vector<SqlValue>> shown;  // by shape, made when first seen

  // Moves to a chunk with rows left. False: there is none; `problem` if the file is damaged.
  bool advance(std::string& problem) {
    while (!chunk || row >= chunk->size()) {
      if (next_chunk >= source->trace->chunks().size()) return false;
      auto opened = source->trace->chunk(next_chunk++);
      if (!opened || opened->shapes().empty() || opened->shape_index().empty()) {
        problem = opened ? "a chunk is damaged" : opened.error().message;
        return false;
      }
      chunk.emplace(std::move(*opened));
      shown.assign(chunk->shapes().size(), {});
      row = 0;
    }
    return true;
  }

  SqlValue value(OpsColumn column) {
    if (!is_of_shape(column)) return op_value(*chunk, row, column);
    const std::uint32_t shape = chunk->shape_index()[row];
    if (shown[shape].empty()) {
      const Op op = chunk->shapes()[shape].op();
      for (std::size_t i = 0; i < kOpsColumns; ++i)
        shown[shape].push_back(shape_value(source->trace->meta(), op, static_cast<OpsColumn>(i)));
    }
    return shown[shape][static_cast<std::size_t>(column)];
  }

  [[nodiscard]] bool passes() {
    const OpFilter& filter = source->filter;
    Op op = chunk->shapes()[chunk->shape_index()[row]].op();
    op.begin_ns = chunk->times(Column::begin)[row];
    op.bytes = chunk->values(Column::bytes)[row];
    return filter.passes(op);
  }
};

const Api* g_api =
    nullptr;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): bind gets no argument of ours

bool is_text(OpsColumn column) { return std::string_view(info(column).type) == "TEXT"; }

void bind(duck::Info bind_info) {
  for (std::size_t i = 0; i < kOpsColumns; ++i) {
    const auto column = static_cast<OpsColumn>(i);
    duck::LogicalType type =
        g_api->create_logical_type(is_text(column) ? duck::kVarchar : duck::kBigint);
    g_api->bind_add_result_column(bind_info, info(column).name, type);
    g_api->destroy_logical_type(&type);
  }
}

void init(duck::Info init_info) {
  auto scan = std::make_unique<Scan>();
  scan->source = static_cast<Source*>(g_api->init_get_extra_info(init_info));
  for (duck::Count i = 0; i < g_api->init_get_column_count(init_info); ++i)
    scan->columns.push_back(static_cast<OpsColumn>(g_api->init_get_column_index(init_info, i)));
  g_api->init_set_max_threads(init_info, 1);
  g_api->init_set_init_data(init_info, scan.release(),
                            [](void* data) { delete static_cast<Scan*>(data); });
}

void put(const Api& api, duck::Vector vector, duck::Count row, const SqlValue& value) {
  if (value.index() == 1) {
    static_cast<std::int64_t*>(api.vector_get_data(vector))[row] = std::get<1>(value);
  } else if (value.index() == 3) {
    const std::string& text = std::get<3>(value);
    api.vector_assign_string_element_len(vector, row, text.data(), text.size());
  } else {
    api.vector_ensure_validity_writable(vector);
    api.vector_get_validity(vector)[row / 64] &= ~(std::uint64_t{1} << (row % 64));
  }
}

void produce(duck::Info function_info, duck::DataChunk out) {
  constexpr duck::Count kVectorSize = 2048;
  Scan& scan = *static_cast<Scan*>(g_api->function_get_init_data(function_info));
  std::string problem;
  duck::Count count = 0;
  while (count < kVectorSize && scan.advance(problem)) {
    if (scan.passes()) {
      for (std::size_t i = 0; i < scan.columns.size(); ++i)
        put(*g_api, g_api->data_chunk_get_vector(out, i), count, scan.value(scan.columns[i]));
      ++count;
    }
    ++scan.row;
  }
  scan.source->rows += count;
  if (!problem.empty()) g_api->function_set_error(function_info, problem.c_str());
  g_api->data_chunk_set_size(out, count);
}

class Session {
 public:
  static Result<std::unique_ptr<Session>> open(const TraceReader& trace, const OpFilter& filter) {
    const auto api = duck::load_api();
    if (!api) return api.error();
    auto session = std::make_unique<Session>(**api, trace, filter);
    if ((*api)->open(nullptr, &session->database_) != 0 ||
        (*api)->connect(session->database_, &session->connection_) != 0)
      return Error{ErrorCode::no_memory, "DuckDB cannot be started"};
    session->add_ops();
    // Memory as for SQLite; what is larger goes to disk.
    session->run(
        "SET memory_limit='200MB'; SET threads=1; SET autoinstall_known_extensions=false; SET "
        "autoload_known_extensions=false");
    return session;
  }
  Session(const Api& api, const TraceReader& trace, const OpFilter& filter)
      : api_(api), source_{&api, &trace, filter, 0} {
    g_api = &api;
  }
  ~Session() {
    if (connection_ != nullptr) api_.disconnect(&connection_);
    if (database_ != nullptr) api_.close(&database_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The error of a statement without rows; "" if there was none.
  std::string run(const std::string& sql) {
    duck::QueryResult result{};
    std::string problem;
    if (api_.query(connection_, sql.c_str(), &result) != 0)
      problem = api_.result_error(&result) != nullptr ? api_.result_error(&result) : "it failed";
    api_.destroy_result(&result);
    return problem;
  }

  void add_small_tables(const std::string& sql) {
    for (const SmallTable& table : small_tables()) {
      run(fmt::format("CREATE TABLE {} ({})", table.name, table.columns));
      if (!mentions(sql, table.name)) continue;
      std::string values;
      const auto insert = [&] {
        if (!values.empty()) run(fmt::format("INSERT INTO {} VALUES {}", table.name, values));
        values.clear();
      };
      table.rows(*source_.trace, [&](const Row& row) {
        values += values.empty() ? "(" : ",(";
        for (std::size_t i = 0; i < row.size(); ++i)
          values += (i == 0 ? "" : ",") + literal(row[i]);
        values += ")";
        if (values.size() > 100'000) insert();
      });
      insert();
    }
  }

  const Api& api_;
  Source source_;
  duck::Database database_ = nullptr;
  duck::Connection connection_ = nullptr;

 private:
  void add_ops() {
    duck::TableFunction function = api_.create_table_function();
    api_.table_function_set_name(function, "peerscope_ops");
    api_.table_function_set_extra_info(function, &source_, nullptr);
    api_.table_function_set_bind(function, bind);
    api_.table_function_set_init(function, init);
    api_.table_function_set_function(function, produce);
    api_.table_function_supports_projection_pushdown(function, true);
    api_.register_table_function(connection_, function);
    api_.destroy_table_function(&function);
    run("CREATE VIEW ops AS SELECT * FROM peerscope_ops()");
  }

  static std::string literal(const SqlValue& value) {
    switch (value.index()) {
      case 1:
        return std::to_string(std::get<1>(value));
      case 2:
        return fmt::format("{}", std::get<2>(value));
      case 3: {
        std::string out = "'";
        for (const char c : std::get<3>(value)) {
          if (c == '\'') out += '\'';
          if (c != '\0') out += c;
        }
        return out + "'";
      }
      default:
        return "NULL";
    }
  }
};

template <class T>
SqlValue integer(const void* data, duck::Count row) {
  const T value = static_cast<const T*>(data)[row];
  if (static_cast<std::uint64_t>(value) > INT64_MAX && std::is_unsigned_v<T>)
    return static_cast<double>(value);
  return static_cast<std::int64_t>(value);
}

// Empty: a type that we do not show.
std::optional<SqlValue> value_at(int type, const void* data, duck::Count row) {
  switch (type) {
    case duck::kBoolean:
    case duck::kUtinyint:
      return integer<std::uint8_t>(data, row);
    case duck::kTinyint:
      return integer<std::int8_t>(data, row);
    case duck::kSmallint:
      return integer<std::int16_t>(data, row);
    case duck::kUsmallint:
      return integer<std::uint16_t>(data, row);
    case duck::kInteger:
      return integer<std::int32_t>(data, row);
    case duck::kUinteger:
      return integer<std::uint32_t>(data, row);
    case duck::kBigint:
      return integer<std::int64_t>(data, row);
    case duck::kUbigint:
      return integer<std::uint64_t>(data, row);
    case duck::kFloat:
      return static_cast<double>(static_cast<const float*>(data)[row]);
    case duck::kDouble:
      return static_cast<const double*>(data)[row];
    case duck::kHugeint: {
      const auto& huge = static_cast<const duck::HugeValue*>(data)[row];
      if ((huge.high == 0 && huge.low <= INT64_MAX) || (huge.high == -1 && huge.low > INT64_MAX))
        return static_cast<std::int64_t>(huge.low);
      return static_cast<double>(huge.high) * 0x1p64 + static_cast<double>(huge.low);
    }
    case duck::kVarchar:
      return static_cast<const duck::StringValue*>(data)[row].str();
    default:
      return std::nullopt;
  }
}

// False: the callee has enough, or a type is unknown (said in `problem`).
bool give_chunk(const Api& api, duck::QueryResult& result, duck::DataChunk chunk,
                const QueryCallbacks& callbacks, QueryStats& stats, std::string& problem) {
  const duck::Count columns = api.column_count(&result);
  Row row(columns);
  for (duck::Count r = 0; r < api.data_chunk_get_size(chunk); ++r) {
    for (duck::Count c = 0; c < columns; ++c) {
      const duck::Vector vector = api.data_chunk_get_vector(chunk, c);
      const std::uint64_t* validity = api.vector_get_validity(vector);
      const bool known = validity == nullptr || (validity[r / 64] >> (r % 64) & 1) != 0;
      const auto value = known
                             ? value_at(api.column_type(&result, c), api.vector_get_data(vector), r)
                             : SqlValue();
      if (!value) {
        problem =
            fmt::format("SQL: column {} is of a type that is not shown here; CAST it to VARCHAR",
                        api.column_name(&result, c));
        return false;
      }
      row[c] = *value;
    }
    ++stats.rows;
    if (callbacks.on_row && !callbacks.on_row(row)) return false;
  }
  return true;
}

}  // namespace

Result<QueryStats> query_duckdb(const TraceReader& trace, const std::string& sql,
                                const QueryCallbacks& callbacks) {
  auto session = Session::open(trace, {});
  if (!session) return session.error();
  const Api& api = (*session)->api_;
  (*session)->add_small_tables(sql);
  // From here on nothing reaches files or the network, and nothing can be set back.
  (*session)->run("SET enable_external_access=false; SET lock_configuration=true");
  duck::QueryResult result{};
  if (api.query((*session)->connection_, sql.c_str(), &result) != 0) {
    const char* why = api.result_error(&result);
    std::string text = fmt::format("SQL: {}", why != nullptr ? why : "it failed");
    api.destroy_result(&result);
    return Error{ErrorCode::invalid_argument, text.substr(0, text.find('\n'))};
  }
  QueryStats stats;
  stats.engine = "duckdb";
  std::vector<std::string> names;
  for (duck::Count i = 0; i < api.column_count(&result); ++i)
    names.emplace_back(api.column_name(&result, i));
  if (callbacks.on_columns) callbacks.on_columns(names);
  std::string problem;
  for (bool more = true; more;) {
    duck::DataChunk chunk = api.fetch_chunk(result);
    if (chunk == nullptr) break;
    more = give_chunk(api, result, chunk, callbacks, stats, problem);
    api.destroy_data_chunk(&chunk);
    if (callbacks.cancelled && callbacks.cancelled()) problem = "the query was stopped";
    more = more && problem.empty();
  }
  api.destroy_result(&result);
  if (!problem.empty()) return Error{ErrorCode::invalid_argument, problem};
  stats.operations_read = (*session)->source_.rows;
  return stats;
}

Result<std::uint64_t> write_parquet(const TraceReader& trace, const OpFilter& filter,
                                    const std::string& path) {
  auto session = Session::open(trace, filter);
  if (!session) return session.error();
  std::string quoted;
  for (const char c : path) quoted += c == '\'' ? "''" : std::string(1, c);
  const std::string problem = (*session)->run(
      fmt::format("COPY (SELECT * FROM ops) TO '{}' (FORMAT parquet, COMPRESSION zstd)", quoted));
  if (!problem.empty())
    return Error{ErrorCode::io, fmt::format("DuckDB: {}", problem.substr(0, problem.find('\n')))};
  return (*session)->source_.rows;
}

}  // namespace peerscope
