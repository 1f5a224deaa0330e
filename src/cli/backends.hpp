// The backends that benchmarks can measure, by name. A new one is a line in the table.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "suite/backend.hpp"

namespace peerscope {

struct BackendOptions {
  bool threads = false;      // host: ranks are threads of one process
  bool pin = true;           // host: ranks on processors of their own, where there are enough
  std::size_t pool_bytes = 0;  // of each rank's registered memory; 0: as usual
  std::string session = {};  // operations are recorded under it; empty: nothing is
  Level level = Level::detailed;
  std::string tuning_file = {};
  std::string nccl_library = {};  // nccl: the libnccl.so.2; empty: as the loader finds it
  bool nvls = false;              // nccl: let it use NVLink multicast
};

// Those that `make_backend` knows, in the order in which they are measured. NCCL has a driver of its
// own, too (bench_nccl.hpp).
std::vector<std::string> backend_names();

// `unsupported` where this machine (or this build) has no such device, and why.
Result<std::unique_ptr<BenchBackend>> make_backend(const std::string& name,
                                                   const BackendOptions& options);

}  // namespace peerscope
