// One rank on a GPU as benchmarks see it, whoever moves its bytes.
#pragma once

#include <map>

#include "comm/cuda/device_communicator.hpp"
#include "suite/backend.hpp"

namespace peerscope {

class DeviceRank final : public BenchRank {
 public:
  // `host` ties the ranks together outside of what is measured.
  DeviceRank(DeviceCommunicator& comm, Communicator& host) : comm_(comm), host_(host) {}
  Status prepare();

  [[nodiscard]] int rank() const override { return comm_.rank(); }
  [[nodiscard]] int ranks() const override { return comm_.ranks(); }
  Result<void*> allocate(std::size_t bytes) override;
  void release(void* memory) override;
  Result<Block> register_memory(std::size_t bytes) override;
  Status upload(void* to, const void* from, std::size_t bytes) override;
  Status download(void* to, const void* from, std::size_t bytes) override;
  Status fill(void* to, std::byte value, std::size_t bytes) override;
  Status barrier() override;
  Result<BatchTime> run(const Call& call, int count, bool graph) override;
  Result<OverlapTime> overlap(const Call& call, int count) override;
  Status sit_out() override { return barrier(); }  // as `run` begins

 private:
  Result<CudaGraph> capture(const Call& call, int count);
  Status enqueue(const Call& call, int count);

  DeviceCommunicator& comm_;
  Communicator& host_;
  CudaStream stream_;
  CudaEvent begin_, end_;
  std::map<void*, CudaMemory> blocks_;
};

}  // namespace peerscope
