// One rank of the host device as benchmarks see it.
#pragma once

#include <map>
#include <memory>

#include "comm/communicator.hpp"
#include "suite/backend.hpp"

namespace peerscope {

class HostRank final : public BenchRank {
 public:
  explicit HostRank(Communicator& comm) : comm_(comm) {}

  [[nodiscard]] int rank() const override { return comm_.rank(); }
  [[nodiscard]] int ranks() const override { return comm_.ranks(); }
  Result<void*> allocate(std::size_t bytes) override;
  void release(void* memory) override;
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
  std::map<void*, std::unique_ptr<void, Free>> blocks_;
};

}  // namespace peerscope
