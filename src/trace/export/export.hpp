// A trace in somebody else's format. One file a format; export.cpp lists them all. Memory does not
// grow with the trace.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "trace/reader.hpp"

namespace peerscope {

// Where an export goes. Keeps the first error; writing after it does nothing.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void write(std::string_view bytes) = 0;
  [[nodiscard]] virtual Status finish() = 0;  // flushes; says what went wrong, if anything did
};

struct ExportOptions {
  OpFilter filter;
  // Called now and then with the operations done so far.
  std::function<void(std::uint64_t done)> progress;
  std::function<bool()> cancelled;  // asked for each chunk; true: nobody wants the rest
};

struct ExportCounts {  // what was written, for the reader's own check
  std::uint64_t operations = 0, marks = 0, flows = 0;
};

struct Exporter {
  const char* name;       // "csv", as --to takes it
  const char* extension;  // "csv"
  const char* summary;    // one line for --help
  Result<ExportCounts> (*run)(const TraceReader& trace, const ExportOptions& options,
                              ByteSink& out);
};

std::span<const Exporter> exporters();
const Exporter* find_exporter(std::string_view name);  // null: there is none

}  // namespace peerscope
