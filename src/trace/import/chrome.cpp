// Chrome's trace events, above all those of PyTorch's profiler (Kineto): kernels of collectives with
// their arguments, peer-to-peer copies, and the launches that they correlate with. Read event by
// event: memory does not grow with the file, but for launches that wait for their kernel.
#include <deque>
#include <unordered_map>

#include <fmt/format.h>

#include "trace/import/formats.hpp"
#include "trace/import/input.hpp"

namespace peerscope {

using nlohmann::json;

bool recognises_chrome(std::string_view head) {
  return head.find("\"traceEvents\"") != std::string_view::npos ||
         (head.find("\"ph\"") != std::string_view::npos &&
          head.find('[') != std::string_view::npos);
}

namespace {

// Bytes of a source, one after the other, for the parser.
class ByteIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  struct Buffer {
    const ByteSource& source;
    std::string bytes;
    std::size_t at = 0;
    std::uint64_t before = 0;  // bytes of the source before the buffer
    bool fill() {
      before += bytes.size();
      bytes.resize(64 * 1024);
      bytes.resize(source(bytes));
      at = 0;
      return !bytes.empty();
    }
  };

  ByteIterator() = default;
  explicit ByteIterator(Buffer& buffer) : buffer_(buffer.fill() ? &buffer : nullptr) {}
  reference operator*() const { return buffer_->bytes[buffer_->at]; }
  ByteIterator& operator++() {
    if (++buffer_->at == buffer_->bytes.size() && !buffer_->fill()) buffer_ = nullptr;
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(const ByteIterator& other) const { return buffer_ == other.buffer_; }
  bool operator!=(const ByteIterator& other) const { return buffer_ != other.buffer_; }

 private:
  Buffer* buffer_ = nullptr;
};

struct Launch {
  std::int64_t begin_ns = 0, duration_ns = 0;
};

class Chrome {
 public:
  explicit Chrome(ImportSink& sink) : batch_(sink) { meta_.hosts.push_back({}); }

  void event(const json& event, ImportCounts& counts) {
    if (text_of(event, "ph") != "X") {
      ++counts.skipped;
      return;
    }
    const auto ts = number_of(event, "ts");
    const auto us = number_of(event, "dur");
    if (!ts || !us)
      return note_bad(
          counts, fmt::format("event {}: it has no ts or dur", counts.records + counts.skipped));
    const json& args = member(event, "args");
    const std::string category = text_of(event, "cat");
    const std::string name = text_of(event, "name");
    const Launch when{ns_of_us(*ts), ns_of_us(*us)};
    if (category == "cuda_runtime" || category == "cuda_driver") {
      launch(args, when);
      ++counts.skipped;
    } else if (category == "kernel" && is_collective_kernel(name, args)) {
      kernel(name, args, event, when, counts);
    } else if (category == "gpu_memcpy" && name.find("PtoP") != std::string::npos) {
      copy(args, when, counts);
    } else {
      ++counts.skipped;
    }
  }

  void distributed_info(const json& info) {
    if (const auto rank = count_of(info, "rank"); rank && *rank < kNoRank)
      rank_ = static_cast<std::uint16_t>(*rank);
    if (const auto size = count_of(info, "world_size"); size && *size <= kNoRank)
      world_ = static_cast<std::uint16_t>(*size);
  }

  void finish(ImportSink& sink) {
    for (const auto& [correlation, op] : waiting_) emit(op, correlation);
    waiting_.clear();
    batch_.flush();
    meta_.tool = "torch.profiler";
    TraceProcess process;
    process.name = rank_ == kNoRank ? "trace" : fmt::format("rank {}", rank_);
    process.state = ProcessState::ended;
    meta_.processes.push_back(process);
    sink.on_meta(meta_);
  }

 private:
  static constexpr std::size_t kMostLaunches = 1 << 18, kMostWaiting = 1 << 16;

  static bool is_collective_kernel(const std::string& name, const json& args) {
    return name.rfind("nccl", 0) == 0 || name.rfind("rccl", 0) == 0 ||
           !text_of(args, "Collective name").empty();
  }

  void launch(const json& args, const Launch& when) {
    const auto correlation = count_of(args, "correlation");
    if (!correlation) return;
    if (launches_.size() >= kMostLaunches) launches_.clear();
    launches_[*correlation] = when;
  }

  void kernel(const std::string& name, const json& args, const json& event, const Launch& when,
              ImportCounts& counts) {
    Op op;
    const std::string collective = text_of(args, "Collective name");
    op.kind = kind_of_name(collective.empty() ? name : collective);
    op.backend = Backend::nccl;
    op.dtype = dtype_of_name(text_of(args, "dtype"));
    read_bytes(args, op);
    read_algorithm(name, args, op);
    op.sequence = sequence_of(args, op);
    const auto number = [&](const char* key, std::uint16_t& to) {
      if (const auto value = count_of(args, key); value && *value < 0xFFFF)
        to = static_cast<std::uint16_t>(*value);
    };
    op.rank = rank_;
    number("Rank", op.rank);
    number("Group size", op.ranks);
    number("device", op.device);
    number("stream", op.stream);
    number("Src Rank", op.peer);
    number("Dst Rank", op.peer);
    number("Root Rank", op.peer);
    read_group(args, op);
    if (text_of(args, "status") == "error") op.status = OpStatus::error;
    static_cast<void>(event);
    if (text_of(args, "clock") == "host") {  // our own export of what only the host has measured
      op.begin_ns = when.begin_ns;
      op.host_duration_ns = when.duration_ns;
      batch_.add(op);
    } else {
      set_device_times(op, when, args);
    }
    ++counts.records;
    ++counts.operations;
  }

  static void read_bytes(const json& args, Op& op) {
    if (const auto bytes = count_of(args, "bytes")) {
      op.bytes = *bytes;
      return;
    }
    const std::uint64_t in = count_of(args, "In msg nelems").value_or(0);
    const std::uint64_t out = count_of(args, "Out msg nelems").value_or(0);
    // The whole tensor: that is the larger side of a gather or scatter.
    op.bytes = std::max(in, out) * dtype_bytes(op.dtype);
  }

  // "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(...)"
  static void read_algorithm(const std::string& name, const json& args, Op& op) {
    if (const auto known = parse_algorithm(text_of(args, "algorithm"))) op.algorithm = *known;
    const auto has = [&](const char* text) { return name.find(text) != std::string::npos; };
    if (op.algorithm == Algorithm::unknown)
      op.algorithm = has("_RING_") || has("_RING")   ? Algorithm::ring
                     : has("_TREE_") || has("_TREE") ? Algorithm::tree
                     : has("_NVLS")                  ? Algorithm::nvls
                                                     : Algorithm::unknown;
    op.protocol = has("_LL128")    ? Protocol::ll128
                  : has("_LL")     ? Protocol::ll
                  : has("_SIMPLE") ? Protocol::simple
                                   : Protocol::unknown;
  }

  // The trace's own number, else one of ours for each communicator.
  std::uint64_t sequence_of(const json& args, const Op& op) {
    if (const auto sequence = count_of(args, "Seq")) return *sequence;
    return is_collective(op.kind) ? next_collective_++ : next_other_++;
  }

  void read_group(const json& args, Op& op) {
    const std::string name = text_of(args, "Process Group Name");
    const std::string ranks = text_of(args, "Process Group Ranks");
    if (name.empty() && ranks.empty()) {
      if (op.ranks == 0) op.ranks = world_;
      return;
    }
    const std::uint64_t id = std::strtoull(name.c_str(), nullptr, 16);
    op.comm = name.rfind("0x", 0) == 0 && id != 0 ? id : id_of_name(name + ranks);
    const std::string description = text_of(args, "Process Group Description");
    note_member(meta_, op.comm, description.empty() ? name : description, op.ranks,
                {op.rank, 0, op.device});
  }

  void copy(const json& args, const Launch& when, ImportCounts& counts) {
    Op op;
    op.kind = Kind::copy;
    op.algorithm = Algorithm::copy_engine;
    op.backend = Backend::cuda;
    op.bytes = count_of(args, "bytes").value_or(0);
    op.rank = rank_;
    op.sequence = next_other_++;
    const auto number = [&](const char* key, std::uint16_t& to) {
      if (const auto value = count_of(args, key); value && *value < 0xFFFF)
        to = static_cast<std::uint16_t>(*value);
    };
    number("device", op.device);
    number("fromDevice", op.device);
    number("toDevice", op.peer);
    number("stream", op.stream);
    set_device_times(op, when, args);
    ++counts.records;
    ++counts.operations;
  }

  void set_device_times(Op& op, const Launch& when, const json& args) {
    op.begin_ns = when.begin_ns;
    op.device_begin_ns = when.begin_ns;
    op.device_duration_ns = when.duration_ns;
    op.async = true;
    const auto correlation = count_of(args, "correlation");
    if (!correlation || launches_.contains(*correlation)) return emit(op, correlation.value_or(0));
    waiting_.emplace_back(*correlation, op);  // its launch may come later in the file
    if (waiting_.size() > kMostWaiting) {
      emit(waiting_.front().second, waiting_.front().first);
      waiting_.pop_front();
    }
  }

  // With the host's interval of its launch, if that is known.
  void emit(Op op, std::uint64_t correlation) {
    if (const auto found = launches_.find(correlation); found != launches_.end()) {
      op.begin_ns = found->second.begin_ns;
      op.host_duration_ns = found->second.duration_ns;
      launches_.erase(found);
    }
    batch_.add(op);
  }

  OpBatch batch_;
  TraceMeta meta_;
  std::unordered_map<std::uint64_t, Launch> launches_;
  std::deque<std::pair<std::uint64_t, Op>> waiting_;
  std::uint16_t rank_ = kNoRank, world_ = 0;
  std::uint64_t next_collective_ = 0, next_other_ = 0;
};

}  // namespace

Result<ImportCounts> import_chrome(const ByteSource& source, const ImportOptions&,
                                   ImportSink& sink) {
  ImportCounts counts;
  Chrome chrome(sink);
  int events_depth = -1;  // of the objects that are events
  std::string key;
  // Sees each value when it is complete, and throws away what it has seen.
  const json::parser_callback_t callback = [&](int depth, json::parse_event_t what, json& value) {
    if (what == json::parse_event_t::key) {
      if (depth == 1) key = value.is_string() ? value.get<std::string>() : std::string();
      return true;
    }
    if (what == json::parse_event_t::array_start) {
      if (depth == 0) events_depth = 1;
      if (depth == 1 && key == "traceEvents") events_depth = 2;
      return true;
    }
    if (what == json::parse_event_t::array_end && depth + 1 == events_depth)
      events_depth = depth == 0 ? 1 : -1;
    if (what != json::parse_event_t::object_end) return true;
    if (depth == events_depth) {
      chrome.event(value, counts);
      return false;
    }
    if (depth == 1 && key == "distributedInfo") chrome.distributed_info(value);
    return depth > 1;  // parts of an event stay until it is complete
  };
  ByteIterator::Buffer buffer{source, {}, 0, 0};
  std::string problem;
  try {
    [[maybe_unused]] const json rest = json::parse(ByteIterator(buffer), ByteIterator(), callback);
  } catch (const json::exception& error) {
    problem = fmt::format("byte {}: it is no JSON from here on", buffer.before + buffer.at);
  }
  if (counts.records + counts.skipped == 0)
    return Error{ErrorCode::corrupt, problem.empty() ? "there are no trace events in it" : problem};
  if (!problem.empty()) note_bad(counts, problem + "; what came before was read");
  chrome.finish(sink);
  return counts;
}

}  // namespace peerscope
