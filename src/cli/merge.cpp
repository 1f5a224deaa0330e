// peerscope merge: the traces of several hosts as one.
#include "session/merge.hpp"

#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/trace_files.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

std::string host_name(const TraceReader& trace) {
  return trace.meta().hosts.empty() ? trace.path() : trace.meta().hosts[0].name;
}

void print_alignment(const TraceReader& trace, const Alignment& alignment) {
  if (alignment.contradicted) {
    fmt::print(
        "  {}: its clock drifted against the first trace's: no shift fits all {} collectives; off "
        "by up to {}\n",
        host_name(trace), format_count(alignment.collectives),
        format_duration(static_cast<double>(alignment.uncertainty_ns)));
  } else if (alignment.collectives > 0) {
    fmt::print("  {}: shifted by {} ns, good to {} ({} collectives bound it)\n", host_name(trace),
               alignment.shift_ns, format_duration(static_cast<double>(alignment.uncertainty_ns)),
               format_count(alignment.collectives));
  } else if (alignment.uncertainty_ns > 0) {
    fmt::print(
        "  {}: no collective in common; aligned by the system clocks alone, good to about {}\n",
        host_name(trace), format_duration(static_cast<double>(alignment.uncertainty_ns)));
  }
}

nlohmann::json alignment_json(const TraceReader& trace, const Alignment& alignment) {
  return {{"path", trace.path()},
          {"host", host_name(trace)},
          {"operations", trace.operations()},
          {"shift_ns", alignment.shift_ns},
          {"uncertainty_ns", alignment.uncertainty_ns},
          {"collectives", alignment.collectives},
          {"contradicted", alignment.contradicted}};
}

int merge_main(Args& args) {
  std::vector<std::string> paths;
  std::string out;
  bool json = false;
  args.positionals("files", paths, "two or more .pscope files; times will be those of the first");
  args.text("-o,--out", out, "the trace to make");
  args.flag("--json", json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  const auto fail = [](const std::string& why) {
    fmt::print(stderr, "peerscope merge: {}\n", why);
    return 2;
  };
  if (paths.size() < 2 || out.empty())
    return fail("write: peerscope merge A.pscope B.pscope ... -o ALL.pscope");
  std::vector<TraceReader> traces;
  std::uint64_t total = 0;
  for (const std::string& path : paths) {
    std::error_code error;
    if (std::filesystem::equivalent(path, out, error))
      return fail(fmt::format("{} would be overwritten", path));
    auto trace = open_trace("merge", path);
    if (!trace) return 2;
    total += trace->operations();
    traces.push_back(std::move(*trace));
  }
  const auto alignments = align(traces);
  if (!alignments) return fail(alignments.error().message);
  auto writer = TraceWriter::create(out, writer_options(args.config()));
  if (!writer) return fail(writer.error().message);
  Status merged = Done{};
  {
    Progress progress("merging", total);
    merged = merge(traces, *alignments, monitor_options(args.config()), *writer,
                   [&](std::uint64_t done) { progress.update(done); });
  }
  if (merged) merged = writer->close();
  if (!merged) return fail(merged.error().message);
  nlohmann::json rows = nlohmann::json::array();
  for (std::size_t i = 0; i < traces.size(); ++i) {
    rows.push_back(alignment_json(traces[i], (*alignments)[i]));
    if (!json) print_alignment(traces[i], (*alignments)[i]);
  }
  if (json) {
    fmt::print("{}\n",
               nlohmann::json{{"path", out}, {"operations", total}, {"traces", rows}}.dump(2));
  } else {
    fmt::print("  wrote {} operations to {}\n  next: peerscope report {}\n", format_count(total),
               out, out);
  }
  return 0;
}

}  // namespace

const Command kMergeCommand{{"merge", "the traces of several hosts as one, their clocks aligned",
                             "  peerscope merge node0.pscope node1.pscope -o job.pscope\n"
                             "  peerscope merge node*.pscope -o job.pscope --json\n",
                             ""},
                            merge_main};

}  // namespace peerscope
