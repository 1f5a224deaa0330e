// The host device under benchmarks: ranks are processes, or threads, that share memory.
#pragma once

#include <memory>

#include "suite/backend.hpp"

namespace peerscope {

struct HostBackendOptions {
  bool threads = false;
  bool pin = true;           // each rank to a processor of its own, where there are enough
  std::size_t pool_bytes = 0;  // of each rank's registered memory; 0: as usual
  std::string session = {};  // operations are recorded under it; empty: nothing is
  Level level = Level::detailed;
  std::string tuning_file = {};  // see HostOptions
};

std::unique_ptr<BenchBackend> make_host_backend(const HostBackendOptions& options);

}  // namespace peerscope
