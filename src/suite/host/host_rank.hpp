// One rank of the host device as benchmarks see it.
#pragma once

#include <map>
#include <memory>

#include "comm/communicator.hpp"
#include "suite/backend.hpp"
#include "suite/host/pin.hpp"

namespace peerscope {

class HostRank final : public BenchRank {
 public:
  explicit HostRank(Communicator& comm) : comm_(comm), allowed_(allowed_processors()) {}

  // Where this machine has a processor for each rank. The communicator is open by now, and has seen
  // how many processors there are.
  void pin() const {
    if (CPU_COUNT(&allowed_) >= comm_.ranks()) pin_rank(comm_.rank(), allowed_);
  }

  [[nodiscard]] int rank() const override { return comm_.rank(); }
  [[nodiscard]] int ranks() const override { return comm_.ranks(); }
  Result<void*> allocate(std::size_t bytes) override;
  void release(void* memory) override;
  Result<Block> register_memory(std::size_t bytes) override;
  Status upload(void* to, const void* from, std::size_t bytes) override;
  Status download(void* to, const void* from, std::size_t bytes) override;
  Status fill(void* to, std::byte value, std::size_t bytes) override;
  Status barrier() override { return comm_.barrier(); }
  Result<BatchTime> run(const Call& call, int count, bool graph) override;
  Result<OverlapTime> overlap(const Call& call, int count) override;

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  Communicator& comm_;
  cpu_set_t allowed_;  // before it was pinned
  std::map<void*, std::unique_ptr<void, Free>> blocks_;
};

}  // namespace peerscope
