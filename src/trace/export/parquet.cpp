#include "trace/export/formats.hpp"

namespace peerscope {

Result<ExportCounts> export_parquet(const TraceReader&, const ExportOptions&, ByteSink&) {
  return Error{ErrorCode::unsupported,
               "Parquet is written by DuckDB, which was not found; get it with: ./dev deps --all"};
}

}  // namespace peerscope
