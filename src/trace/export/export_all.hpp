// The loop that every exporter has: operations, then marks, with counts and progress.
#pragma once

#include "trace/export/export.hpp"

namespace peerscope {

// What a filter says about operations, of what belongs to one or to a rank.
bool passes(const OpFilter& filter, const Mark& mark);

// `on_ops` is given a chunk's operations and says how many it wrote; `on_mark` whether it did.
template <class OnOps, class OnMark>
Result<ExportCounts> export_all(const TraceReader& trace, const ExportOptions& options,
                                OnOps on_ops, OnMark on_mark) {
  ExportCounts counts;
  std::uint64_t seen = 0;
  const Status ops = trace.for_each_ops(options.filter, [&](std::span<const Op> batch) {
    counts.operations += on_ops(batch);
    seen += batch.size();
    if (options.progress) options.progress(seen);
    return !options.cancelled || !options.cancelled();
  });
  if (!ops) return ops.error();
  const Status marks = trace.for_each_marks([&](std::span<const Mark> batch) {
    for (const Mark& mark : batch) {
      if (passes(options.filter, mark) && on_mark(mark)) ++counts.marks;
    }
    return true;
  });
  if (!marks) return marks.error();
  return counts;
}

// For exporters that write each operation by itself.
template <class OnOp, class OnMark>
Result<ExportCounts> export_each(const TraceReader& trace, const ExportOptions& options, OnOp on_op,
                                 OnMark on_mark) {
  const auto on_ops = [&](std::span<const Op> ops) {
    for (const Op& op : ops) on_op(op);
    return ops.size();
  };
  return export_all(trace, options, on_ops, on_mark);
}

}  // namespace peerscope
