// Somebody else's measurements as a trace. One file a format; import.cpp lists them all. Input is
// never trusted: bad input is an error with a line or byte number, never a crash, and memory stays
// bounded by what one record needs (JSON documents that must be read whole: by a limit).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "trace/mark.hpp"
#include "trace/meta.hpp"

namespace peerscope {

// Takes what an importer reads, in any order of time; meta once, at the end.
class ImportSink {
 public:
  virtual ~ImportSink() = default;
  virtual void on_ops(std::span<const Op> ops) = 0;
  virtual void on_mark(const Mark& mark) = 0;
  virtual void on_meta(const TraceMeta& meta) = 0;
};

// Bytes of the input, pulled: fills `out`, returns how many; 0 at the end.
using ByteSource = std::function<std::size_t(std::span<char> out)>;

struct ImportOptions {
  std::string name;  // of the file, for messages and where the format keeps facts in file names
};

struct ImportCounts {
  std::uint64_t records = 0;  // lines, events, rows that became operations or measurements
  std::uint64_t operations = 0;
  std::uint64_t skipped = 0;  // understood, but not about communication
  std::uint64_t bad = 0;      // could not be understood; the first is in `first_problem`
  std::string first_problem;  // "line 17: ..."
};

struct Importer {
  const char* name;     // "inspector", as --from takes it
  const char* summary;  // one line for --help
  // Whether the first bytes of a file (up to 64 KiB) look like this format.
  bool (*recognises)(std::string_view head);
  Result<ImportCounts> (*run)(const ByteSource& source, const ImportOptions& options,
                              ImportSink& sink);
};

std::span<const Importer> importers();
const Importer* find_importer(std::string_view name);
const Importer* recognise(std::string_view head);  // null: none does

}  // namespace peerscope
