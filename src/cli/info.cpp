// peerscope info: what a trace file holds, without reading its operations.
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/render.hpp"
#include "cli/trace_files.hpp"
#include "trace/json_fields.hpp"

namespace peerscope {
namespace {

struct Facts {
  std::int64_t first_ns = 0, last_ns = 0;
  std::uint64_t not_written = 0;
  double bytes_per_op = 0;
};

Facts facts_of(const TraceReader& trace) {
  Facts facts;
  const auto& chunks = trace.chunks();
  if (!chunks.empty()) {
    facts.first_ns = INT64_MAX;
    facts.last_ns = INT64_MIN;
  }
  for (const ChunkInfo& chunk : chunks) {
    facts.first_ns = std::min(facts.first_ns, chunk.first_ns);
    facts.last_ns = std::max(facts.last_ns, chunk.last_ns);
    facts.not_written += chunk.not_written_before;
  }
  facts.not_written = std::max(facts.not_written, trace.meta().not_written);
  if (trace.operations() > 0)
    facts.bytes_per_op =
        static_cast<double>(trace.file_bytes()) / static_cast<double>(trace.operations());
  return facts;
}

nlohmann::json info_json(const TraceReader& trace, const Facts& facts) {
  const TraceMeta& meta = trace.meta();
  return {{"path", trace.path()},
          {"operations", trace.operations()},
          {"marks", trace.marks()},
          {"bytes", trace.file_bytes()},
          {"bytes_per_op", facts.bytes_per_op},
          {"lost", meta.lost},
          {"dropped", meta.dropped},
          {"not_written", facts.not_written},
          {"chunks", trace.chunks().size()},
          {"parts", trace.parts()},
          {"truncated", trace.truncated()},
          {"cut_bytes", trace.cut_bytes()},
          {"damaged", trace.damaged()},
          {"closed", trace.closed()},
          {"first_ns", facts.first_ns},
          {"last_ns", facts.last_ns},
          {"duration_ns", facts.last_ns - facts.first_ns},
          {"overhead_fraction", meta.overhead_fraction},
          {"meta", nlohmann::json::parse(to_json_text(meta), nullptr, false)}};
}

std::string join_names(const TraceMeta& meta) {
  std::string text;
  for (const TraceComm& comm : meta.communicators) {
    if (!text.empty()) text += ", ";
    text +=
        fmt::format("{} ({} ranks, {})", meta.comm_name(comm.id), comm.ranks, name(comm.backend));
  }
  return text;
}

void print_info(const TraceReader& trace, const Facts& facts) {
  const TraceMeta& meta = trace.meta();
  const auto row = [](const char* what, const std::string& value) {
    if (!value.empty()) fmt::print("  {:<14} {}\n", what, value);
  };
  row("file", fmt::format("{} · {}{}", trace.path(), format_bytes(trace.file_bytes()),
                          trace.parts() > 1 ? fmt::format(" in {} parts", trace.parts()) : ""));
  row("operations",
      fmt::format("{} in {} chunks · {:.2f} bytes each", format_count(trace.operations()),
                  trace.chunks().size(), facts.bytes_per_op));
  if (trace.marks() > 0) row("marks", format_count(trace.marks()));
  row("time", format_duration(static_cast<double>(facts.last_ns - facts.first_ns)));
  row("session", meta.session);
  row("command", meta.command);
  row("written by", meta.tool.empty() ? "" : fmt::format("{} {}", meta.tool, meta.version));
  for (const TraceHost& host : meta.hosts)
    row("host", host.name.empty() ? host.os : fmt::format("{} · {}", host.name, host.os));
  if (!meta.processes.empty()) row("processes", std::to_string(meta.processes.size()));
  row("communicators", join_names(meta));
  if (!meta.devices.empty()) row("devices", std::to_string(meta.devices.size()));
  if (!meta.measurements.empty()) row("measurements", std::to_string(meta.measurements.size()));
  row("lost",
      fmt::format("{} before they were read, {} refused, {} not written", format_count(meta.lost),
                  format_count(meta.dropped), format_count(facts.not_written)));
  row("overhead", format_percent(meta.overhead_fraction));
  row("state", trace.closed() ? "complete" : "not closed");
}

int info_main(Args& args) {
  std::string path;
  bool json = false;
  args.positional("file", path, "a .pscope file");
  args.flag("--json", json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  if (path.empty()) {
    fmt::print(stderr, "peerscope info: which file? Write: peerscope info FILE.pscope\n");
    return 2;
  }
  const auto trace = open_trace("info", path);
  if (!trace) return 2;
  const Facts facts = facts_of(*trace);
  if (json) {
    fmt::print("{}\n", info_json(*trace, facts).dump(2));
  } else {
    print_info(*trace, facts);
  }
  return 0;
}

}  // namespace

const Command kInfoCommand{{"info", "what a trace file holds: size, session, what was lost",
                            "  peerscope info run.pscope\n"
                            "  peerscope info run.pscope --json | jq .bytes_per_op\n",
                            ""},
                           info_main};

}  // namespace peerscope
