// What nccl-tests -J writes.
#include <fmt/format.h>

#include "trace/import/formats.hpp"
#include "trace/import/nccl_tests.hpp"

namespace peerscope {

using nlohmann::json;

bool recognises_nccl_tests_json(std::string_view head) {
  return head.find("\"out_of_place\"") != std::string_view::npos ||
         (head.find("\"nccl_version\"") != std::string_view::npos &&
          head.find('{') != std::string_view::npos);
}

namespace {

Kind kind_of(const json& document, const ImportOptions& options) {
  for (const json* place : {&document, &member(document, "config")}) {
    for (const char* key : {"test", "test_name", "collective", "name"}) {
      if (const Kind kind = kind_of_name(text_of(*place, key)); kind != Kind::other) return kind;
    }
  }
  const json& args = member(document, "args");
  const json& first = args.is_array() && !args.empty() ? args[0] : args;
  if (first.is_string()) {
    if (const Kind kind = kind_of_name(first.get_ref<const std::string&>()); kind != Kind::other)
      return kind;
  }
  return kind_of_name(options.name);
}

void add_result(const json& result, Kind kind, NcclTestRows& rows, ImportCounts& counts) {
  NcclTestRow row;
  row.kind = kind;
  const auto bytes = count_of(result, "size");
  if (!bytes)
    return note_bad(counts,
                    fmt::format("result {}: its size is missing", counts.records + counts.bad));
  row.bytes = *bytes;
  row.dtype = dtype_of_name(text_of(result, "type"));
  row.root = static_cast<int>(
      std::min<std::uint64_t>(count_of(result, "root").value_or(kNoPeer), kNoPeer));
  bool any = false;
  for (const auto& [key, place] :
       {std::pair("out_of_place", "out-of-place"), std::pair("in_place", "in-place")}) {
    const json& side = member(result, key);
    const auto us = number_of(side, "time");
    if (!us) continue;
    any = true;
    rows.add(row, place,
             {*us, number_of(side, "alg_bw"), number_of(side, "bus_bw"),
              number_of(side, "nwrong").value_or(0)},
             counts);
  }
  if (any) {
    ++counts.records;
  } else {
    note_bad(counts, fmt::format("result {}: it has no time", counts.records + counts.bad));
  }
}

}  // namespace

Result<ImportCounts> import_nccl_tests_json(const ByteSource& source, const ImportOptions& options,
                                            ImportSink& sink) {
  const auto document = read_document(source);
  if (!document) return document.error();
  const json& results = member(*document, "results");
  if (!results.is_array()) return Error{ErrorCode::corrupt, "it has no results"};
  ImportCounts counts;
  NcclTestRows rows(sink);
  rows.set_version(text_of(*document, "version"));
  const json& config = member(*document, "config");
  for (const char* key : {"iters", "iterations", "n_iters"}) {
    if (const auto n = count_of(config, key); n && *n < 1'000'000'000)
      rows.set_iterations(static_cast<std::uint32_t>(*n));
  }
  const json& devices = member(*document, "devices");
  if (devices.is_array()) {
    for (const json& entry : devices) {
      TraceDevice device;
      device.index = static_cast<std::uint16_t>(count_of(entry, "device").value_or(kNoDevice));
      device.name = text_of(entry, "name");
      device.pci_bus_id = text_of(entry, "bus_id");
      rows.add_device(device);
    }
    rows.set_ranks(devices.size());
  }
  const Kind kind = kind_of(*document, options);
  for (const json& result : results) add_result(result, kind, rows, counts);
  if (counts.operations == 0)
    return Error{ErrorCode::corrupt,
                 counts.bad == 0 ? "its results are empty" : counts.first_problem};
  const json& average = member(*document, "average_bus_bandwidth");
  const auto gbs = average.is_object() ? number_of(average, "bandwidth")
                                       : number_of(*document, "average_bus_bandwidth");
  if (gbs) rows.add_measurement({"nccl-tests", "average busbw", "GB/s", *gbs, -1, -1, 0});
  rows.finish(sink);
  return counts;
}

}  // namespace peerscope
