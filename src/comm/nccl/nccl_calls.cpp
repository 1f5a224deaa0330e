#include "comm/nccl/nccl_calls.hpp"

#include <vector>

#include <fmt/format.h>

namespace peerscope {
namespace {

void* address(CudaPointer pointer) {
  return reinterpret_cast<void*>(pointer);  // NOLINT(performance-no-int-to-ptr): CUDA's own type
}

// A share to and from each rank.
Status share_out(const NcclLibrary& nccl, const NcclEnd& end, const NcclCall& call) {
  std::vector<NcclTransfer> transfers;
  const std::size_t share = call.count * nccl_bytes(call.type);
  for (int peer = 0; peer < end.ranks; ++peer) {
    const std::size_t at = share * static_cast<std::size_t>(peer);
    transfers.push_back({true, call.send + at, call.count, peer});
    transfers.push_back({false, call.recv + at, call.count, peer});
  }
  return nccl_exchange(nccl, end, call.type, transfers);
}

Status around_the_ring(const NcclLibrary& nccl, const NcclEnd& end, const NcclCall& call) {
  const NcclTransfer transfers[] = {
      {true, call.send, call.count, (end.rank + 1) % end.ranks},
      {false, call.recv, call.count, (end.rank + end.ranks - 1) % end.ranks}};
  return nccl_exchange(nccl, end, call.type, transfers);
}

}  // namespace

std::optional<NcclType> nccl_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::i8:
      return NcclType::i8;
    case Dtype::u8:
      return NcclType::u8;
    case Dtype::i32:
      return NcclType::i32;
    case Dtype::u32:
      return NcclType::u32;
    case Dtype::i64:
      return NcclType::i64;
    case Dtype::u64:
      return NcclType::u64;
    case Dtype::f16:
      return NcclType::f16;
    case Dtype::bf16:
      return NcclType::bf16;
    case Dtype::f32:
      return NcclType::f32;
    case Dtype::f64:
      return NcclType::f64;
    default:
      return std::nullopt;
  }
}

std::size_t nccl_bytes(NcclType type) {
  switch (type) {
    case NcclType::i8:
    case NcclType::u8:
      return 1;
    case NcclType::f16:
    case NcclType::bf16:
      return 2;
    case NcclType::i64:
    case NcclType::u64:
    case NcclType::f64:
      return 8;
    default:
      return 4;
  }
}

bool nccl_does(Kind kind) {
  return kind == Kind::all_reduce || kind == Kind::all_gather || kind == Kind::reduce_scatter ||
         kind == Kind::broadcast || kind == Kind::reduce || kind == Kind::all_to_all ||
         kind == Kind::send;
}

Status nccl_enqueue(const NcclLibrary& nccl, const NcclEnd& end, const NcclCall& call) {
  const NcclFunctions& f = *nccl.operator->();
  void* const send = address(call.send);
  void* const recv = address(call.recv);
  const NcclComm comm = end.comm;
  CudaStreamHandle stream = end.stream;
  const auto check = [&](NcclResult code, const char* name) {
    return nccl.check(code, name, end.rank);
  };
  switch (call.kind) {
    case Kind::all_reduce:
      return check(f.ncclAllReduce(send, recv, call.count, call.type, call.op, comm, stream),
                   "ncclAllReduce");
    case Kind::reduce:
      return check(
          f.ncclReduce(send, recv, call.count, call.type, call.op, call.root, comm, stream),
          "ncclReduce");
    case Kind::reduce_scatter:
      return check(f.ncclReduceScatter(send, recv, call.count, call.type, call.op, comm, stream),
                   "ncclReduceScatter");
    case Kind::all_gather:
      return check(f.ncclAllGather(send, recv, call.count, call.type, comm, stream),
                   "ncclAllGather");
    case Kind::broadcast:
      return check(f.ncclBroadcast(send, recv, call.count, call.type, call.root, comm, stream),
                   "ncclBroadcast");
    case Kind::all_to_all:
      if (f.ncclAlltoAll == nullptr) return share_out(nccl, end, call);
      return check(f.ncclAlltoAll(send, recv, call.count, call.type, comm, stream), "ncclAlltoAll");
    case Kind::send:
      return around_the_ring(nccl, end, call);
    default:
      return Error{ErrorCode::unsupported,
                   fmt::format("NCCL has no {} that we call", name(call.kind))};
  }
}

// A group that was begun is ended whatever happened in it. The first error counts.
Status nccl_exchange(const NcclLibrary& nccl, const NcclEnd& end, NcclType type,
                     std::span<const NcclTransfer> transfers) {
  const NcclFunctions& f = *nccl.operator->();
  Status ok = nccl.check(f.ncclGroupStart(), "ncclGroupStart", end.rank);
  if (!ok) return ok;
  for (const NcclTransfer& transfer : transfers) {
    void* const at = address(transfer.at);
    const NcclResult code =
        transfer.sends ? f.ncclSend(at, transfer.count, type, transfer.peer, end.comm, end.stream)
                       : f.ncclRecv(at, transfer.count, type, transfer.peer, end.comm, end.stream);
    ok = nccl.check(code, transfer.sends ? "ncclSend" : "ncclRecv", end.rank);
    if (!ok) break;
  }
  const NcclResult ended = f.ncclGroupEnd();
  return ok ? nccl.check(ended, "ncclGroupEnd (of sends and receives)", end.rank) : ok;
}

}  // namespace peerscope
