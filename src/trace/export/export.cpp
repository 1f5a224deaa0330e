#include "trace/export/export.hpp"

#include "trace/export/formats.hpp"

namespace peerscope {
namespace {

constexpr Exporter kExporters[] = {
    {"perfetto", "perfetto-trace", "Perfetto's trace: open it at ui.perfetto.dev", export_perfetto},
    {"chrome", "json", "Chrome trace with Kineto's arguments: HTA, TraceLens, chrome://tracing",
     export_chrome},
    {"inspector", "inspector.jsonl", "NCCL Inspector's JSON lines", export_inspector},
    {"csv", "csv", "one line an operation", export_csv},
    {"json", "json", "one object with everything", export_json},
    {"jsonl", "jsonl", "one JSON object a line", export_jsonl},
    {"xml", "xml", "one document with everything", export_xml},
    {"parquet", "parquet", "columns, through DuckDB where it is installed", export_parquet},
};

}  // namespace

std::span<const Exporter> exporters() { return kExporters; }

const Exporter* find_exporter(std::string_view name) {
  for (const Exporter& exporter : exporters()) {
    if (name == exporter.name) return &exporter;
  }
  return nullptr;
}

}  // namespace peerscope
