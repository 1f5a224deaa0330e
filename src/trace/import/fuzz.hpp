// What the fuzzers of all importers do.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "trace/import/import.hpp"

namespace peerscope {

class CheckingSink final : public ImportSink {
 public:
  void on_ops(std::span<const Op> ops) override { operations += ops.size(); }
  void on_mark(const Mark&) override {}
  void on_meta(const TraceMeta& meta) override {
    if (!parse_meta(to_json_text(meta))) std::abort();
  }
  std::uint64_t operations = 0;
};

inline int fuzz_import(Result<ImportCounts> (&run)(const ByteSource&, const ImportOptions&,
                                                   ImportSink&),
                       const std::uint8_t* data, std::size_t size) {
  std::size_t at = 0;
  const ByteSource source = [&](std::span<char> out) {
    // In pieces: a border may fall anywhere.
    const std::size_t n = std::min({out.size(), size - at, std::size_t{1000}});
    std::memcpy(out.data(), data + at, n);
    at += n;
    return n;
  };
  CheckingSink sink;
  const auto counts = run(source, {"all_reduce.txt"}, sink);
  if (counts && counts->operations != sink.operations) std::abort();
  return 0;
}

}  // namespace peerscope
