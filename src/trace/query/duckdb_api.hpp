// The few functions of DuckDB's C API that we use, found at run time: nothing is linked. Declarations
// are our own, after DuckDB 1.1 to 1.5's duckdb.h (its C API is stable); tested with 1.5.6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace peerscope::duck {

using Database = void*;
using Connection = void*;
using DataChunk = void*;
using Vector = void*;
using LogicalType = void*;
using TableFunction = void*;
using Info = void*;  // of bind, init and function
using Count = std::uint64_t;

struct QueryResult {  // as in duckdb.h; passed by value
  Count deprecated_columns, deprecated_rows, deprecated_changed;
  void* deprecated_data;
  char* deprecated_error;
  void* internal;
};

struct StringValue {  // duckdb_string_t: up to 12 bytes lie inside
  std::uint32_t length;
  char prefix[4];
  const char* data;
  [[nodiscard]] std::string str() const {
    constexpr std::uint32_t kInline = 12;
    return length <= kInline ? std::string(prefix, length) : std::string(data, length);
  }
};
static_assert(sizeof(StringValue) == 16);

struct HugeValue {
  std::uint64_t low;
  std::int64_t high;
};

enum Type : int {
  kBoolean = 1,
  kTinyint = 2,
  kSmallint = 3,
  kInteger = 4,
  kBigint = 5,
  kUtinyint = 6,
  kUsmallint = 7,
  kUinteger = 8,
  kUbigint = 9,
  kFloat = 10,
  kDouble = 11,
  kHugeint = 16,
  kVarchar = 17,
};

struct Api {
  int (*open)(const char* path, Database* out);
  void (*close)(Database*);
  int (*connect)(Database, Connection* out);
  void (*disconnect)(Connection*);
  void (*interrupt)(Connection);
  int (*query)(Connection, const char* sql, QueryResult* out);
  void (*destroy_result)(QueryResult*);
  const char* (*result_error)(QueryResult*);
  Count (*column_count)(QueryResult*);
  const char* (*column_name)(QueryResult*, Count);
  int (*column_type)(QueryResult*, Count);
  DataChunk (*fetch_chunk)(QueryResult);
  void (*destroy_data_chunk)(DataChunk*);
  Count (*data_chunk_get_size)(DataChunk);
  void (*data_chunk_set_size)(DataChunk, Count);
  Vector (*data_chunk_get_vector)(DataChunk, Count);
  void* (*vector_get_data)(Vector);
  std::uint64_t* (*vector_get_validity)(Vector);
  void (*vector_ensure_validity_writable)(Vector);
  void (*vector_assign_string_element_len)(Vector, Count row, const char*, Count length);
  LogicalType (*create_logical_type)(int);
  void (*destroy_logical_type)(LogicalType*);
  TableFunction (*create_table_function)();
  void (*destroy_table_function)(TableFunction*);
  void (*table_function_set_name)(TableFunction, const char*);
  void (*table_function_set_extra_info)(TableFunction, void*, void (*)(void*));
  void (*table_function_set_bind)(TableFunction, void (*)(Info));
  void (*table_function_set_init)(TableFunction, void (*)(Info));
  void (*table_function_set_function)(TableFunction, void (*)(Info, DataChunk));
  void (*table_function_supports_projection_pushdown)(TableFunction, bool);
  int (*register_table_function)(Connection, TableFunction);
  void (*bind_add_result_column)(Info, const char* name, LogicalType);
  void* (*init_get_extra_info)(Info);
  void (*init_set_init_data)(Info, void*, void (*)(void*));
  void (*init_set_max_threads)(Info, Count);
  Count (*init_get_column_count)(Info);
  Count (*init_get_column_index)(Info, Count);
  void* (*function_get_init_data)(Info);
  void (*function_set_error)(Info, const char*);
  const char* (*library_version)();
};

// libduckdb.so of $PEERSCOPE_DUCKDB, beside our binary, of ~/.cache/peerscope/duckdb, or of the
// library path. The error says how to get it.
Result<const Api*> load_api();

}  // namespace peerscope::duck
