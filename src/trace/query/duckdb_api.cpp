#include "trace/query/duckdb_api.hpp"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>

namespace peerscope::duck {
namespace {

std::vector<std::string> places() {
  std::vector<std::string> all;
  if (const char* given = std::getenv("PEERSCOPE_DUCKDB"); given != nullptr && *given != '\0') {
    all.emplace_back(given);
    return all;
  }
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) all.push_back((self.parent_path() / "../lib/libduckdb.so").string());
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0')
    all.push_back(std::string(cache) + "/peerscope/duckdb/libduckdb.so");
  if (const char* home = std::getenv("HOME"); home != nullptr)
    all.push_back(std::string(home) + "/.cache/peerscope/duckdb/libduckdb.so");
  all.emplace_back("libduckdb.so");
  return all;
}

struct Loaded {
  Api api{};
  std::string missing;
};

template <class F>
void find(void* library, const char* name, F*& out, std::string& missing) {
  const std::string symbol = fmt::format("duckdb_{}", name);
  out = reinterpret_cast<F*>(dlsym(library, symbol.c_str()));
  if (out == nullptr && missing.empty()) missing = symbol;
}

#define PSCOPE_DUCK(name) find(library, #name, api.name, loaded.missing)
void find_all(void* library, Loaded& loaded) {
  Api& api = loaded.api;
  PSCOPE_DUCK(open), PSCOPE_DUCK(close), PSCOPE_DUCK(connect), PSCOPE_DUCK(disconnect);
  PSCOPE_DUCK(interrupt), PSCOPE_DUCK(query), PSCOPE_DUCK(destroy_result),
      PSCOPE_DUCK(result_error);
  PSCOPE_DUCK(column_count), PSCOPE_DUCK(column_name), PSCOPE_DUCK(column_type);
  PSCOPE_DUCK(fetch_chunk), PSCOPE_DUCK(destroy_data_chunk), PSCOPE_DUCK(data_chunk_get_size);
  PSCOPE_DUCK(data_chunk_set_size), PSCOPE_DUCK(data_chunk_get_vector),
      PSCOPE_DUCK(vector_get_data);
  PSCOPE_DUCK(vector_get_validity), PSCOPE_DUCK(vector_ensure_validity_writable);
  PSCOPE_DUCK(vector_assign_string_element_len), PSCOPE_DUCK(create_logical_type);
  PSCOPE_DUCK(destroy_logical_type), PSCOPE_DUCK(create_table_function);
  PSCOPE_DUCK(destroy_table_function), PSCOPE_DUCK(table_function_set_name);
  PSCOPE_DUCK(table_function_set_extra_info), PSCOPE_DUCK(table_function_set_bind);
  PSCOPE_DUCK(table_function_set_init), PSCOPE_DUCK(table_function_set_function);
  PSCOPE_DUCK(table_function_supports_projection_pushdown), PSCOPE_DUCK(register_table_function);
  PSCOPE_DUCK(bind_add_result_column), PSCOPE_DUCK(init_get_extra_info);
  PSCOPE_DUCK(init_set_init_data), PSCOPE_DUCK(init_set_max_threads);
  PSCOPE_DUCK(init_get_column_count), PSCOPE_DUCK(init_get_column_index);
  PSCOPE_DUCK(function_get_init_data), PSCOPE_DUCK(function_set_error),
      PSCOPE_DUCK(library_version);
}
#undef PSCOPE_DUCK

}  // namespace

Result<const Api*> load_api() {
  static Loaded loaded;  // a library stays where it is
  static void* library = nullptr;
  if (library == nullptr) {
    for (const std::string& place : places()) {
      library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library != nullptr) break;
    }
    if (library == nullptr)
      return Error{ErrorCode::unsupported,
                   "DuckDB was not found; get it with ./dev deps --all, or name libduckdb.so in "
                   "PEERSCOPE_DUCKDB"};
    find_all(library, loaded);
  }
  if (!loaded.missing.empty())
    return Error{ErrorCode::unsupported,
                 fmt::format("this libduckdb.so is another version: it has no {}", loaded.missing)};
  return &loaded.api;
}

}  // namespace peerscope::duck
