// The P2P backend on GPUs: a rank is a GPU (several may share one), in a process of its own or in one with others.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "comm/cost_model.hpp"
#include "comm/cuda/compiled_plan.hpp"
#include "comm/cuda/device_communicator.hpp"
#include "comm/cuda/kernels.hpp"
#include "comm/cuda/stamp_reader.hpp"
#include "comm/host/process.hpp"
#include "comm/tuned_choices.hpp"

namespace peerscope {

struct CudaOptions {
  std::string name = "cuda";
  std::uint64_t id = 0;  // the same on all ranks
  int device = 0;        // ordinal of this rank's GPU in this process
  std::chrono::nanoseconds timeout =
      std::chrono::seconds(10);  // of each wait, by the device's clock
  std::size_t pool_bytes = std::size_t{16}
                           << 20;     // of this rank's registered memory; the same on all ranks
  pscope_session* session = nullptr;  // may be null: nothing is recorded
  std::span<const std::byte> kernels = cuda::kernels_image();
  std::string tuning_file = {};  // of `peerscope bench tune`; empty: the cost model chooses
  std::uint64_t low_latency_most =
      UINT64_MAX;  // bytes up to which small all_reduces go in one hop with flags; capped
};

// Buffers are device memory of this rank's GPU. `run` (and what is made of it) gives the operation to a stream of the
// communicator's and waits for it; `enqueue` gives it to the caller's stream, which may be one that is being captured into a
// graph: each replay is then an operation of its own. All ranks enqueue (replay) the same operations in the same order.
//
// The operations of a communicator run one after the other. Whoever gives them to several streams (the communicator's is one) has
// each wait for the one before by an event; nothing finds out where they overlap. All of these streams must be empty, as
// `synchronize` leaves them, before the communicator ends: what kernels and peers write to is unmapped then.
class CudaCommunicator final : public DeviceCommunicator {
 public:
  // `bootstrap` ties the ranks together, and is kept. All ranks succeed or all fail.
  static Result<std::unique_ptr<CudaCommunicator>> open(const CudaDriver& driver,
                                                        const CudaOptions& options,
                                                        std::unique_ptr<Communicator> bootstrap);
  ~CudaCommunicator() override;

  // Refused calls as by `run`; otherwise errors of the driver, or of an operation before. What becomes of this one only
  // `synchronize` says.
  Status enqueue(const Call& call, CudaStreamHandle stream) override;
  // Until the stream is empty; the error of an operation that has failed meanwhile. Not for a stream that is being captured: that
  // fails the communicator.
  Status synchronize(CudaStreamHandle stream) override;

  // Blocks lie in device memory: Block::data is a device pointer, for kernels, copies and as a buffer of operations. The host must
  // not follow it.
  Pool* pool() override { return &*pool_; }
  [[nodiscard]] const CudaDevice& device() const override { return device_; }
  [[nodiscard]] CudaStreamHandle stream() const { return stream_.get(); }
  // What the monitor has seen so far; waits for what is under way to be read.
  void flush_stamps() { stamps_->flush(); }

 protected:
  Result<Algorithm> choose(const Call& call) const override;
  Status admit(const Call& call) override;
  Status perform(const Operation& operation, Marks& marks) override;

 private:
  struct LoadedPlan {
    CudaPointer steps_at = 0;
    std::uint32_t steps = 0;
    bool halves = false;
  };
  using PlanKey = std::tuple<Kind, Algorithm, int>;

  CudaCommunicator(Identity identity, CudaDevice device, cuda::Kernels kernels,
                   const CudaOptions& options);
  static Result<std::unique_ptr<CudaCommunicator>> open_alone(const CudaDriver& driver,
                                                              const CudaOptions& options, int rank,
                                                              int ranks);
  Status meet(Communicator& bootstrap);
  Status share_memory(Communicator& bootstrap);
  Result<const LoadedPlan*> plan_for(const Call& call);
  Result<CudaPointer> room_for_plan(std::size_t bytes);
  Status launch(const Operation& operation, CudaStreamHandle stream);
  Status launch_kernel(CudaFunction function, const cuda::Shape& shape, void* arguments,
                       CudaStreamHandle stream, bool early);
  Status move_one_sided(const Operation& operation, CudaStreamHandle stream);
  pscope_token begin_record(const Operation& operation, CudaStreamHandle stream, bool async) const;
  [[nodiscard]] bool is_low_latency(const Call& call, std::uint64_t bytes) const;
  Status look_for_failure();
  Error explain() const;
  std::string progress_of(int rank) const;

  CudaDevice device_;
  CudaOptions options_;
  const PeerFunctions* f_;
  cuda::Kernels kernels_;
  cuda::Layout layout_{};
  bool may_be_early_ =
      false;  // the GPU can launch a kernel before the one in front has ended, and no other rank needs its room
  CudaStream stream_;
  std::unique_ptr<Communicator> bootstrap_;
  std::vector<PeerMemory> regions_;  // by rank; ours is the local one
  std::vector<ProcessId> processes_;
  cuda::Arguments template_{};  // what is the same for all operations
  cuda::Failure* failure_ = nullptr;
  std::optional<Pool> pool_;
  std::uint16_t recorded_as_ = 0;
  std::map<PlanKey, LoadedPlan> plans_;
  std::vector<CudaMemory> plan_memory_;
  std::size_t plan_used_ = 0;  // of the last piece
  CostModel costs_;
  TunedChoices tuned_;
  std::unique_ptr<StampReader> stamps_;
  const LoadedPlan* admitted_ = nullptr;
};

}  // namespace peerscope
