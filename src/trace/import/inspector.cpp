// NCCL Inspector's JSON lines, format v4 and v5, and the files of NCCL 2.28. A line is one operation
// of one rank. The format has no begin: the time of its dump stands for it, unless it carries an
// event trace.
#include <fmt/format.h>

#include "trace/import/formats.hpp"
#include "trace/import/input.hpp"

namespace peerscope {

using nlohmann::json;

bool recognises_inspector(std::string_view head) {
  return head.find("\"coll_perf\"") != std::string_view::npos ||
         head.find("\"p2p_perf\"") != std::string_view::npos;
}

namespace {

class Inspector {
 public:
  explicit Inspector(ImportSink& sink) : batch_(sink) {}

  // Empty, or why the line is no operation.
  std::string add(const json& line) {
    const json& header = member(line, "header");
    const bool collective = line.contains("coll_perf");
    const json& perf = member(line, collective ? "coll_perf" : "p2p_perf");
    if (!header.is_object() || !perf.is_object())
      return "it has no header and no coll_perf or p2p_perf";
    const std::string prefix = collective ? "coll" : "p2p";
    const auto get = [&](const char* name) { return prefix + name; };
    const auto bytes = count_of(perf, get("_msg_size_bytes").c_str());
    const auto us = number_of(perf, get("_exec_time_us").c_str());
    if (!bytes || !us) return "its size or time is missing";
    Op op;
    op.kind = kind_of_name(text_of(perf, prefix.c_str()));
    if (op.kind == Kind::other)
      return fmt::format("'{}' is no operation", text_of(perf, prefix.c_str()));
    if (!read_header(header, op)) return "its header is incomplete";
    const bool shared = op.kind == Kind::all_gather || op.kind == Kind::reduce_scatter;
    op.bytes = *bytes * (shared ? std::max<std::uint64_t>(1, op.ranks) : 1);
    op.sequence = count_of(perf, get("_sn").c_str()).value_or(0);
    for (const char* key : {"p2p_peer", "peer"}) {
      if (const auto peer = count_of(perf, key); peer && *peer < kNoPeer)
        op.peer = static_cast<std::uint16_t>(*peer);
    }
    read_times(line, perf, text_of(perf, get("_timing_source").c_str()), *us, op);
    op.process = process_of(member(line, "metadata"));
    note_member(meta_, op.comm, text_of(header, "comm_name"), op.ranks,
                {op.rank, op.process, kNoDevice});
    batch_.add(op);
    return {};
  }

  void finish(ImportSink& sink) {
    batch_.flush();
    sink.on_meta(meta_);
  }

 private:
  static bool read_header(const json& header, Op& op) {
    const std::string id = text_of(header, "id");
    op.comm = std::strtoull(id.c_str(), nullptr, 16);
    if (op.comm == 0) op.comm = id_of_name(id);
    const auto rank = count_of(header, "rank");
    const auto ranks = count_of(header, "n_ranks");
    if (!rank || !ranks || *rank >= kNoRank || *ranks > kNoRank) return false;
    op.rank = static_cast<std::uint16_t>(*rank);
    op.ranks = static_cast<std::uint16_t>(*ranks);
    op.backend = Backend::nccl;
    return true;
  }

  static void read_times(const json& line, const json& perf, const std::string& source, double us,
                         Op& op) {
    const std::int64_t ns = ns_of_us(us);
    const auto dumped = count_of(member(line, "metadata"), "dump_timestamp_us");
    op.begin_ns =
        dumped && *dumped < 9'000'000'000'000'000u ? static_cast<std::int64_t>(*dumped * 1000) : 0;
    if (const auto started = count_of(member(perf, "event_trace_ts"), "coll_start_ts");
        started && *started < 9'000'000'000'000'000u)
      op.begin_ns = static_cast<std::int64_t>(*started * 1000);
    // kernel_gpu is the device's clock; kernel_cpu and collective_cpu are the host's.
    if (source.find("gpu") != std::string::npos) {
      op.device_duration_ns = ns;
      op.async = true;
    } else {
      op.host_duration_ns = ns;
    }
  }

  std::uint32_t process_of(const json& metadata) {
    const std::string host = text_of(metadata, "hostname");
    const auto pid = static_cast<std::uint32_t>(count_of(metadata, "pid").value_or(0));
    const auto [at, is_new] =
        processes_.try_emplace({host, pid}, static_cast<std::uint32_t>(processes_.size()));
    if (!is_new) return at->second;
    const auto [host_at, new_host] =
        hosts_.try_emplace(host, static_cast<std::uint32_t>(hosts_.size()));
    if (new_host) meta_.hosts.push_back({host, "", "", 0, 0});
    TraceProcess process;
    process.index = at->second;
    process.host = host_at->second;
    process.pid = pid;
    process.name = fmt::format("{}:{}", host, pid);
    process.state = ProcessState::ended;
    meta_.processes.push_back(std::move(process));
    meta_.tool = "NCCL Inspector";
    if (meta_.version.empty()) meta_.version = text_of(metadata, "inspector_output_format_version");
    return at->second;
  }

  OpBatch batch_;
  TraceMeta meta_;
  std::map<std::pair<std::string, std::uint32_t>, std::uint32_t> processes_;
  std::map<std::string, std::uint32_t> hosts_;
};

}  // namespace

Result<ImportCounts> import_inspector(const ByteSource& source, const ImportOptions&,
                                      ImportSink& sink) {
  ImportCounts counts;
  Inspector inspector(sink);
  Lines lines(source);
  for (std::string line; lines.next(line);) {
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const json parsed = json::parse(line, nullptr, false);
    const std::string why = parsed.is_object() ? inspector.add(parsed) : "it is no JSON object";
    if (why.empty()) {
      ++counts.records;
      ++counts.operations;
    } else {
      note_bad(counts, fmt::format("line {}: {}", lines.number(), why));
    }
  }
  if (counts.operations == 0) {
    return Error{ErrorCode::corrupt, counts.bad == 0
                                         ? "there is nothing in it"
                                         : "no line is an operation: " + counts.first_problem};
  }
  inspector.finish(sink);
  return counts;
}

}  // namespace peerscope
