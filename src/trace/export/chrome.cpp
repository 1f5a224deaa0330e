// Chrome's trace events with the arguments that PyTorch's profiler writes, for Holistic Trace
// Analysis, TraceLens, chrome://tracing and Perfetto. A rank is a "process" of the trace. What ran on
// the device is an event of category "kernel"; the call on the host one of "cuda_runtime", joined to
// it by "correlation". Where nobody measured the device and the host waited for the end, the host's
// interval stands for the kernel, and its argument "clock" says so: those tools look at kernels only.
#include <set>

#include <fmt/format.h>

#include "trace/export/export_all.hpp"
#include "trace/export/flow_joiner.hpp"
#include "trace/export/formats.hpp"
#include "trace/export/kineto.hpp"
#include "trace/export/lanes.hpp"
#include "trace/export/out.hpp"
#include "trace/export/shape_cache.hpp"

namespace peerscope {
namespace {

constexpr std::uint32_t kHostThreads = 1'000'000;   // tids from here: threads of the host
constexpr std::uint32_t kBeside = 2'000'000;        // tids from here: what overlaps
constexpr std::uint32_t kOtherProcesses = 100'000;  // pids from here: ranks whose number is taken

// Equal for an operation and for device times of it that come by themselves. Tools read it into a
// signed integer or a double.
std::uint64_t correlation_of(const Op& op) {
  const std::uint64_t own = std::uint64_t{op.process} << 24 ^ std::uint64_t{op.rank} << 8 ^
                            static_cast<std::uint64_t>(op.kind);
  return ((flow_id(op) + own) * 0xD6E8'FEB8'6659'FD93u >> 13) + 1;
}

class ChromeWriter {
 public:
  ChromeWriter(const TraceMeta& meta, Out& out)
      : meta_(meta),
        out_(out),
        texts_([this](const Op& op) { return texts_of(op); }),
        flows_([this](std::uint64_t id, const std::vector<FlowPoint>& in_order) {
          put_flow(id, in_order);
        }) {}

  void begin(const OpFilter& filter) {
    out_ << "{\"schemaVersion\":1,\"displayTimeUnit\":\"ns\",\"baseTimeNanoseconds\":"
         << meta_.clock.real_offset_ns
         << ",\n\"distributedInfo\":" << kineto_distributed_info(meta_, filter.rank.value_or(0))
         << ",\n\"deviceProperties\":[";
    for (std::size_t i = 0; i < meta_.devices.size(); ++i) {
      out_ << (i == 0 ? "" : ",") << "{\"id\":" << meta_.devices[i].index
           << ",\"name\":" << json_string(meta_.devices[i].name) << '}';
    }
    out_ << "],\n\"traceEvents\":[";
  }

  void put(const Op& op) {
    const bool has_device = op.device_begin_ns != kUnknownNs && op.device_duration_ns >= 0;
    const bool has_host = op.host_duration_ns >= 0 && !op.device_only;
    const bool host_is_all = has_host && !op.async && !has_device;
    const Texts& texts = texts_.of(op);
    if (has_host && !host_is_all) put_launch(op, texts);
    if (has_device)
      put_kernel(op, texts, LaneKind::device, op.device_begin_ns, op.device_duration_ns);
    if (host_is_all) put_kernel(op, texts, LaneKind::host, op.begin_ns, op.host_duration_ns);
  }

  bool put(const Mark& mark) {
    const bool instant = mark.duration_ns < 0;
    const std::uint16_t rank = rank_of(mark);
    const std::uint32_t pid = pid_of(mark.process, rank);
    const std::uint32_t tid = tid_of({mark.process, rank, LaneKind::marks, 0}, pid, mark.at_ns,
                                     mark.at_ns + std::max<std::int64_t>(mark.duration_ns, 0));
    const std::string_view text = meta_.name(mark.process, mark.name);
    separate() << "{\"ph\":\"" << (instant ? "i\",\"s\":\"t" : "X")
               << "\",\"cat\":\"user_annotation\",\"name\":"
               << json_string(text.empty() ? name(mark.type) : text) << ",\"pid\":" << pid
               << ",\"tid\":" << tid << ",\"ts\":" << Micros{mark.at_ns};
    if (!instant) out_ << ",\"dur\":" << Micros{mark.duration_ns};
    out_ << ",\"args\":{\"type\":\"" << name(mark.type) << "\",\"value\":" << mark.value
         << ",\"Seq\":" << operation_sequence(mark) << "}}";
    return true;
  }

  std::uint64_t end() {
    flows_.finish();
    out_ << "\n]}\n";
    return arrows_;
  }

 private:
  struct Texts {  // JSON
    std::string kernel, args, call;
  };

  Texts texts_of(const Op& op) const {
    return {json_string(kernel_name(op)),
            kineto_args(meta_, op) +
                fmt::format(R"("device":{},"stream":{},"algorithm":"{}","protocol":"{}","status":)"
                            R"("{}","backend":"{}","weight":{},)",
                            known_text(op.device, kNoDevice, "-1"), op.stream, name(op.algorithm),
                            name(op.protocol), name(op.status), name(op.backend), op.weight),
            fmt::format(R"("operation":"{}","status":"{}","weight":{},)", name(op.kind),
                        name(op.status), op.weight)};
  }

  Out& separate() {
    out_ << (first_ ? "\n" : ",\n");
    first_ = false;
    return out_;
  }

  void put_head(std::string_view category, std::string_view text, std::uint32_t pid,
                std::uint32_t tid) {
    separate() << "{\"ph\":\"X\",\"cat\":\"" << category << "\",\"name\":" << text
               << ",\"pid\":" << pid << ",\"tid\":" << tid;
  }

  void put_kernel(const Op& op, const Texts& texts, LaneKind kind, std::int64_t begin_ns,
                  std::int64_t duration_ns) {
    const std::uint32_t pid = pid_of(op.process, op.rank);
    const std::uint32_t number = kind == LaneKind::device ? op.stream : op.thread;
    const std::uint32_t tid =
        tid_of({op.process, op.rank, kind, number}, pid, begin_ns, begin_ns + duration_ns);
    const Elements elements = elements_of(op);
    put_head("kernel", texts.kernel, pid, tid);
    out_ << ",\"ts\":" << Micros{begin_ns} << ",\"dur\":" << Micros{duration_ns} << ",\"args\":{"
         << texts.args << "\"In msg nelems\":" << elements.in
         << ",\"Out msg nelems\":" << elements.out << ",\"Seq\":" << op.sequence
         << ",\"bytes\":" << op.bytes << ",\"correlation\":" << correlation_of(op)
         << ",\"clock\":\"" << (kind == LaneKind::device ? "device" : "host") << "\"}}";
    if (is_collective(op.kind) && op.comm != 0) flows_.add(op, {begin_ns, pid, tid});
  }

  void put_launch(const Op& op, const Texts& texts) {
    const std::uint32_t pid = pid_of(op.process, op.rank);
    const std::uint32_t tid = tid_of({op.process, op.rank, LaneKind::host, op.thread}, pid,
                                     op.begin_ns, op.begin_ns + op.host_duration_ns);
    put_head("cuda_runtime", "\"cudaLaunchKernel\"", pid, tid);
    out_ << ",\"ts\":" << Micros{op.begin_ns} << ",\"dur\":" << Micros{op.host_duration_ns}
         << ",\"args\":{" << texts.call << "\"Seq\":" << op.sequence << ",\"bytes\":" << op.bytes
         << ",\"correlation\":" << correlation_of(op) << "}}";
  }

  // Binds to the events that begin there.
  void put_flow(std::uint64_t id, const std::vector<FlowPoint>& in_order) {
    for (std::size_t i = 0; i < in_order.size(); ++i) {
      const char phase = i == 0 ? 's' : i + 1 == in_order.size() ? 'f' : 't';
      separate() << "{\"ph\":\"" << phase
                 << "\",\"bp\":\"e\",\"cat\":\"collective\",\"name\":\"collective\",\"id\":"
                 << (id >> 12) << ",\"pid\":" << in_order[i].pid << ",\"tid\":" << in_order[i].tid
                 << ",\"ts\":" << Micros{in_order[i].at_ns} << '}';
      ++arrows_;
    }
  }

  void put_name(std::string_view what, std::uint32_t pid, std::string_view members) {
    separate() << "{\"ph\":\"M\",\"ts\":0,\"name\":\"" << what << "\",\"pid\":" << pid << members
               << "}}";
  }

  // Events are of a process; it is shown as its first rank.
  [[nodiscard]] std::uint16_t rank_of(const Mark& mark) const {
    const auto first = pids_.lower_bound({mark.process, 0});
    const bool known = first != pids_.end() && first->first.first == mark.process;
    return mark.rank == kNoRank && known ? first->first.second : mark.rank;
  }

  // The rank's number, unless another process has a rank of this number, too.
  std::uint32_t pid_of(std::uint32_t process, std::uint16_t rank) {
    if (!pids_.empty() && last_process_ == process && last_rank_ == rank) return last_pid_;
    auto [at, is_new] = pids_.try_emplace({process, rank});
    if (is_new) {
      at->second = rank == kNoRank ? kOtherProcesses + process : rank;
      if (!taken_.insert(at->second).second)
        taken_.insert(at->second = kOtherProcesses * 2 + static_cast<std::uint32_t>(pids_.size()));
      name_process(at->second, process, rank);
    }
    last_process_ = process;
    last_rank_ = rank;
    return last_pid_ = at->second;
  }

  void name_process(std::uint32_t pid, std::uint32_t process, std::uint16_t rank) {
    const TraceProcess* known = meta_.process(process);
    std::string text =
        rank == kNoRank ? fmt::format("process {}", process) : fmt::format("rank {}", rank);
    if (known != nullptr) text += fmt::format(" · {} · pid {}", known->name, known->pid);
    put_name("process_name", pid, fmt::format(R"(,"tid":0,"args":{{"name":{})", json_string(text)));
    put_name("process_sort_index", pid, fmt::format(R"(,"tid":0,"args":{{"sort_index":{})", pid));
  }

  std::uint32_t tid_of(const LaneKey& key, std::uint32_t pid, std::int64_t begin_ns,
                       std::int64_t end_ns) {
    const Lanes::Place place = lanes_.place(key, begin_ns, end_ns);
    const bool device = key.kind == LaneKind::device;
    const std::uint32_t tid = place.beside > 0 || key.kind == LaneKind::marks
                                  ? kBeside + static_cast<std::uint32_t>(place.index)
                              : device ? key.number
                                       : kHostThreads + key.number;
    if (place.is_new) {
      std::string text = key.kind == LaneKind::marks ? "phases and events"
                         : device                    ? fmt::format("stream {}", key.number)
                                                     : fmt::format("thread {}", key.number);
      if (place.beside > 0) text += fmt::format(" +{}", place.beside);
      put_name("thread_name", pid, fmt::format(R"(,"tid":{},"args":{{"name":"{}")", tid, text));
    }
    return tid;
  }

  const TraceMeta& meta_;
  Out& out_;
  ShapeCache<Texts> texts_;
  FlowJoiner flows_;
  Lanes lanes_;
  std::map<std::pair<std::uint32_t, std::uint16_t>, std::uint32_t> pids_;
  std::set<std::uint32_t> taken_;
  std::uint32_t last_process_ = 0, last_pid_ = 0;
  std::uint16_t last_rank_ = 0;
  std::uint64_t arrows_ = 0;
  bool first_ = true;
};

}  // namespace

Result<ExportCounts> export_chrome(const TraceReader& trace, const ExportOptions& options,
                                   ByteSink& sink) {
  Out out(sink);
  ChromeWriter writer(trace.meta(), out);
  writer.begin(options.filter);
  auto counts = export_each(
      trace, options, [&](const Op& op) { writer.put(op); },
      [&](const Mark& mark) { return writer.put(mark); });
  const std::uint64_t flows = writer.end();
  if (counts) counts->flows = flows;
  return counts;
}

}  // namespace peerscope
