// Parquet, written by DuckDB where it is there. DuckDB writes files: ours goes by way of one that is
// removed again.
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "trace/export/formats.hpp"
#include "trace/query/duckdb_engine.hpp"

namespace peerscope {

Result<ExportCounts> export_parquet(const TraceReader& trace, const ExportOptions& options,
                                    ByteSink& sink) {
  std::error_code error;
  const std::string path =
      (std::filesystem::temp_directory_path(error) / fmt::format("peerscope-{}.parquet", getpid()))
          .string();
  const auto rows = write_parquet(trace, options.filter, path);
  if (!rows) {
    std::filesystem::remove(path, error);
    return rows.error();
  }
  std::FILE* file = std::fopen(path.c_str(), "re");
  std::string block(1 << 20, '\0');
  for (std::size_t n = 0;
       file != nullptr && (n = std::fread(block.data(), 1, block.size(), file)) > 0;)
    sink.write(std::string_view(block).substr(0, n));
  if (file != nullptr) std::fclose(file);
  std::filesystem::remove(path, error);
  ExportCounts counts;
  counts.operations = *rows;
  return counts;
}

}  // namespace peerscope
