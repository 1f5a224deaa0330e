// A bundle's part that holds the operations.
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "analyze/debug/redact.hpp"
#include "base/units.hpp"
#include "cli/bundle_parts.hpp"
#include "trace/reader.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

TraceMeta redacted(TraceMeta meta) {
  meta.command = redact_line(meta.command);
  for (TraceSetting& setting : meta.settings)
    setting.value = names_a_secret(setting.key) && !setting.value.empty()
                        ? std::string(kRemoved)
                        : without_secrets(setting.value);
  for (TraceProcess& process : meta.processes) process.name = redact_line(process.name);
  for (TraceName& name : meta.names) name.text = without_secrets(name.text);
  return meta;
}

// From the first chunk on that fits with all after it.
std::int64_t begin_of_tail(const TraceReader& trace, std::uint64_t most_bytes) {
  std::uint64_t bytes = 0;
  std::int64_t from_ns = INT64_MAX;
  const auto& chunks = trace.chunks();
  for (std::size_t i = chunks.size(); i-- > 0;) {
    bytes += chunks[i].bytes_on_disk;
    if (bytes > most_bytes && i + 1 < chunks.size()) return from_ns;
    from_ns = std::min(from_ns, chunks[i].first_ns);
  }
  return INT64_MIN;
}

Status copy_tail(const TraceReader& trace, std::int64_t from_ns, TraceWriter& writer) {
  OpFilter filter;
  filter.from_ns = from_ns;
  Status ops = trace.for_each_ops(filter, [&](std::span<const Op> batch) {
    writer.add(batch);
    return true;
  });
  if (!ops) return ops;
  Status marks = trace.for_each_marks([&](std::span<const Mark> batch) {
    for (const Mark& mark : batch) {
      if (mark.at_ns >= from_ns) writer.add(mark);
    }
    return true;
  });
  if (!marks) return marks;
  writer.set_meta(redacted(trace.meta()));
  if (const auto summary = trace.summary()) writer.set_summary(without_secrets(*summary));
  return writer.close();
}

}  // namespace

Result<BundlePart> trace_part(const std::string& path, const std::string& copy,
                              std::uint64_t most_bytes) {
  const Result<TraceReader> trace = TraceReader::open(path);
  if (!trace) return trace.error();
  TraceWriterOptions options;
  options.compression = 3;
  Result<TraceWriter> writer = TraceWriter::create(copy, options);
  if (!writer) return writer.error();
  const std::int64_t from_ns = begin_of_tail(*trace, most_bytes);
  const Status copied = copy_tail(*trace, from_ns, *writer);
  const std::uint64_t operations = writer->status().operations;
  std::ifstream file(copy, std::ios::binary);
  BundlePart part;
  part.file.name = "trace.pscope";
  part.file.bytes.assign(std::istreambuf_iterator<char>(file), {});
  if (!copied) return copied.error();
  part.about = fmt::format("the last {} of {} operations", format_count(operations),
                           format_count(trace->operations()));
  return part;
}

}  // namespace peerscope
