// The P2P backend on the host device: ranks are threads of one process, or processes that share a
// file of memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "comm/communicator.hpp"

namespace peerscope {

class Region;

struct HostOptions {
  std::string directory = {};  // of the shared file, e.g. below /dev/shm; not used by HostWorld
  std::string name = "host";   // of the communicator; together with `id` the file's name
  std::uint64_t id = 0;        // the same on all ranks
  int rank = 0;                // not used by HostWorld
  int ranks = 1;               // 1..64
  std::chrono::nanoseconds timeout =
      std::chrono::seconds(10);                      // of each wait in which nothing moves
  std::size_t staging_bytes = std::size_t{2} << 20;  // of shared memory for each rank's messages
  std::size_t pool_bytes = std::size_t{1} << 20;     // of each rank's registered memory
  pscope_session* session = nullptr;                 // may be null: nothing is recorded
  // Algorithms that were measured here (TunedChoices): the same file on all ranks. Empty: the cost
  // model alone chooses.
  std::string tuning_file = {};
};

// One rank of a communicator between processes (or threads). Waits until all ranks have opened it;
// the file is gone by then, so that nothing is left behind however the processes end.
Result<std::unique_ptr<Communicator>> open_host(const HostOptions& options);

// A communicator in memory without a name: for the threads of this process, and for processes that
// it forks after `create`. Each rank opens its own, without waiting for the others.
class HostWorld {
 public:
  static Result<HostWorld> create(const HostOptions& options);

  // Outlives the world. `session` replaces the one in the options where the rank records elsewhere.
  Result<std::unique_ptr<Communicator>> open(int rank) const {
    return open(rank, options_.session);
  }
  Result<std::unique_ptr<Communicator>> open(int rank, pscope_session* session) const;
  int ranks() const { return options_.ranks; }

 private:
  HostWorld(HostOptions options, std::shared_ptr<Region> region);

  HostOptions options_;
  std::shared_ptr<Region> region_;
};

}  // namespace peerscope
