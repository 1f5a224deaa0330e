// The ranks of an NCCL communicator that this process holds: one, or several driven by one thread.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "comm/cuda/cuda_device.hpp"
#include "comm/nccl/nccl_calls.hpp"

namespace peerscope {

struct NcclRank {
  int rank = 0;
  CudaDevice device;
  CudaStream stream;
  NcclComm comm = nullptr;
  std::array<std::uint64_t, 32> calls{};  // of each Kind, so far: NCCL's own sequence
};

class NcclRanks {
 public:
  struct Part {
    int ranks = 1;             // of the communicator
    int first = 0;             // our first rank
    std::vector<int> devices;  // of our ranks, in their order
    NcclUniqueId id{};
  };
  // Returns once all ranks of all processes are there. The libraries outlive it.
  static Result<NcclRanks> open(const CudaDriver& cuda, const NcclLibrary& nccl, const Part& part);
  NcclRanks(NcclRanks&& other) noexcept;
  NcclRanks& operator=(NcclRanks&&) = delete;
  ~NcclRanks();

  [[nodiscard]] std::span<NcclRank> local() { return ranks_; }
  [[nodiscard]] int count() const { return count_; }

  // One call of each of our ranks, in their order, as a group if there are several. After an error
  // nothing else is possible: the communicators are aborted at the end, not waited for.
  [[nodiscard]] Status enqueue(std::span<const NcclCall> calls);

  // Until all streams are empty: polls, as nccl-tests does, and looks for errors that come later.
  [[nodiscard]] Status wait();

 private:
  NcclRanks(const NcclLibrary& nccl, int count) : nccl_(&nccl), count_(count) {}
  Status check(NcclResult code, const char* call, int rank);
  Status end_group(const Status& so_far, const char* call, int rank);
  Status enqueue_one(NcclRank& rank, const NcclCall& call);

  const NcclLibrary* nccl_;
  int count_;
  bool failed_ = false;
  std::vector<NcclRank> ranks_;
};

}  // namespace peerscope
