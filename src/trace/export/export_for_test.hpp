// Exports of small traces, for tests.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "trace/export/export.hpp"
#include "trace/small_trace_for_test.hpp"

namespace peerscope {

class StringSink final : public ByteSink {
 public:
  void write(std::string_view bytes) override { text += bytes; }
  Status finish() override { return Done{}; }
  std::string text;
};

struct Exported {
  std::string text;
  ExportCounts counts;
};

inline Exported run(const SmallTrace& trace, const char* format, const OpFilter& filter = {}) {
  StringSink sink;
  ExportOptions options;
  options.filter = filter;
  const auto counts = find_exporter(format)->run(trace.open(), options, sink);
  EXPECT_TRUE(counts) << (counts ? "" : counts.error().message);
  return {sink.text, counts ? *counts : ExportCounts{}};
}

inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    all.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

// With something of each kind: collectives with and without device times, transfers, device times
// that come by themselves, an enqueue that nobody timed, a copy, names that need escapes.
inline std::vector<Op> mixed_operations() {
  std::vector<Op> ops = SmallTrace::collectives(4);
  Op op;
  op.begin_ns = 50'000;
  op.host_duration_ns = 2'500;
  op.kind = Kind::send;
  op.comm = 0x7470;
  op.rank = 0;
  op.ranks = 4;
  op.peer = 1;
  op.bytes = 1 << 20;
  op.sequence = 7;
  ops.push_back(op);
  op.kind = Kind::recv;
  op.process = op.rank = 1;
  op.peer = 0;
  op.begin_ns = 49'900;
  op.host_duration_ns = 2'700;
  ops.push_back(op);
  op.kind = Kind::all_reduce;  // enqueued; its device times follow
  op.peer = kNoPeer;
  op.begin_ns = 60'000;
  op.host_duration_ns = 400;
  op.async = true;
  op.sequence = 8;
  ops.push_back(op);
  op.device_only = true;
  op.host_duration_ns = kUnknownNs;
  op.device_begin_ns = 60'900;
  op.device_duration_ns = 12'345;
  op.stream = 3;
  ops.push_back(op);
  Op copy;  // of no communicator and no rank, by a process that the trace says nothing of
  copy.kind = Kind::copy;
  copy.begin_ns = (std::int64_t{1} << 53) + 1;  // more than a double holds
  copy.host_duration_ns = 1;
  copy.bytes = UINT64_MAX;
  copy.process = 77;
  ops.push_back(copy);
  return ops;
}

}  // namespace peerscope
