#include "trace/export/kineto.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "trace/export/out.hpp"

namespace peerscope {
namespace {

struct Names {
  const char* kernel;      // as NCCL's kernels have it
  const char* collective;  // as c10d records it
};

Names names_of(Kind kind) {
  switch (kind) {
    case Kind::all_reduce:
      return {"AllReduce", "allreduce"};
    case Kind::all_gather:
      return {"AllGather", "_allgather_base"};
    case Kind::reduce_scatter:
      return {"ReduceScatter", "_reduce_scatter_base"};
    case Kind::broadcast:
      return {"Broadcast", "broadcast"};
    case Kind::reduce:
      return {"Reduce", "reduce"};
    case Kind::gather:
      return {"Gather", "gather"};
    case Kind::scatter:
      return {"Scatter", "scatter"};
    case Kind::all_to_all:
      return {"AllToAll", "all_to_all"};
    case Kind::barrier:
      return {"Barrier", "barrier"};
    case Kind::send:
      return {"SendRecv", "send"};
    case Kind::recv:
      return {"SendRecv", "recv"};
    default:
      return {nullptr, nullptr};
  }
}

const char* dtype_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::i8:
      return "Char";
    case Dtype::i32:
    case Dtype::u32:
      return "Int";
    case Dtype::i64:
    case Dtype::u64:
      return "Long";
    case Dtype::f16:
      return "Half";
    case Dtype::bf16:
      return "BFloat16";
    case Dtype::f32:
      return "Float";
    case Dtype::f64:
      return "Double";
    case Dtype::f8e4m3:
      return "Float8_e4m3fn";
    case Dtype::f8e5m2:
      return "Float8_e5m2";
    default:
      return "Byte";
  }
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

// Ranks of a communicator are counted within it: that is all there is to know here.
std::string ranks_text(std::uint16_t ranks) {
  constexpr std::uint16_t kMost = 4096;
  std::string text;
  for (std::uint16_t rank = 0; rank < std::min(ranks, kMost); ++rank)
    text += fmt::format("{}{}", rank == 0 ? "" : ", ", rank);
  return "[" + text + "]";
}

// Bytes of one element as `dtype` in the arguments counts them.
std::uint64_t element_bytes(const Op& op) {
  return std::max<std::uint64_t>(1, dtype_bytes(op.dtype));
}

}  // namespace

std::string kernel_name(const Op& op) {
  const Names names = names_of(op.kind);
  if (names.kernel == nullptr) return std::string(name(op.kind));
  std::string text = fmt::format("ncclDevKernel_{}", names.kernel);
  if (op.dtype != Dtype::unknown) text += fmt::format("_{}", name(op.dtype));
  if (op.algorithm != Algorithm::unknown) text += "_" + upper(name(op.algorithm));
  if (op.protocol != Protocol::unknown) text += "_" + upper(name(op.protocol));
  return text;
}

Elements elements_of(const Op& op) {
  const std::uint64_t all = op.bytes / element_bytes(op);
  const std::uint64_t share = op.ranks > 0 ? all / op.ranks : all;
  if (op.kind == Kind::all_gather) return {share, all};
  if (op.kind == Kind::reduce_scatter) return {all, share};
  return {all, all};
}

std::string kineto_distributed_info(const TraceMeta& meta, std::uint16_t rank) {
  std::size_t most = 1;
  std::string groups;
  for (const TraceComm& comm : meta.communicators) {
    most = std::max<std::size_t>(most, comm.ranks);
    groups +=
        fmt::format(R"({}{{"pg_name":"{:#x}","pg_desc":{},"backend_config":"{}","pg_size":{},)"
                    R"("ranks":"{}"}})",
                    groups.empty() ? "" : ",", comm.id, json_string(meta.comm_name(comm.id)),
                    name(comm.backend), comm.ranks, ranks_text(comm.ranks));
  }
  return fmt::format(R"({{"backend":"nccl","rank":{},"world_size":{},"pg_count":{},)"
                     R"("pg_config":[{}]}})",
                     rank, most, meta.communicators.size(), groups);
}

std::string kineto_args(const TraceMeta& meta, const Op& op) {
  const Names names = names_of(op.kind);
  if (names.collective == nullptr) return {};
  std::string text = fmt::format(
      R"("Collective name":"{}","dtype":"{}","In split size":"[]","Out split size":"[]",)"
      R"("Group size":{},"Process Group Name":{},"Process Group Description":{},)"
      R"("Process Group Ranks":"{}",)",
      names.collective, dtype_name(op.dtype), op.ranks, json_string(fmt::format("{:#x}", op.comm)),
      json_string(meta.comm_name(op.comm)), ranks_text(op.ranks));
  if (op.rank != kNoRank) text += fmt::format(R"("Rank":{},)", op.rank);
  if (op.peer == kNoPeer) return text;
  if (op.kind == Kind::send) text += fmt::format(R"("Dst Rank":{},)", op.peer);
  if (op.kind == Kind::recv) text += fmt::format(R"("Src Rank":{},)", op.peer);
  if (has_root(op.kind)) text += fmt::format(R"("Root Rank":{},)", op.peer);
  return text;
}

}  // namespace peerscope
