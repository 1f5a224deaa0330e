#include "comm/nccl/nccl_ranks.hpp"

#include <fmt/format.h>
#include <sched.h>

namespace peerscope {
namespace {

void* address(CudaPointer pointer) {
  return reinterpret_cast<void*>(pointer);  // NOLINT(performance-no-int-to-ptr): CUDA's own type
}

std::size_t type_bytes(NcclType type) {
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

bool nccl_does(Kind kind) {
  return kind == Kind::all_reduce || kind == Kind::all_gather || kind == Kind::reduce_scatter ||
         kind == Kind::broadcast || kind == Kind::reduce || kind == Kind::all_to_all ||
         kind == Kind::send;
}

Result<NcclRanks> NcclRanks::open(const CudaDriver& cuda, const NcclLibrary& nccl,
                                  const Part& part) {
  NcclRanks out(nccl, part.ranks);
  for (std::size_t i = 0; i < part.devices.size(); ++i) {
    Result<CudaDevice> device = CudaDevice::open(cuda, part.devices[i]);
    if (!device) return device.error();
    Result<CudaStream> stream = device->make_stream();
    if (!stream) return stream.error();
    NcclRank rank;
    rank.rank = part.first + static_cast<int>(i);
    rank.device = std::move(*device);
    rank.stream = std::move(*stream);
    out.ranks_.push_back(std::move(rank));
  }
  Status ok = out.check(nccl->ncclGroupStart(), "ncclGroupStart", -1);
  if (!ok) return ok.error();
  for (NcclRank& rank : out.ranks_) {
    ok = rank.device.make_current();  // NCCL takes the device that is current
    if (ok)
      ok = out.check(nccl->ncclCommInitRank(&rank.comm, part.ranks, part.id, rank.rank),
                     "ncclCommInitRank", rank.rank);
    if (!ok) break;
  }
  ok = out.end_group(ok, "ncclGroupEnd (after ncclCommInitRank)", part.first);
  if (ok) return out;
  for (NcclRank& rank : out.ranks_) rank.comm = nullptr;  // NCCL has taken down what there was
  return ok.error();
}

NcclRanks::NcclRanks(NcclRanks&& other) noexcept
    : nccl_(other.nccl_),
      count_(other.count_),
      failed_(other.failed_),
      ranks_(std::move(other.ranks_)) {
  other.ranks_.clear();
}

NcclRanks::~NcclRanks() {
  for (NcclRank& rank : ranks_) {
    if (rank.comm == nullptr) continue;
    static_cast<void>(rank.device.make_current());
    (failed_ ? (*nccl_)->ncclCommAbort : (*nccl_)->ncclCommDestroy)(rank.comm);
  }
}

Status NcclRanks::check(NcclResult code, const char* call, int rank) {
  failed_ = failed_ || code != kNcclSuccess;
  return nccl_->check(code, call, rank);
}

Status NcclRanks::enqueue(std::span<const NcclCall> calls) {
  if (ranks_.size() == 1) return enqueue_one(ranks_[0], calls[0]);
  Status ok = check((*nccl_)->ncclGroupStart(), "ncclGroupStart", -1);
  if (!ok) return ok;
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    ok = enqueue_one(ranks_[i], calls[i]);
    if (!ok) break;
  }
  return end_group(ok, "ncclGroupEnd", ranks_[0].rank);
}

// A group that was begun is ended whatever happened in it. The first error counts.
Status NcclRanks::end_group(const Status& so_far, const char* call, int rank) {
  const NcclResult ended = (*nccl_)->ncclGroupEnd();
  return so_far ? check(ended, call, rank) : so_far;
}

Status NcclRanks::enqueue_one(NcclRank& rank, const NcclCall& call) {
  const NcclFunctions& f = *nccl_->operator->();
  void* const send = address(call.send);
  void* const recv = address(call.recv);
  CudaStreamHandle stream = rank.stream.get();
  ++rank.calls[static_cast<std::size_t>(call.kind)];
  switch (call.kind) {
    case Kind::all_reduce:
      return check(f.ncclAllReduce(send, recv, call.count, call.type, call.op, rank.comm, stream),
                   "ncclAllReduce", rank.rank);
    case Kind::reduce:
      return check(
          f.ncclReduce(send, recv, call.count, call.type, call.op, call.root, rank.comm, stream),
          "ncclReduce", rank.rank);
    case Kind::reduce_scatter:
      return check(
          f.ncclReduceScatter(send, recv, call.count, call.type, call.op, rank.comm, stream),
          "ncclReduceScatter", rank.rank);
    case Kind::all_gather:
      return check(f.ncclAllGather(send, recv, call.count, call.type, rank.comm, stream),
                   "ncclAllGather", rank.rank);
    case Kind::broadcast:
      return check(f.ncclBroadcast(send, recv, call.count, call.type, call.root, rank.comm, stream),
                   "ncclBroadcast", rank.rank);
    case Kind::all_to_all:
      if (f.ncclAlltoAll == nullptr) break;
      return check(f.ncclAlltoAll(send, recv, call.count, call.type, rank.comm, stream),
                   "ncclAlltoAll", rank.rank);
    case Kind::send:
      break;
    default:
      return Error{ErrorCode::unsupported,
                   fmt::format("NCCL has no {} that we call", name(call.kind))};
  }
  return exchange(rank, call);
}

// Sends and receives as one group: a share to and from each rank, or the ring.
Status NcclRanks::exchange(NcclRank& rank, const NcclCall& call) {
  const NcclFunctions& f = *nccl_->operator->();
  const bool ring = call.kind == Kind::send;
  const std::size_t share = ring ? 0 : call.count * type_bytes(call.type);
  Status ok = check(f.ncclGroupStart(), "ncclGroupStart", rank.rank);
  if (!ok) return ok;
  for (int i = 0; ok && i < (ring ? 1 : count_); ++i) {
    const int to = ring ? (rank.rank + 1) % count_ : i;
    const int from = ring ? (rank.rank + count_ - 1) % count_ : i;
    const std::size_t at = share * static_cast<std::size_t>(i);
    ok = check(f.ncclSend(address(call.send + at), call.count, call.type, to, rank.comm,
                          rank.stream.get()),
               "ncclSend", rank.rank);
    if (!ok) break;
    ok = check(f.ncclRecv(address(call.recv + at), call.count, call.type, from, rank.comm,
                          rank.stream.get()),
               "ncclRecv", rank.rank);
  }
  return end_group(ok, "ncclGroupEnd (of sends and receives)", rank.rank);
}

Status NcclRanks::wait() {
  std::vector<char> busy(ranks_.size(), 1);
  for (std::size_t left = ranks_.size(); left > 0;) {
    bool idle = true;
    for (std::size_t i = 0; i < ranks_.size(); ++i) {
      if (busy[i] == 0) continue;
      const NcclRank& rank = ranks_[i];
      const CudaResult state = rank.device.driver()->cuStreamQuery(rank.stream.get());
      if (state == kCudaSuccess) {
        busy[i] = 0;
        --left;
        idle = false;
        continue;
      }
      failed_ = failed_ || state != kCudaNotReady;
      if (state != kCudaNotReady)
        return rank.device.check(state, "cuStreamQuery (an operation failed on the device)");
      NcclResult later = kNcclSuccess;
      const NcclResult asked = (*nccl_)->ncclCommGetAsyncError(rank.comm, &later);
      if (asked != kNcclSuccess) return check(asked, "ncclCommGetAsyncError", rank.rank);
      if (later != kNcclSuccess && later != kNcclInProgress)
        return check(later, "an operation of NCCL (ncclCommGetAsyncError)", rank.rank);
    }
    if (idle) sched_yield();  // NCCL's own threads want to run, too
  }
  return Done{};
}

}  // namespace peerscope
