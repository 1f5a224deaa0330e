// peerscope export: a trace in somebody else's format.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/trace_files.hpp"

namespace peerscope {
namespace {

struct ExportArguments {
  std::string path, to, out, operation;
  int rank = -1;
  double from_s = 0, until_s = 0;
  bool errors = false, json = false;
};

std::string formats() {
  std::string all;
  for (const Exporter& exporter : exporters())
    all += (all.empty() ? "" : ", ") + std::string(exporter.name);
  return all;
}

std::string default_out(const std::string& path, const Exporter& exporter) {
  return std::filesystem::path(path).replace_extension(exporter.extension).string();
}

// The first operation's begin: times on the command line count from there.
std::int64_t begin_of(const TraceReader& trace) {
  std::int64_t first = INT64_MAX;
  for (const ChunkInfo& chunk : trace.chunks()) first = std::min(first, chunk.first_ns);
  return first == INT64_MAX ? 0 : first;
}

bool read_filter(const ExportArguments& arguments, const TraceReader& trace, OpFilter& filter) {
  const std::int64_t begin_ns = begin_of(trace);
  if (arguments.from_s > 0)
    filter.from_ns = begin_ns + static_cast<std::int64_t>(arguments.from_s * 1e9);
  if (arguments.until_s > 0)
    filter.to_ns = begin_ns + static_cast<std::int64_t>(arguments.until_s * 1e9);
  if (arguments.rank >= 0) filter.rank = static_cast<std::uint16_t>(arguments.rank);
  filter.only_errors = arguments.errors;
  if (arguments.operation.empty()) return true;
  const auto kind = parse_kind(arguments.operation);
  if (!kind) {
    fmt::print(stderr,
               "peerscope export: there is no operation '{}'; write all_reduce, send, ...\n",
               arguments.operation);
    return false;
  }
  filter.kinds = 1U << static_cast<unsigned>(*kind);
  return true;
}

int export_main(Args& args) {
  ExportArguments arguments;
  const std::string to_help = "format: " + formats();
  args.positional("file", arguments.path, "a .pscope file");
  args.text("-t,--to", arguments.to, to_help.c_str());
  args.text("-o,--out", arguments.out, "where to; - is standard output (default: beside the file)");
  args.text("--operation", arguments.operation, "only this operation: all_reduce, send, ...");
  args.integer("--rank", arguments.rank, -1, 65534, "only this rank (-1: all)");
  args.real("--from", arguments.from_s, 0, 1e12, "seconds after the first operation");
  args.real("--until", arguments.until_s, 0, 1e12, "seconds after the first operation (0: all)");
  args.flag("--errors", arguments.errors, "only operations that failed");
  args.flag("--json", arguments.json,
            "print what was written as one JSON object, to standard error with -o -");
  if (const auto status = args.parse()) return *status;
  if (arguments.path.empty() || arguments.to.empty()) {
    fmt::print(stderr, "peerscope export: write: peerscope export FILE --to FORMAT; formats: {}\n",
               formats());
    return 2;
  }
  const Exporter* exporter = find_exporter(arguments.to);
  if (exporter == nullptr) {
    fmt::print(stderr, "peerscope export: there is no format '{}'; formats: {}\n", arguments.to,
               formats());
    return 2;
  }
  const auto trace = open_trace("export", arguments.path);
  if (!trace) return 2;
  ExportOptions options;
  if (!read_filter(arguments, *trace, options.filter)) return 2;
  if (arguments.out.empty()) arguments.out = default_out(arguments.path, *exporter);
  const auto sink = make_sink(arguments.out);
  Result<ExportCounts> counts = ExportCounts{};
  {
    Progress progress("writing " + arguments.out, trace->operations());
    options.progress = [&](std::uint64_t done) { progress.update(done); };
    counts = exporter->run(*trace, options, *sink);
  }
  const Status finished = sink->finish();
  if (!counts || !finished) {
    fmt::print(stderr, "peerscope export: {}\n",
               !counts ? counts.error().message : finished.error().message);
    return 2;
  }
  std::FILE* to = arguments.out == "-" ? stderr : stdout;
  if (arguments.json) {
    fmt::print(to, "{}\n",
               nlohmann::json{{"path", arguments.out},
                              {"format", exporter->name},
                              {"operations", counts->operations},
                              {"marks", counts->marks},
                              {"flows", counts->flows}}
                   .dump(2));
  } else if (arguments.out != "-") {
    fmt::print("  wrote {} operations to {}\n", format_count(counts->operations), arguments.out);
  }
  return 0;
}

}  // namespace

const Command kExportCommand{
    {"export", "a trace for another program: Perfetto, Chrome, CSV, Parquet, ...",
     "  peerscope export run.pscope --to perfetto      open run.perfetto-trace at ui.perfetto.dev\n"
     "  peerscope export run.pscope --to csv -o - | head\n"
     "  peerscope export run.pscope --to jsonl --operation all_reduce --from 2 --until 3\n",
     ""},
    export_main};

}  // namespace peerscope
