// The exporters that export.cpp lists.
#pragma once

#include "trace/export/export.hpp"

namespace peerscope {

using ExportFunction = Result<ExportCounts>(const TraceReader&, const ExportOptions&, ByteSink&);
ExportFunction export_csv, export_json, export_jsonl, export_xml, export_chrome, export_inspector,
    export_perfetto, export_parquet;

}  // namespace peerscope
