// nvbandwidth -j: matrices of bandwidth or latency. They are no operations but measurements; of
// peer-to-peer cases each is a fact about a link, too.
#include <fmt/format.h>

#include "trace/import/formats.hpp"
#include "trace/import/input.hpp"

namespace peerscope {

using nlohmann::json;

bool recognises_nvbandwidth(std::string_view head) {
  return head.find("\"nvbandwidth\"") != std::string_view::npos;
}

namespace {

bool is_between_devices(const std::string& test) {
  return test.find("device_to_device") != std::string::npos ||
         test.find("device_latency") != std::string::npos;
}

// "2: NVIDIA H200 (00000000:8f:00)": index, name and bus.
void add_devices(const json& list, TraceMeta& meta) {
  if (!list.is_array()) return;
  for (const json& entry : list) {
    if (!entry.is_string()) continue;
    std::string text = entry.get<std::string>();
    TraceDevice device;
    device.index = static_cast<std::uint16_t>(meta.devices.size());
    if (const std::size_t colon = text.find(": "); colon != std::string::npos) {
      if (const auto index = parse_real(text.substr(0, colon));
          index && *index >= 0 && *index < kNoDevice)
        device.index = static_cast<std::uint16_t>(*index);
      text.erase(0, colon + 2);
    }
    if (const std::size_t open = text.rfind(" (");
        open != std::string::npos && text.back() == ')') {
      device.pci_bus_id = text.substr(open + 2, text.size() - open - 3);
      text.erase(open);
    }
    device.name = text;
    if (meta.devices.size() < 4096) meta.devices.push_back(std::move(device));
  }
}

void add_cell(const json& cell, const std::string& test, bool latency, std::int32_t row,
              std::int32_t column, TraceMeta& meta, ImportCounts& counts) {
  std::optional<double> value;
  if (cell.is_number()) value = cell.get<double>();
  if (cell.is_string()) {
    const std::string& text = cell.get_ref<const std::string&>();
    if (text == "N/A") return;  // no such pair
    value = parse_real(text);
  }
  if (!value)
    return note_bad(counts, fmt::format("{}: row {}, column {} is no number", test, row, column));
  ++counts.records;
  const bool pair = is_between_devices(test);
  // nvbandwidth's rows are sources of a write and targets of a read: as the test's name says.
  const bool read = test.find("_read_") != std::string::npos;
  const std::int32_t from = pair ? (read ? column : row) : -1;
  const std::int32_t to = pair ? (read ? row : column) : column;
  meta.measurements.push_back({"nvbandwidth", test, latency ? "ns" : "GB/s", *value, from, to, 0});
  if (!pair || latency || from == to) return;
  TraceLink link;
  link.from = static_cast<std::uint16_t>(from);
  link.to = static_cast<std::uint16_t>(to);
  link.measured_bytes_per_s = *value * 1e9;
  link.source = "nvbandwidth " + test;
  meta.links.push_back(std::move(link));
}

void add_case(const json& entry, TraceMeta& meta, ImportCounts& counts) {
  const std::string test = text_of(entry, "name");
  const std::string status = text_of(entry, "status");
  const json& matrix = member(entry, "bandwidth_matrix");
  if (!matrix.is_array()) {
    if (status == "Error") {
      note_bad(counts, fmt::format("{}: {}", test, status));
    } else {
      ++counts.skipped;  // waived, not found
    }
    return;
  }
  const bool latency =
      text_of(entry, "bandwidth_description").find("atency") != std::string::npos ||
      test.find("latency") != std::string::npos;
  constexpr std::size_t kMost = 1024;
  for (std::size_t row = 0; row < std::min(matrix.size(), kMost); ++row) {
    if (!matrix[row].is_array()) continue;
    for (std::size_t column = 0; column < std::min(matrix[row].size(), kMost); ++column)
      add_cell(matrix[row][column], test, latency, static_cast<std::int32_t>(row),
               static_cast<std::int32_t>(column), meta, counts);
  }
}

}  // namespace

Result<ImportCounts> import_nvbandwidth(const ByteSource& source, const ImportOptions&,
                                        ImportSink& sink) {
  const auto document = read_document(source);
  if (!document) return document.error();
  const json& body = member(*document, "nvbandwidth");
  const json& cases = member(body, "testcases");
  if (!cases.is_array()) return Error{ErrorCode::corrupt, "it has no nvbandwidth.testcases"};
  ImportCounts counts;
  TraceMeta meta;
  meta.tool = "nvbandwidth";
  meta.version = text_of(body, "git_version");
  meta.hosts.push_back({});
  for (const char* key : {"CUDA Runtime Version", "Driver Version"}) {
    if (const json& value = member(body, key); !value.is_null())
      meta.versions.push_back(
          {key, value.is_string() ? value.get<std::string>() : value.dump(), ""});
  }
  add_devices(member(body, "GPU Device list"), meta);
  for (const json& entry : cases) add_case(entry, meta, counts);
  if (counts.records == 0)
    return Error{ErrorCode::corrupt,
                 counts.bad == 0 ? "no test case has results" : counts.first_problem};
  sink.on_meta(meta);
  return counts;
}

}  // namespace peerscope
