// Chrome's trace events with the arguments that PyTorch's profiler writes, for Holistic Trace
// Analysis, TraceLens and chrome://tracing. A rank is a "process" of the trace. What ran on the
// device is an event of category "kernel"; the call on the host is one of category "cpu_op". Where
// nobody measured the device and the host waited for the end, the host's interval stands for the
// kernel, and its argument "clock" says so.
#include <set>

#include <fmt/format.h>

#include "trace/export/formats.hpp"
#include "trace/export/kineto.hpp"
#include "trace/export/op_text.hpp"

namespace peerscope {
namespace {

constexpr std::uint32_t kHostThreads = 1'000'000;  // above: threads of the host; below: streams

std::uint64_t flow_id(const Op& op) {
  return (op.comm * 0x9E37'79B9'7F4A'7C15u ^ op.sequence * 0xC2B2'AE3D'27D4'EB4Fu) >> 12;
}

class ChromeWriter {
 public:
  ChromeWriter(const TraceMeta& meta, Out& out)
      : meta_(meta),
        out_(out),
        args_([this](const Op& op) { return shape_args(op); }),
        names_([](const Op& op) { return json_string(kernel_name(op)); }) {}

  void begin(const OpFilter& filter) {
    out_ << "{\"schemaVersion\":1,\"displayTimeUnit\":\"ns\",\"baseTimeNanoseconds\":"
         << meta_.clock.real_offset_ns
         << ",\"distributedInfo\":{\"backend\":\"nccl\",\"rank\":" << int{filter.rank.value_or(0)}
         << ",\"world_size\":" << world_size() << "},\"deviceProperties\":[";
    for (std::size_t i = 0; i < meta_.devices.size(); ++i) {
      out_ << (i == 0 ? "" : ",") << "{\"id\":" << meta_.devices[i].index
           << ",\"name\":" << json_string(meta_.devices[i].name) << '}';
    }
    out_ << "],\"traceEvents\":[";
  }

  void put(const Op& op) {
    note_rank(op);
    const bool has_device = op.device_begin_ns != kUnknownNs && op.device_duration_ns >= 0;
    const bool host_is_all = !op.async && op.host_duration_ns >= 0 && !has_device;
    ++correlation_;
    if (has_device)
      event(op, names_.of(op), "kernel", op.stream, op.device_begin_ns, op.device_duration_ns,
            "device");
    if (host_is_all)
      event(op, names_.of(op), "kernel", op.stream, op.begin_ns, op.host_duration_ns, "host");
    if (!host_is_all && op.host_duration_ns >= 0 && !op.device_only)
      event(op, fmt::format("\"nccl:{}\"", name(op.kind)), "cpu_op", kHostThreads + op.thread,
            op.begin_ns, op.host_duration_ns, "host");
    if (is_collective(op.kind) && op.comm != 0 && (has_device || host_is_all))
      flow(op, has_device ? op.device_begin_ns : op.begin_ns);
    out_.pass();
  }

  bool put(const Mark& mark) {
    separate();
    out_ << "{\"ph\":\"" << (mark.duration_ns >= 0 ? 'X' : 'i') << "\",\"cat\":\""
         << name(mark.type) << "\",\"name\":" << json_string(meta_.name(mark.process, mark.name))
         << ",\"pid\":" << (mark.rank == kNoRank ? mark.process : mark.rank)
         << ",\"tid\":" << kHostThreads << ",\"ts\":" << Micros{mark.at_ns};
    if (mark.duration_ns >= 0) out_ << ",\"dur\":" << Micros{mark.duration_ns};
    out_ << ",\"args\":{\"value\":" << mark.value << ",\"Seq\":" << mark.sequence << "}}";
    out_.pass();
    return true;
  }

  void end() { out_ << "\n]}\n"; }
  [[nodiscard]] std::uint64_t flows() const { return flows_; }

 private:
  [[nodiscard]] std::size_t world_size() const {
    std::size_t most = 1;
    for (const TraceComm& comm : meta_.communicators)
      most = std::max<std::size_t>(most, comm.ranks);
    return most;
  }
  static std::uint32_t pid_of(const Op& op) { return op.rank == kNoRank ? op.process : op.rank; }

  std::string shape_args(const Op& op) {
    return kineto_args(meta_, op) +
           fmt::format(R"("device":{},"stream":{},"algorithm":"{}","protocol":"{}","status":"{}",)",
                       known_text(op.device, kNoDevice, "-1"), op.stream, name(op.algorithm),
                       name(op.protocol), name(op.status));
  }

  void separate() {
    out_ << (first_ ? "\n" : ",\n");
    first_ = false;
  }

  // A rank's name, once.
  void note_rank(const Op& op) {
    const std::uint32_t pid = pid_of(op);
    if (pid == last_pid_) return;
    last_pid_ = pid;
    if (!named_.insert(pid).second) return;
    const TraceProcess* process = meta_.process(op.process);
    separate();
    out_ << "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":" << pid << ",\"args\":{\"name\":"
         << json_string(fmt::format("rank {} · {}", pid, process != nullptr ? process->name : ""))
         << "}},\n{\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":" << pid
         << ",\"args\":{\"sort_index\":" << pid << "}}";
  }

  void event(const Op& op, std::string_view text, std::string_view category, std::uint32_t tid,
             std::int64_t ts_ns, std::int64_t duration_ns, std::string_view clock) {
    const Elements elements = elements_of(op);
    separate();
    out_ << "{\"ph\":\"X\",\"cat\":\"" << category << "\",\"name\":" << text
         << ",\"pid\":" << pid_of(op) << ",\"tid\":" << tid << ",\"ts\":" << Micros{ts_ns}
         << ",\"dur\":" << Micros{duration_ns} << ",\"args\":{" << args_.of(op)
         << "\"In msg nelems\":" << elements.in << ",\"Out msg nelems\":" << elements.out
         << ",\"Seq\":" << op.sequence << ",\"bytes\":" << op.bytes
         << ",\"correlation\":" << correlation_ << ",\"clock\":\"" << clock << "\"}}";
  }

  // Rank 0 starts the arrow, the others end one.
  void flow(const Op& op, std::int64_t ts_ns) {
    separate();
    const bool start = op.rank == 0;
    out_ << "{\"ph\":\"" << (start ? 's' : 'f') << "\"" << (start ? "" : ",\"bp\":\"e\"")
         << ",\"cat\":\"collective\",\"name\":\"" << name(op.kind) << "\",\"id\":" << flow_id(op)
         << ",\"pid\":" << pid_of(op) << ",\"tid\":" << op.stream << ",\"ts\":" << Micros{ts_ns}
         << '}';
    ++flows_;
  }

  const TraceMeta& meta_;
  Out& out_;
  ShapeText args_, names_;
  std::set<std::uint32_t> named_;
  std::uint32_t last_pid_ = UINT32_MAX;
  std::uint64_t correlation_ = 0, flows_ = 0;
  bool first_ = true;
};

}  // namespace

Result<ExportCounts> export_chrome(const TraceReader& trace, const ExportOptions& options,
                                   ByteSink& sink) {
  Out out(sink);
  ChromeWriter writer(trace.meta(), out);
  writer.begin(options.filter);
  auto counts = export_all(
      trace, options,
      [&](std::span<const Op> ops) {
        for (const Op& op : ops) writer.put(op);
      },
      [&](const Mark& mark) { return writer.put(mark); });
  writer.end();
  if (counts) counts->flows = writer.flows();
  return counts;
}

}  // namespace peerscope
