// NCCL behind the communicator's interface: a rank is a GPU, in a process of its own or on a thread of one with others.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "comm/cuda/device_communicator.hpp"
#include "comm/host/process.hpp"
#include "comm/nccl/nccl_calls.hpp"

namespace peerscope {

struct NcclCommOptions {
  std::string name = "nccl";
  std::uint64_t id = 0;  // the same on all ranks
  int device = 0;        // ordinal of this rank's GPU in this process; NCCL lets no two share one
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);        // of each wait for a stream
  std::chrono::nanoseconds open_timeout = std::chrono::seconds(120);  // for NCCL to connect ranks
  pscope_session* session = nullptr;  // may be null: nothing is recorded
};

// Operations, types and reductions as NCCL has them: also f64, u32, i64, u64; no copy, get or pool. NCCL chooses the algorithm
// (NCCL_ALGO), all_to_all is not in place. `run` is recorded by us, what is enqueued by NCCL's profiler plugin only. Each rank
// needs a thread of its own: NCCL's calls may wait for other ranks.
class NcclCommunicator final : public DeviceCommunicator {
 public:
  // `bootstrap` ties the ranks together, and is not kept. All ranks succeed or all fail. The driver outlives it.
  static Result<std::unique_ptr<NcclCommunicator>> open(const CudaDriver& driver,
                                                        const NcclLibrary& nccl,
                                                        const NcclCommOptions& options,
                                                        std::unique_ptr<Communicator> bootstrap);
  ~NcclCommunicator() override;

  Status enqueue(const Call& call, CudaStreamHandle stream) override;
  // After `timeout` without an end NCCL's communicator is aborted: no operation waits for ever.
  Status synchronize(CudaStreamHandle stream) override;
  [[nodiscard]] const CudaDevice& device() const override { return own_.device; }

 protected:
  Result<Algorithm> choose(const Call& call) const override;
  bool reduces(Dtype dtype) const override { return nccl_type(dtype).has_value(); }
  Status admit(const Call& call) override;
  Status perform(const Operation& operation, Marks& marks) override;

 private:
  struct Own {  // what a rank has before it meets the others
    CudaDevice device;
    CudaStream stream;
    CudaMemory word;  // what a barrier reduces
  };
  struct Card;  // how a rank introduces itself

  NcclCommunicator(Identity identity, const NcclLibrary& nccl, const NcclCommOptions& options,
                   Own own);
  static Result<Own> prepare(const CudaDriver& driver, int device);
  static Result<std::unique_ptr<NcclCommunicator>> join(const CudaDriver& driver,
                                                        const NcclLibrary& nccl,
                                                        const NcclCommOptions& options,
                                                        Communicator& bootstrap);
  Status connect(const NcclUniqueId& id);
  Status launch(const Operation& operation, CudaStreamHandle stream);
  Status gather(const Call& call, const NcclEnd& end, NcclType type) const;
  Status look_for_error();
  Status give_up(const Error& why);  // aborts, so that nothing waits any more
  [[nodiscard]] Error late() const;
  [[nodiscard]] std::string who_is_gone() const;  // empty: nobody

  NcclLibrary nccl_;
  NcclCommOptions options_;
  Own own_;
  NcclComm comm_ = nullptr;
  std::vector<ProcessId> processes_;  // by rank
  Operation last_;
};

}  // namespace peerscope
