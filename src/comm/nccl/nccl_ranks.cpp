#include "comm/nccl/nccl_ranks.hpp"

#include <sched.h>

namespace peerscope {

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
  ++rank.calls[static_cast<std::size_t>(call.kind)];
  Status done = nccl_enqueue(*nccl_, {rank.comm, rank.rank, count_, rank.stream.get()}, call);
  failed_ = failed_ || !done;
  return done;
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
