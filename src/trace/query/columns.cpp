#include "trace/query/columns.hpp"

#include <fmt/format.h>
#include <strings.h>

namespace peerscope {
namespace {

constexpr OpsColumnInfo kInfos[kOpsColumns] = {
    {"begin_ns", "INTEGER", "begin on the host's CLOCK_MONOTONIC"},
    {"end_ns", "INTEGER", "end on the host"},
    {"duration_ns", "INTEGER", "device time where known, else host time unless asynchronous"},
    {"host_duration_ns", "INTEGER", "time of the call; of an asynchronous one: of the enqueue"},
    {"device_begin_ns", "INTEGER", "begin on the device, on the host's clock"},
    {"device_duration_ns", "INTEGER", "execution on the device"},
    {"bytes", "INTEGER", "size as nccl-tests counts it"},
    {"sequence", "INTEGER", "number within the communicator"},
    {"operation", "TEXT", "all_reduce, send, ..."},
    {"algorithm", "TEXT", "ring, two_shot, ..."},
    {"protocol", "TEXT", "simple, ll, ll128"},
    {"dtype", "TEXT", "f32, bf16, ..."},
    {"communicator", "TEXT", "its name"},
    {"comm_id", "TEXT", "its id, in hex"},
    {"rank", "INTEGER", "who says so"},
    {"ranks", "INTEGER", "of the communicator"},
    {"peer", "INTEGER", "the other rank, or the root"},
    {"device", "INTEGER", "of the rank"},
    {"stream", "INTEGER", ""},
    {"channel", "INTEGER", ""},
    {"process", "INTEGER", "index in processes"},
    {"pid", "INTEGER", ""},
    {"thread", "INTEGER", "within the process"},
    {"weight", "INTEGER", "stands for this many operations"},
    {"status", "TEXT", "ok, error, timeout, ..."},
    {"backend", "TEXT", "host, cuda, nccl, ..."},
    {"async", "INTEGER", "1: the host's interval is the enqueue only"},
    {"device_only", "INTEGER", "1: brings device times of an operation that is counted elsewhere"},
};

SqlValue number(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}

template <class T>
SqlValue known(T value, T unknown) {
  return value == unknown ? SqlValue() : number(value);
}

SqlValue text(std::string_view value) { return std::string(value); }

SqlValue time(std::int64_t ns) { return ns == kUnknownNs ? SqlValue() : SqlValue(ns); }

}  // namespace

const OpsColumnInfo& info(OpsColumn column) { return kInfos[static_cast<std::size_t>(column)]; }

std::optional<OpsColumn> find_ops_column(std::string_view name) {
  for (std::size_t i = 0; i < kOpsColumns; ++i) {
    const std::string_view known = kInfos[i].name;
    if (known.size() == name.size() && strncasecmp(known.data(), name.data(), name.size()) == 0)
      return static_cast<OpsColumn>(i);
  }
  return std::nullopt;
}

SqlValue shape_value(const TraceMeta& meta, const Op& op, OpsColumn column) {
  switch (column) {
    case OpsColumn::operation:
      return text(name(op.kind));
    case OpsColumn::algorithm:
      return text(name(op.algorithm));
    case OpsColumn::protocol:
      return text(name(op.protocol));
    case OpsColumn::dtype:
      return text(name(op.dtype));
    case OpsColumn::communicator:
      return op.comm == 0 ? SqlValue() : SqlValue(meta.comm_name(op.comm));
    case OpsColumn::comm_id:
      return op.comm == 0 ? SqlValue() : SqlValue(fmt::format("{:#x}", op.comm));
    case OpsColumn::rank:
      return known(op.rank, kNoRank);
    case OpsColumn::ranks:
      return number(op.ranks);
    case OpsColumn::peer:
      return known(op.peer, kNoPeer);
    case OpsColumn::device:
      return known(op.device, kNoDevice);
    case OpsColumn::stream:
      return number(op.stream);
    case OpsColumn::channel:
      return number(op.channel);
    case OpsColumn::process:
      return number(op.process);
    case OpsColumn::pid: {
      const TraceProcess* process = meta.process(op.process);
      return process == nullptr ? SqlValue() : number(process->pid);
    }
    case OpsColumn::thread:
      return number(op.thread);
    case OpsColumn::weight:
      return number(op.weight);
    case OpsColumn::status:
      return text(name(op.status));
    case OpsColumn::backend:
      return text(name(op.backend));
    case OpsColumn::async:
      return number(op.async ? 1 : 0);
    case OpsColumn::device_only:
      return number(op.device_only ? 1 : 0);
    default:
      return {};
  }
}

SqlValue op_value(OpsChunk& chunk, std::size_t i, OpsColumn column) {
  const auto host = [&] { return chunk.times(Column::host_duration)[i]; };
  const auto device = [&] { return chunk.times(Column::device_duration)[i]; };
  switch (column) {
    case OpsColumn::begin_ns:
      return chunk.times(Column::begin)[i];
    case OpsColumn::end_ns:
      return host() < 0 ? SqlValue()
                        : SqlValue(static_cast<std::int64_t>(
                              static_cast<std::uint64_t>(chunk.times(Column::begin)[i]) +
                              static_cast<std::uint64_t>(host())));
    case OpsColumn::duration_ns: {
      if (device() >= 0) return device();
      const Op shape = chunk.shapes()[chunk.shape_index()[i]].op();
      return shape.async ? SqlValue() : time(host());
    }
    case OpsColumn::host_duration_ns:
      return time(host());
    case OpsColumn::device_begin_ns:
      return time(chunk.times(Column::device_begin)[i]);
    case OpsColumn::device_duration_ns:
      return time(device());
    case OpsColumn::bytes:
      return number(chunk.values(Column::bytes)[i]);
    case OpsColumn::sequence:
      return number(chunk.values(Column::sequence)[i]);
    default:
      return {};
  }
}

int compare(const SqlValue& a, const SqlValue& b) {
  const auto order = [](const SqlValue& v) { return v.index() == 0 ? 0 : v.index() == 3 ? 2 : 1; };
  if (order(a) != order(b)) return order(a) < order(b) ? -1 : 1;
  if (order(a) == 0) return 0;
  if (order(a) == 2) {
    const int result = std::get<3>(a).compare(std::get<3>(b));
    return result < 0 ? -1 : result > 0 ? 1 : 0;
  }
  if (a.index() == 1 && b.index() == 1) {
    const auto x = std::get<1>(a), y = std::get<1>(b);
    return x < y ? -1 : x > y ? 1 : 0;
  }
  const auto real = [](const SqlValue& v) {
    return v.index() == 1 ? static_cast<double>(std::get<1>(v)) : std::get<2>(v);
  };
  return real(a) < real(b) ? -1 : real(a) > real(b) ? 1 : 0;
}

}  // namespace peerscope
